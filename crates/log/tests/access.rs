//! What the access line says, and when it is written.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

mod support;

use std::{
    convert::Infallible,
    future::{Future, pending, ready},
    io,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use buttress_core::{
    body::ResponseBody,
    context::{self, MAX_FIELDS, Operation, RequestContext, TraceContext},
    reject::{DefaultResponder, Protocol, Rejection},
};
use buttress_log::{AccessLog, ConfigErrorKind};
use buttress_redact::{Censor, Rules};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{ACCEPT, AUTHORIZATION, COOKIE, REFERER, USER_AGENT},
};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};
use support::{AnyBody, Line, Lines, data, empty, frames, full};
use tower::{Layer, Service, ServiceExt, service_fn};
use tracing::Level;

fn get(target: &str) -> Request<()> {
    Request::get(target).body(()).unwrap()
}

fn answer(status: u16) -> Response<AnyBody> {
    let mut response = Response::new(full(b"hello"));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// Serves one request to its end; `inside` runs in the service.
async fn serve_with(
    log: &AccessLog,
    request: Request<()>,
    response: Response<AnyBody>,
    inside: impl Fn(&RequestContext),
) -> Option<Line> {
    let (lines, _guard) = Lines::here();
    let mut response = Some(response);
    let service = log.layer().layer(service_fn(|_: Request<()>| {
        inside(&context::current().unwrap());
        ready(Ok::<_, Infallible>(response.take().unwrap()))
    }));
    let response = service.oneshot(request).await.unwrap();
    let _ = response.into_body().collect().await;
    let lines = lines.take();
    assert!(lines.len() <= 1, "{lines:#?}");
    lines.into_iter().next()
}

async fn serve(log: &AccessLog, request: Request<()>, response: Response<AnyBody>) -> Line {
    serve_with(log, request, response, |_| ()).await.unwrap()
}

#[tokio::test]
async fn the_line_says_what_is_known() {
    let request = Request::post("/users/42?page=2&token=s3cr3t")
        .version(Version::HTTP_2)
        .header("user-agent", "curl/8.9")
        .header("content-length", "17")
        .body(())
        .unwrap();
    let inside = |context: &RequestContext| {
        context.set_request_id(HeaderValue::from_static("01890a5d"));
        context.set_route("/users/{id}".into());
        context.set_principal("u_1".into());
        context.set_client_ip("192.0.2.105".parse().unwrap());
        context.set_error_type("timeout");
        context.count(Operation::Db, Duration::from_micros(31_200));
        context.count(Operation::Db, Duration::from_micros(1));
        context.count(Operation::Ai, Duration::from_millis(900));
        context.add("cart", 3_u64);
    };
    let line = serve_with(&AccessLog::new(), request, answer(503), inside).await.unwrap();
    assert_eq!((line.level, &*line.target), (Level::ERROR, "access"));
    let mut fields = line.fields;
    for time in ["duration_ms", "ttfb_ms"] {
        let time = fields.remove(time).unwrap().as_f64().unwrap();
        assert!((0.0..1_000.0).contains(&time));
        assert_eq!(format!("{time:.3}").parse::<f64>().unwrap(), time, "three decimals");
    }
    let expected = json!({
        "message": "POST /users/{id} 503",
        "request_id": "01890a5d",
        "method": "POST",
        "route": "/users/{id}",
        "path": "/users/42",
        "query": "page=2&token=[REDACTED]",
        "protocol": "2",
        "status": 503,
        "outcome": "complete",
        "bytes_in": 17,
        "bytes_out": 5,
        "client_ip": "192.0.2.105",
        "user_id": "u_1",
        "user_agent": "curl/8.9",
        "error_type": "timeout",
        "db_count": 2,
        "db_ms": 31.201,
        "ai_count": 1,
        "ai_ms": 900.0,
        "fields": "{\"cart\":3}",
    });
    assert_eq!(json!(fields), expected);
}

#[tokio::test]
async fn what_is_not_known_is_not_said() {
    let mut line = serve(&AccessLog::new(), get("/"), answer(200)).await;
    assert_eq!(line.level, Level::INFO);
    for time in ["duration_ms", "ttfb_ms"] {
        line.fields.remove(time).unwrap();
    }
    let expected = json!({
        "message": "GET - 200",
        "method": "GET",
        "path": "/",
        "protocol": "1.1",
        "status": 200,
        "outcome": "complete",
        "bytes_out": 5,
    });
    assert_eq!(json!(line.fields), expected);
}

#[tokio::test]
async fn a_rejection_is_named() {
    let no = Rejection::new("limit", "quota_exceeded", StatusCode::TOO_MANY_REQUESTS);
    let response: Response<ResponseBody<AnyBody>> = no.respond(&DefaultResponder, Protocol::Http);
    let response = response.map(|body| body.map_err(io::Error::other).boxed());
    let line = serve(&AccessLog::new(), get("/"), response).await;
    assert_eq!(line.level, Level::WARN);
    assert_eq!((line.text("rejected_by"), line.text("reason")), ("limit", "quota_exceeded"));
}

/// Panics where it is told to.
struct PanickingBody;

impl Body for PanickingBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("in the body");
    }
}

fn poll<T>(future: Pin<&mut impl Future<Output = T>>) {
    let _ = future.poll(&mut Context::from_waker(Waker::noop()));
}

#[track_caller]
fn assert_ended(line: &Line, level: Level, outcome: &str, status: Option<u16>) {
    assert_eq!(line.level, level, "{line:#?}");
    assert_eq!(line.text("outcome"), outcome, "{line:#?}");
    assert_eq!(*line.get("status"), json!(status), "{line:#?}");
    let end = status.map_or_else(|| outcome.to_owned(), |status| status.to_string());
    assert!(line.text("message").ends_with(&end));
    assert_eq!(line.get("ttfb_ms").is_null(), status.is_none());
}

#[tokio::test]
async fn every_answer_that_is_read_to_its_end_is_one_line() {
    let trailers = || Ok(Frame::trailers(HeaderMap::new()));
    for (method, status, body, bytes) in [
        (Method::GET, 200, full(b"hello"), 5),
        (Method::GET, 200, frames(vec![data(b"ab"), data(b"cde")]), 5),
        (Method::GET, 200, frames(vec![data(b"ab"), trailers()]), 2),
        (Method::GET, 200, empty(), 0),
        (Method::HEAD, 200, full(b"not sent"), 0),
        (Method::GET, 204, empty(), 0),
        (Method::GET, 304, empty(), 0),
    ] {
        let (lines, _guard) = Lines::here();
        let mut body = Some(body);
        let bodiless = method == Method::HEAD || status != 200;
        let service = AccessLog::new().layer().layer(service_fn(|_: Request<()>| {
            let response = Response::builder().status(status).body(body.take().unwrap());
            ready(Ok::<_, Infallible>(response.unwrap()))
        }));
        let request = Request::builder().method(method).body(()).unwrap();
        let response = service.oneshot(request).await.unwrap();
        if !bodiless {
            // A server asks for no body where there is none.
            response.into_body().collect().await.unwrap();
        }
        let line = lines.only();
        assert_ended(&line, Level::INFO, "complete", Some(status));
        assert_eq!(*line.get("bytes_out"), json!(bytes));
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_one_line_before_the_head_and_after() {
    for polls in 0..3 {
        let (lines, _guard) = Lines::here();
        let mut service = AccessLog::new()
            .layer()
            .layer(service_fn(|_: Request<()>| pending::<Result<Response<AnyBody>, Infallible>>()));
        let mut call = Box::pin(service.call(get("/")));
        (0..polls).for_each(|_| poll(call.as_mut()));
        assert!(lines.take().is_empty());
        drop(call);
        assert_ended(&lines.only(), Level::WARN, "client_gone", None);
    }

    let (lines, _guard) = Lines::here();
    let service = AccessLog::new().layer().layer(service_fn(|_: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(frames(vec![data(b"ab"), data(b"c")]))))
    }));
    let mut body = Box::pin(service.oneshot(get("/")).await.unwrap().into_body());
    let _ = body.frame().await;
    assert!(lines.take().is_empty());
    drop(body);
    let line = lines.only();
    assert_ended(&line, Level::WARN, "client_gone", Some(200));
    assert_eq!(*line.get("bytes_out"), json!(2));
}

#[tokio::test]
async fn what_breaks_off_is_one_line() {
    let (lines, _guard) = Lines::here();
    let layer = AccessLog::new().layer();

    let service = layer.layer(service_fn(|_: Request<()>| {
        let broken = vec![data(b"ab"), Err(io::ErrorKind::ConnectionReset.into())];
        ready(Ok::<_, Infallible>(Response::new(frames(broken))))
    }));
    let response = service.oneshot(get("/")).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    assert_ended(&lines.only(), Level::ERROR, "body_error", Some(200));

    let service = layer.layer(service_fn(|_: Request<()>| {
        ready(Err::<Response<AnyBody>, _>(io::Error::other("down")))
    }));
    assert!(service.oneshot(get("/")).await.is_err());
    assert_ended(&lines.only(), Level::ERROR, "service_error", None);

    let mut in_call = layer.layer(service_fn(
        |_: Request<()>| -> std::future::Ready<Result<Response<AnyBody>, Infallible>> {
            panic!("in the call")
        },
    ));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(in_call.call(get("/"))))).is_err());
    assert_ended(&lines.only(), Level::ERROR, "panic", None);

    let mut in_future = layer.layer(service_fn(|_: Request<()>| async {
        if true {
            panic!("in the future");
        }
        Ok::<_, Infallible>(Response::new(empty()))
    }));
    let call = in_future.call(get("/"));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(pin!(call)))).is_err());
    assert_ended(&lines.only(), Level::ERROR, "panic", None);

    let in_body = layer.layer(service_fn(|_: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(PanickingBody)))
    }));
    let body = in_body.oneshot(get("/")).await.unwrap().into_body();
    assert!(catch_unwind(AssertUnwindSafe(|| poll(pin!(body.collect())))).is_err());
    assert_ended(&lines.only(), Level::ERROR, "panic", Some(200));
}

#[tokio::test]
async fn the_status_sets_the_level() {
    for (status, level) in [
        (200, Level::INFO),
        (302, Level::INFO),
        (400, Level::WARN),
        (404, Level::WARN),
        (499, Level::WARN),
        (500, Level::ERROR),
        (599, Level::ERROR),
    ] {
        let line = serve(&AccessLog::new(), get("/"), answer(status)).await;
        assert_eq!(line.level, level, "{status}");
    }
}

#[tokio::test]
async fn the_level_of_what_is_the_clients_own_doing_can_be_set() {
    for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
        let log = AccessLog::new().client_errors(level).client_gone(level);
        assert_eq!(serve(&log, get("/"), answer(404)).await.level, level);
        assert_eq!(serve(&log, get("/"), answer(500)).await.level, Level::ERROR);
        assert_eq!(serve(&log, get("/"), answer(200)).await.level, Level::INFO);
        let slow = log.clone().slow(Duration::ZERO);
        let most_severe = level.min(Level::WARN);
        assert_eq!(serve(&slow, get("/"), answer(404)).await.level, most_severe);

        let (lines, _guard) = Lines::here();
        let mut service = log
            .layer()
            .layer(service_fn(|_: Request<()>| pending::<Result<Response<AnyBody>, Infallible>>()));
        drop(service.call(get("/")));
        assert_eq!(lines.only().level, level);
    }
}

#[tokio::test]
async fn what_is_slow_says_so() {
    let slow = serve(&AccessLog::new().slow(Duration::ZERO), get("/"), answer(200)).await;
    assert_eq!((slow.level, slow.get("slow")), (Level::WARN, &json!(true)));
    let never = serve(&AccessLog::new().slow(Duration::MAX), get("/"), answer(200)).await;
    assert_eq!((never.level, never.get("slow")), (Level::INFO, &Json::Null));
}

#[tokio::test]
async fn a_grpc_status_sets_the_level_in_trailers_or_in_the_head() {
    let code = |code: &str| {
        HeaderMap::from_iter([("grpc-status".parse().unwrap(), code.parse().unwrap())])
    };
    for (sent, logged, level) in [
        ("0", 0, Level::INFO),
        ("1", 1, Level::WARN),
        ("2", 2, Level::ERROR),
        ("3", 3, Level::WARN),
        ("4", 4, Level::ERROR),
        ("5", 5, Level::WARN),
        ("6", 6, Level::WARN),
        ("7", 7, Level::WARN),
        ("8", 8, Level::WARN),
        ("9", 9, Level::WARN),
        ("10", 10, Level::WARN),
        ("11", 11, Level::WARN),
        ("12", 12, Level::ERROR),
        ("13", 13, Level::ERROR),
        ("14", 14, Level::ERROR),
        ("15", 15, Level::ERROR),
        ("16", 16, Level::WARN),
        // To a client these are UNKNOWN.
        ("17", 17, Level::ERROR),
        ("-1", 2, Level::ERROR),
        ("five", 2, Level::ERROR),
    ] {
        let trailers = Ok(Frame::trailers(code(sent)));
        let in_trailers = Response::new(frames(vec![data(b"message"), trailers]));
        let mut in_head = Response::new(empty());
        *in_head.headers_mut() = code(sent);
        for response in [in_trailers, in_head] {
            let line = serve(&AccessLog::new(), get("/pkg.Service/Method"), response).await;
            assert_eq!((line.level, line.get("grpc_status")), (level, &json!(logged)), "{sent}");
            assert_eq!(*line.get("status"), json!(200));
        }
    }
}

#[tokio::test]
async fn nothing_that_a_client_makes_up_is_in_the_message() {
    for (method, target, message) in [
        ("GET", "/a/%0Aforged?level=error", "GET - 404"),
        ("BREW", "/", "_OTHER - 404"),
        ("get", "/", "_OTHER - 404"),
        ("DELETE", "/a%20b", "DELETE - 404"),
        ("OPTIONS", "*", "OPTIONS - 404"),
    ] {
        let request = Request::builder().method(method).uri(target).body(()).unwrap();
        let line = serve(&AccessLog::new(), request, answer(404)).await;
        assert_eq!((line.text("message"), line.text("method")), (message, method));
        assert_eq!(line.text("path"), target.split('?').next().unwrap());
    }
}

#[tokio::test]
async fn what_a_client_sends_is_bounded() {
    let long = "ä".repeat(10_000);
    let method = "M".repeat(5_000);
    let request = Request::builder()
        .method(&*method)
        .uri(format!("/{long}?q={long}"))
        .header(USER_AGENT, "u".repeat(10_000))
        .header(REFERER, "r".repeat(10_000))
        .body(())
        .unwrap();
    let log = AccessLog::new().headers([REFERER]);
    let inside = |context: &RequestContext| {
        context.set_principal("p".repeat(10_000).into());
    };
    let line = serve_with(&log, request, answer(200), inside).await.unwrap();
    for (field, length) in
        [("method", 32), ("path", 2047), ("query", 2048), ("user_agent", 256), ("user_id", 256)]
    {
        assert_eq!(line.text(field).len(), length, "{field}");
    }
    let fields: Json = serde_json::from_str(line.text("fields")).unwrap();
    assert_eq!(fields["header_referer"].as_str().unwrap().len(), 1024);
}

#[tokio::test]
async fn a_user_agent_that_is_not_text_is_escaped() {
    let mut request = get("/");
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_bytes(b"a\xff\x80\tb").unwrap());
    let line = serve(&AccessLog::new(), request, answer(200)).await;
    assert_eq!(line.text("user_agent"), r"a\xff\x80\tb");
}

#[tokio::test]
async fn each_part_of_a_request_can_be_left_out() {
    let request = || {
        let mut request = get("/users/42?page=2");
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("curl/8.9"));
        request
    };
    let inside = |context: &RequestContext| {
        context.set_client_ip("192.0.2.4".parse().unwrap());
    };
    for (log, left_out) in [
        (AccessLog::new().path(false), "path"),
        (AccessLog::new().query(false), "query"),
        (AccessLog::new().user_agent(false), "user_agent"),
        (AccessLog::new().client_ip(false), "client_ip"),
    ] {
        let line = serve_with(&log, request(), answer(200), inside).await.unwrap();
        for field in ["path", "query", "user_agent", "client_ip"] {
            assert_eq!(line.get(field).is_null(), field == left_out, "{field}");
        }
    }
}

#[tokio::test]
async fn addresses_are_written_in_full() {
    for ip in ["0.0.0.0", "1.20.255.100", "10.0.109.9", "2001:db8::1", "::ffff:192.0.2.1"] {
        let ip: IpAddr = ip.parse().unwrap();
        let inside = |context: &RequestContext| {
            context.set_client_ip(ip);
        };
        let line = serve_with(&AccessLog::new(), get("/"), answer(200), inside).await.unwrap();
        assert_eq!(line.text("client_ip"), ip.to_string());
    }
}

#[tokio::test]
async fn the_query_is_redacted_by_the_rules() {
    let custom = AccessLog::new().rules(Rules::new().redact_key("city").unwrap());
    for (log, query, printed) in [
        (AccessLog::new(), "a=1&p%61ssword=hunter2&b", "a=1&p%61ssword=[REDACTED]&b"),
        (AccessLog::new(), "", ""),
        (AccessLog::new(), "city=Bern", "city=Bern"),
        (custom, "city=Bern", "city=[REDACTED]"),
    ] {
        let line = serve(&log, get(&format!("/?{query}")), answer(200)).await;
        assert_eq!(line.text("query"), printed);
    }
}

#[tokio::test]
async fn headers_on_the_list_are_shown_and_sensitive_ones_never() {
    let request = || {
        let mut request = get("/");
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/html"));
        headers.append(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(REFERER, HeaderValue::from_static("https://ada:hunter2@example.com/"));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer s3cr3t"));
        headers.insert(COOKIE, HeaderValue::from_static("id=1"));
        headers.insert("x-tenant", HeaderValue::from_static("acme"));
        headers.insert("x-other", HeaderValue::from_static("not listed"));
        request
    };
    let names = || [AUTHORIZATION, COOKIE, REFERER, ACCEPT, "x-tenant".parse().unwrap(), ACCEPT];
    let shown = |tenant: &str| {
        json!({
            "header_referer": "https://ada:[REDACTED]@example.com/",
            "header_accept": "text/html, */*",
            "header_x_tenant": tenant,
        })
    };
    let stricter =
        || Rules::new().redact_value_with(buttress_redact::ValueRule::Jwt, Censor::remove());
    for log in [
        AccessLog::new().headers(names()),
        AccessLog::new().headers(names()).rules(stricter()),
        AccessLog::new().rules(stricter()).headers(names()),
    ] {
        let line = serve(&log, request(), answer(200)).await;
        let fields: Json = serde_json::from_str(line.text("fields")).unwrap();
        assert_eq!(fields, shown("acme"));
        // What the application says of itself counts.
        let inside = |context: &RequestContext| context.add("header_x_tenant", "ours");
        let line = serve_with(&log, request(), answer(200), inside).await.unwrap();
        let fields: Json = serde_json::from_str(line.text("fields")).unwrap();
        assert_eq!(fields, shown("ours"));
    }
}

#[tokio::test]
async fn fields_that_were_not_kept_are_counted() {
    let inside = |context: &RequestContext| {
        for number in 0..MAX_FIELDS + 3 {
            context.add(format!("field_{number}"), number);
        }
    };
    let line = serve_with(&AccessLog::new(), get("/"), answer(200), inside).await.unwrap();
    assert_eq!(*line.get("fields_dropped"), json!(3));
    let fields: BTreeFields = serde_json::from_str(line.text("fields")).unwrap();
    assert_eq!(fields.len(), MAX_FIELDS);
    // The next line on this thread knows nothing of them.
    let line = serve(&AccessLog::new(), get("/"), answer(200)).await;
    assert_eq!((line.get("fields"), line.get("fields_dropped")), (&Json::Null, &Json::Null));
}

type BTreeFields = std::collections::BTreeMap<String, u64>;

#[tokio::test]
async fn a_skipped_path_is_written_where_something_is_wrong() {
    let log = AccessLog::new().skip(["/health/*", "/metrics"]).unwrap();
    for (target, skipped) in [
        ("/metrics", true),
        ("/metrics?format=text", true),
        ("/metrics/", false),
        ("/metrics2", false),
        ("/health/live", true),
        ("/health/ready/db", true),
        ("/health/", false),
        ("/health", false),
        ("/healthy", false),
        ("/", false),
    ] {
        let line = serve_with(&log, get(target), answer(200), |_| ()).await;
        assert_eq!(line.is_none(), skipped, "{target}");
        for status in [401, 500] {
            assert!(serve_with(&log, get(target), answer(status), |_| ()).await.is_some());
        }
        let slow = log.clone().slow(Duration::ZERO);
        assert!(serve_with(&slow, get(target), answer(200), |_| ()).await.is_some());
        let quiet = log.clone().client_errors(Level::INFO);
        let line = serve_with(&quiet, get(target), answer(401), |_| ()).await;
        assert_eq!(line.is_none(), skipped, "{target}");
    }
}

#[test]
fn a_path_that_no_request_has_cannot_be_skipped() {
    for (path, message) in [
        ("", "path \"\": it begins with '/'"),
        ("health", "path \"health\": it begins with '/'"),
        ("*", "path \"*\": it begins with '/'"),
        ("/a/*/b", "path \"/a/*/b\": '*' stands as the last segment only, as in /health/*"),
        ("/a*", "path \"/a*\": '*' stands as the last segment only, as in /health/*"),
        ("/a/**", "path \"/a/**\": '*' stands as the last segment only, as in /health/*"),
        ("/a?b", "path \"/a?b\": a path has no '?' and no '#'"),
    ] {
        let error = AccessLog::new().skip([path]).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::InvalidPath);
        assert_eq!(error.to_string(), message);
    }
}

#[tokio::test]
async fn routine_is_sampled_by_the_trace_and_the_rest_is_kept() {
    let log = AccessLog::new().sample(0.25).unwrap();
    let quiet = log.clone().client_errors(Level::INFO);
    for (random, kept) in [(0xc0, true), (0xbf, false)] {
        let inside = |context: &RequestContext| {
            let mut id = [1; 16];
            id[9] = random;
            context.set_trace(TraceContext::new(id, [1; 8], 3).unwrap());
        };
        for (log, status) in [(&log, 200), (&quiet, 404)] {
            let line = serve_with(log, get("/"), answer(status), inside).await;
            assert_eq!(line.is_some(), kept);
            assert!(line.is_none_or(|line| *line.get("sample_rate") == json!(0.25)));
        }
        let slow = log.clone().slow(Duration::ZERO);
        for (log, status) in [(&log, 404), (&log, 500), (&slow, 200)] {
            let line = serve_with(log, get("/"), answer(status), inside).await.unwrap();
            assert!(line.get("sample_rate").is_null(), "it stands for itself");
        }
    }
    let all = AccessLog::new().sample(1.0).unwrap();
    assert!(serve(&all, get("/"), answer(200)).await.get("sample_rate").is_null());
}
