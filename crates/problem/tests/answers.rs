//! What becomes of answers that are errors.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::convert::Infallible;

use buttress_conformance::{ProbeBody, ProbeError};
use buttress_core::{
    context::{InRequest, RequestContext, TraceContext},
    reject::{DefaultResponder, Protocol, Rejection},
};
use buttress_problem::{
    BoxError, Category, Errors, Failure, IntoProblem, MAX_ERRORS, Problem, ProblemLayer, Public,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use support::{Log, SECRET};
use tower::{Layer, ServiceExt, service_fn};
use tracing::Level;

mod support;

struct Seen {
    response: Response<Bytes>,
    error_type: Option<&'static str>,
}

impl Seen {
    fn json(&self) -> Value {
        assert_eq!(self.response.headers()["content-type"], "application/problem+json");
        serde_json::from_slice(self.response.body()).unwrap()
    }
}

/// Sends a request of id `r-1` to a service with the layer that answers so.
async fn send<B, F>(layer: ProblemLayer, request: Request<()>, answer: F) -> Seen
where
    F: Fn() -> Response<B>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    support::init();
    let context = RequestContext::new();
    context.set_request_id(HeaderValue::from_static("r-1"));
    let service = layer.layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer()) }));
    let exchange = InRequest::new(Some(context.clone()), async {
        let (head, body) = service.oneshot(request).await.unwrap().into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    });
    Seen { response: exchange.await, error_type: context.error_type() }
}

async fn get<B>(layer: ProblemLayer, answer: impl Fn() -> Response<B>) -> Seen
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    send(layer, Request::new(()), answer).await
}

fn text(status: u16, media: &str, body: &'static str) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(status);
    if !media.is_empty() {
        builder = builder.header("content-type", media);
    }
    builder.body(Full::from(body)).unwrap()
}

#[tokio::test]
async fn bare_errors_become_documents() {
    let plain = "text/plain; charset=utf-8";
    for (answer, document) in [
        (text(404, "", ""), json!({"title": "Not Found", "status": 404})),
        (text(405, plain, " \n"), json!({"title": "Method Not Allowed", "status": 405})),
        (
            text(400, plain, "missing field `name`\n"),
            json!({"title": "Bad Request", "status": 400, "detail": "missing field `name`"}),
        ),
        (
            text(415, "", "want JSON"),
            json!({"title": "Unsupported Media Type", "status": 415, "detail": "want JSON"}),
        ),
        (text(500, "", ""), json!({"title": "Internal Server Error", "status": 500})),
        (text(502, plain, SECRET), json!({"title": "Bad Gateway", "status": 502})),
        (text(500, "text/html", SECRET), json!({"title": "Internal Server Error", "status": 500})),
        (
            text(500, "application/json", r#"{"e":"api key hunter2"}"#),
            json!({"title": "Internal Server Error", "status": 500}),
        ),
    ] {
        let seen = get(ProblemLayer::new(), || answer.clone()).await;
        let mut expected = document;
        expected["request_id"] = json!("r-1");
        assert_eq!(seen.json(), expected);
        assert_eq!(seen.response.status(), answer.status());
    }
}

#[tokio::test]
async fn what_is_no_bare_error_is_left_as_it_is() {
    for answer in [
        text(200, "text/plain", SECRET),
        text(204, "", ""),
        text(304, "", ""),
        text(302, "text/plain", "over there"),
        text(404, "text/html", "<h1>no</h1>"),
        text(404, "", "<h1>no</h1>"),
        text(409, "application/problem+json", r#"{"title":"mine"}"#),
        text(422, "application/json", r#"{"error":"mine"}"#),
        text(400, "text/plain; charset=latin1", "caf").map(|_| Full::from(&b"caf\xe9"[..])),
        text(503, "application/grpc", ""),
    ] {
        let seen = get(ProblemLayer::new(), || answer.clone()).await;
        let (is, was) = (seen.response, answer);
        assert_eq!((is.status(), is.headers()), (was.status(), was.headers()));
        assert_eq!(is.body(), &was.into_body().collect().await.unwrap().to_bytes());
    }
}

#[tokio::test]
async fn a_caller_that_reads_no_documents_gets_none() {
    let head = Request::builder().method(Method::HEAD).body(()).unwrap();
    let grpc = Request::builder().header("content-type", "application/grpc").body(()).unwrap();
    for (request, status, media) in [
        (&head, 404, "text/plain"),
        (&head, 500, "text/plain"),
        (&grpc, 404, "text/plain"),
        (&grpc, 500, "application/grpc"),
    ] {
        let answer = || text(status, media, "");
        let seen = send(ProblemLayer::new(), request.clone(), answer).await;
        assert_eq!(seen.response.headers()["content-type"], media);
        assert!(seen.response.body().is_empty());
        assert_eq!(seen.error_type, (status == 500).then_some("server_error"));
    }
}

#[tokio::test]
async fn to_claim_grpc_unmasks_nothing() {
    for media in ["application/grpc", "application/grpc-web"] {
        let request = Request::builder().header("content-type", media).body(()).unwrap();
        let answer = || text(500, "text/plain", SECRET);
        let seen = send(ProblemLayer::new(), request, answer).await;
        let masked = json!({"title": "Internal Server Error", "status": 500, "request_id": "r-1"});
        assert_eq!(seen.json(), masked);
    }
}

#[tokio::test]
async fn a_body_that_streams_is_left_alone_below_500_and_masked_above() {
    let stream = |status: u16| {
        let body = ProbeBody::new().data(SECRET).silent_end();
        Response::builder().status(status).header("content-type", "text/plain").body(body).unwrap()
    };
    let seen = get(ProblemLayer::new(), || stream(404)).await;
    assert_eq!(seen.response.body(), SECRET);
    let seen = get(ProblemLayer::new(), || stream(500)).await;
    assert_eq!(seen.json()["title"], "Internal Server Error");
}

#[tokio::test]
async fn a_body_that_lies_or_breaks_leaves_a_document_without_detail() {
    let (log, _listening) = Log::listen();
    let broken = ProbeBody::new().data("no su").error(ProbeError::new("disk gone")).exact();
    let answer = |status: u16| Response::builder().status(status).body(broken.clone()).unwrap();
    let seen = get(ProblemLayer::new(), || answer(404)).await;
    assert_eq!(seen.json(), json!({"title": "Not Found", "status": 404, "request_id": "r-1"}));
    assert!(log.lines().is_empty());
    get(ProblemLayer::new(), || answer(500)).await;
    assert_eq!(log.line().field("error"), "no su: disk gone");

    /// Says that it is short, and is not.
    struct Endless;
    impl Body for Endless {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            let frame = http_body::Frame::data(Bytes::from_static(&[b'x'; 1000]));
            std::task::Poll::Ready(Some(Ok(frame)))
        }
        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(10)
        }
    }
    let seen = get(ProblemLayer::new(), || Response::builder().status(404).body(Endless).unwrap());
    assert_eq!(seen.await.json().get("detail"), None);
}

#[tokio::test]
async fn what_is_said_of_the_old_body_goes_with_it() {
    let seen = get(ProblemLayer::new(), || {
        Response::builder()
            .status(405)
            .header("allow", "GET")
            .header("content-length", "7")
            .header("content-disposition", "attachment; filename=secret.txt")
            .header("etag", "\"1\"")
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .body(Full::from("POST no"))
            .unwrap()
    })
    .await;
    let headers = seen.response.headers();
    assert_eq!(headers["allow"], "GET");
    assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
    for name in ["content-length", "content-disposition", "etag"] {
        assert!(!headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn what_is_said_of_the_answer_stays_though_its_compressed_body_is_masked() {
    let seen = get(ProblemLayer::new(), || {
        Response::builder()
            .status(503)
            .header("content-type", "text/plain")
            .header("content-encoding", "gzip")
            .header("content-length", "15")
            .header("cache-control", "no-store")
            .header("retry-after", "9")
            .header("vary", "accept-encoding")
            .body(Full::from(SECRET))
            .unwrap()
    })
    .await;
    assert_eq!(seen.json()["title"], "Service Unavailable");
    let headers = seen.response.headers();
    for name in ["content-encoding", "content-length"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    for name in ["cache-control", "retry-after", "vary"] {
        assert!(headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn what_a_masked_body_said_is_in_the_log_under_the_requests_id() {
    let (log, _listening) = Log::listen();
    get(ProblemLayer::new(), || text(500, "application/json", r#"{"e":"api key hunter2"}"#)).await;
    let line = log.line();
    assert_eq!(line.level, Level::ERROR);
    assert_eq!((line.field("request_id"), line.field("status")), ("r-1", "500"));
    assert_eq!(line.field("error_type"), "server_error");
    assert!(line.field("error").contains(SECRET));
}

#[tokio::test]
async fn bodies_that_were_written_for_the_client_are_kept() {
    let json = || text(503, "application/json", r#"{"database":"down"}"#);
    let seen = get(ProblemLayer::new().keep_json(true), json).await;
    assert_eq!(seen.response.body(), r#"{"database":"down"}"#);
    let seen = get(ProblemLayer::new(), || {
        let mut answer = json();
        answer.extensions_mut().insert(Public);
        answer
    });
    assert_eq!(seen.await.response.body(), r#"{"database":"down"}"#);
    let refusal = get(ProblemLayer::new(), || -> Response<Full<Bytes>> {
        let no = Rejection::new("shed", "overloaded", StatusCode::SERVICE_UNAVAILABLE)
            .with_detail("try again");
        let answer = no.respond::<_, Full<Bytes>>(&DefaultResponder, Protocol::Http);
        let (head, _) = answer.into_parts();
        Response::from_parts(head, Full::from(r#"{"detail":"try again"}"#))
    });
    let refusal = refusal.await;
    assert_eq!(refusal.json(), json!({"detail": "try again"}));
    assert_eq!(refusal.error_type, Some("overloaded"));
}

/// With what is known of it: of a body that nobody reads, nothing.
#[tokio::test]
async fn each_answer_of_500_and_up_has_one_line() {
    let json = || text(503, "application/json", r#"{"database":"down"}"#);
    let public = || {
        let mut answer = json();
        answer.extensions_mut().insert(Public);
        answer
    };
    let refusal = || {
        let no = Rejection::new("shed", "overloaded", StatusCode::SERVICE_UNAVAILABLE);
        no.respond::<_, Full<Bytes>>(&DefaultResponder, Protocol::Http).map(|_| Full::default())
    };
    type Answer<'a> = &'a dyn Fn() -> Response<Full<Bytes>>;
    let production = ProblemLayer::new();
    let development = ProblemLayer::new().development();
    let cases: [(&str, ProblemLayer, Method, Answer<'_>, Option<&str>); 10] = [
        ("empty", production, Method::GET, &|| text(500, "", ""), None),
        ("HTML", production, Method::GET, &|| text(500, "text/html", SECRET), None),
        ("text", production, Method::GET, &|| text(500, "", SECRET), Some(SECRET)),
        ("HEAD, empty", production, Method::HEAD, &|| text(500, "", ""), None),
        ("HEAD, text", production, Method::HEAD, &|| text(500, "", SECRET), None),
        ("HEAD", production, Method::HEAD, &|| failing(Failure::internal(SECRET)), Some(SECRET)),
        ("kept JSON", production.keep_json(true), Method::GET, &json, None),
        ("public", production, Method::GET, &public, None),
        ("a refusal", production, Method::GET, &refusal, Some("shed: overloaded")),
        ("kept in development", development, Method::GET, &json, None),
    ];
    for (what, layer, method, answer, error) in cases {
        let (log, _listening) = Log::listen();
        let context = RequestContext::new();
        context.set_request_id(HeaderValue::from_static("r-1"));
        // A second layer around it has nothing to add.
        let service = layer.layer(
            layer.layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer()) })),
        );
        let request = Request::builder().method(method).body(()).unwrap();
        let exchange = InRequest::new(Some(context), service.oneshot(request));
        let status = exchange.await.unwrap().status();
        let line = log.line();
        assert_eq!((line.level, line.field("request_id")), (Level::ERROR, "r-1"), "{what}");
        assert_eq!(line.field("status"), status.as_str(), "{what}");
        assert_eq!(line.get("error"), error, "{what}");
    }
}

/// In the head, the body and the trailers.
#[tokio::test]
async fn a_cause_is_in_the_log_and_nowhere_in_the_answer() {
    let said = || {
        let cause = HeaderMap::from_iter([(
            HeaderName::from_static("x-cause"),
            HeaderValue::from_static(SECRET),
        )]);
        ProbeBody::new().data(SECRET).trailers(cause)
    };
    let failure = || {
        let cause = Failure::internal(shelf()).with_detail(SECRET).with_member("cause", SECRET);
        cause.into_http::<Full<Bytes>>().map(|_| said())
    };
    let bare = || Response::builder().status(500).body(said().exact()).unwrap();
    for answer in [&failure as &dyn Fn() -> Response<ProbeBody>, &bare] {
        let (log, _listening) = Log::listen();
        let service = ProblemLayer::new()
            .layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer()) }));
        let response = service.oneshot(Request::new(())).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap();
        let seen = format!("{:?} {:?}", head.headers, body.trailers());
        let document = body.to_bytes();
        assert!(!seen.contains("hunter2"), "{seen}");
        assert_eq!(document, r#"{"title":"Internal Server Error","status":500}"#);
        assert!(log.line().field("error").contains(SECRET));
    }
}

#[derive(Debug, thiserror::Error)]
enum ShopError {
    #[error("no book {0}")]
    NoBook(u64),
    #[error("cannot read the shelf")]
    Shelf(#[from] std::num::ParseIntError),
    #[error("the press failed")]
    Press(#[source] Box<Self>),
}

impl IntoProblem for ShopError {
    fn to_problem(&self) -> Problem {
        match self {
            Self::NoBook(id) => Problem::new(StatusCode::NOT_FOUND)
                .with_kind("urn:shop:no-book")
                .with_detail(self.to_string())
                .with_member("book", *id),
            Self::Shelf(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR)
                .with_title("Shelf Error")
                .with_detail("shelf 7 at db-7.internal")
                .with_member("shelf", 7_u64),
            Self::Press(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    fn category(&self) -> Option<Category> {
        matches!(self, Self::Press(_)).then_some(Category::Upstream)
    }
}

fn shelf() -> ShopError {
    "x".parse::<u8>().map_err(ShopError::from).unwrap_err()
}

fn failing(error: impl Into<Failure>) -> Response<Full<Bytes>> {
    error.into().into_http()
}

#[tokio::test]
async fn an_applications_error_tells_the_client_what_concerns_it() {
    let seen = get(ProblemLayer::new(), || failing(ShopError::NoBook(9))).await;
    assert_eq!(
        seen.json(),
        json!({
            "type": "urn:shop:no-book", "title": "Not Found", "status": 404,
            "detail": "no book 9", "book": 9, "request_id": "r-1",
        })
    );
    assert_eq!(seen.error_type, None, "the client's mistake is no error of the server's");
}

#[tokio::test]
async fn an_applications_fault_is_masked_and_its_chain_logged() {
    let (log, _listening) = Log::listen();
    let press = || failing(ShopError::Press(Box::new(shelf())));
    let seen = get(ProblemLayer::new(), press).await;
    assert_eq!(
        seen.json(),
        json!({"title": "Service Unavailable", "status": 503, "request_id": "r-1"})
    );
    assert_eq!(seen.error_type, Some("upstream"));
    let line = log.line();
    assert_eq!(
        line.field("error"),
        "the press failed: cannot read the shelf: invalid digit found in string"
    );
    assert_eq!((line.field("request_id"), line.field("error_type")), ("r-1", "upstream"));
}

#[tokio::test]
async fn title_detail_and_members_of_a_fault_are_masked_too() {
    let (log, _listening) = Log::listen();
    let seen = get(ProblemLayer::new(), || failing(shelf())).await;
    assert_eq!(
        seen.json(),
        json!({"title": "Internal Server Error", "status": 500, "request_id": "r-1"})
    );
    let error = log.line().field("error").to_owned();
    assert!(error.starts_with("shelf 7 at db-7.internal: cannot read the shelf"), "{error}");
}

#[tokio::test]
async fn nothing_leaks_without_the_layer_either() {
    let answer = failing(Failure::internal(SECRET).with_detail(SECRET));
    assert!(!format!("{:?} {:?}", answer.headers(), answer.body()).contains("hunter2"));
    let seen = get(ProblemLayer::disabled(), || failing(Failure::internal(SECRET))).await;
    assert_eq!(
        seen.json(),
        json!({"title": "Internal Server Error", "status": 500, "request_id": "r-1"})
    );
}

#[tokio::test]
async fn a_failure_has_headers_errors_and_a_category_of_its_own() {
    let seen = get(ProblemLayer::new(), || {
        failing(
            Failure::new(StatusCode::BAD_REQUEST)
                .with_errors(Errors::new().at("#/age", "must be positive"))
                .with_category(Category::Validation)
                .with_header(RETRY_AFTER, HeaderValue::from_static("9")),
        )
    })
    .await;
    assert_eq!(seen.json()["errors"], json!([{"detail": "must be positive", "pointer": "#/age"}]));
    assert_eq!(seen.response.headers()[RETRY_AFTER], "9");
}

#[tokio::test]
async fn a_failures_headers_say_nothing_false_of_its_document() {
    for layer in [ProblemLayer::new(), ProblemLayer::disabled()] {
        let seen = get(layer, || {
            let unknown = Failure::new(StatusCode::UNAUTHORIZED);
            let headers = [
                (CONTENT_TYPE, "text/html"),
                (CONTENT_LENGTH, "3"),
                (WWW_AUTHENTICATE, "Bearer"),
                (WWW_AUTHENTICATE, "Basic realm=\"shop\""),
            ];
            failing(headers.into_iter().fold(unknown, |failure, (name, value)| {
                failure.with_header(name, HeaderValue::from_static(value))
            }))
        })
        .await;
        assert_eq!(seen.json()["status"], 401);
        let headers = seen.response.headers();
        assert!(!headers.contains_key(CONTENT_LENGTH));
        let schemes: Vec<_> = headers.get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(schemes, ["Bearer", "Basic realm=\"shop\""]);
    }
}

#[tokio::test]
async fn a_failure_whose_status_was_changed_on_the_way_is_described_by_the_new_one() {
    let seen = get(ProblemLayer::new(), || {
        let mut answer = failing(ShopError::NoBook(9));
        *answer.status_mut() = StatusCode::GONE;
        answer
    })
    .await;
    assert_eq!(seen.json(), json!({"title": "Gone", "status": 410, "request_id": "r-1"}));
}

#[tokio::test]
async fn a_public_failure_is_shown() {
    let seen = get(ProblemLayer::new(), || {
        let noon = Failure::new(StatusCode::SERVICE_UNAVAILABLE).with_detail("back at noon");
        failing(noon.with_cause(SECRET).public())
    })
    .await;
    assert_eq!(seen.json()["detail"], "back at noon");
    assert!(!format!("{:?}", seen.response).contains("hunter2"));
}

#[tokio::test]
async fn the_trace_is_named_and_only_once() {
    support::init();
    let context = RequestContext::new();
    context.set_trace(TraceContext::new([0xa5; 16], [1; 8], 1).unwrap());
    let service = ProblemLayer::new().layer(service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(failing(Failure::new(StatusCode::NOT_FOUND)))
    }));
    let exchange = InRequest::new(Some(context), async {
        service.oneshot(Request::new(())).await.unwrap().into_body().collect().await.unwrap()
    });
    let expected =
        format!(r#"{{"title":"Not Found","status":404,"trace_id":"{}"}}"#, "a5".repeat(16));
    assert_eq!(exchange.await.to_bytes(), expected);
}

#[tokio::test]
async fn development_shows_it_all() {
    let seen = get(ProblemLayer::new().development(), || failing(shelf())).await;
    let document = seen.json();
    assert_eq!(document["title"], "Shelf Error");
    assert_eq!(document["detail"], "shelf 7 at db-7.internal");
    assert_eq!(
        document["chain"],
        json!(["cannot read the shelf", "invalid digit found in string"])
    );
    let seen = get(ProblemLayer::new().development(), || failing(Failure::internal(SECRET))).await;
    assert_eq!(seen.json()["detail"], SECRET);
    let seen = get(ProblemLayer::new().development(), || text(500, "", SECRET)).await;
    assert_eq!(seen.json()["detail"], SECRET);
    let seen = get(ProblemLayer::new().development(), || text(500, "text/html", SECRET)).await;
    assert_eq!(seen.response.body(), SECRET);
}

#[tokio::test]
async fn the_services_own_error_passes_as_it_is() {
    support::init();
    let context = RequestContext::new();
    let service = ProblemLayer::new().layer(service_fn(|_: Request<()>| async {
        Err::<Response<Full<Bytes>>, _>(ProbeError::new("gone"))
    }));
    let exchange = InRequest::new(Some(context.clone()), service.oneshot(Request::new(())));
    assert_eq!(exchange.await.unwrap_err(), ProbeError::new("gone"));
    assert_eq!(context.error_type(), Some("server_error"));
}

#[tokio::test]
async fn each_status_has_its_category_and_tells_the_meters_from_500_up() {
    for (status, category) in [
        (400, "client_error"),
        (401, "auth"),
        (403, "auth"),
        (404, "not_found"),
        (408, "timeout"),
        (410, "not_found"),
        (413, "client_error"),
        (422, "validation"),
        (429, "rate_limited"),
        (500, "server_error"),
        (502, "upstream"),
        (503, "server_error"),
        (504, "timeout"),
    ] {
        let seen = get(ProblemLayer::new(), || text(status, "", "")).await;
        assert_eq!(seen.error_type, Some(category).filter(|_| status >= 500), "{status}");
        let of = Category::of(StatusCode::from_u16(status).unwrap());
        assert_eq!(of.map(Category::as_str), Some(category), "{status}");
    }
    assert_eq!(Category::of(StatusCode::OK), None);
}

#[tokio::test]
async fn a_layer_inside_another_changes_nothing() {
    let (log, _listening) = Log::listen();
    let inner = ProblemLayer::new()
        .layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(failing(shelf())) }));
    let response = ProblemLayer::new().layer(inner).oneshot(Request::new(())).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, r#"{"title":"Internal Server Error","status":500}"#);
    log.line();
}

#[test]
fn a_document_lists_only_so_many_errors() {
    let mut errors = Errors::new();
    for n in 0..=MAX_ERRORS {
        errors.push(format!("#/{n}"), "wrong");
    }
    assert_eq!(errors.len(), MAX_ERRORS);
    assert!(Errors::new().into_result().is_ok());
}

#[test]
fn what_is_in_force_is_said() {
    assert_eq!(ProblemLayer::new().to_string(), "5xx masked, panics caught");
    assert_eq!(ProblemLayer::disabled().development().to_string(), "off");
}
