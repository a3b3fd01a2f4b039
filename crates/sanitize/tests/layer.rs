//! What the layer does with requests.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test is meant to panic"
)]

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use buttress_conformance::{ProbeBody, ProbeError};
use buttress_core::{
    context::RequestContext,
    reject::{Protocol, Rejected, Rejection},
    source::{Metrics, Sample},
};
use buttress_sanitize::{Action, GuardedBody, Kind, Policy, Rule, Sanitize, SanitizeLayer};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode, request};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};

type Answer = Response<Bytes>;

/// Sends a request to a handler that reads the body to its end and makes a 500 of an error, as most
/// do. The answer, and how often the handler was called.
async fn send_to<B>(layer: &SanitizeLayer, request: Request<B>) -> (Answer, usize)
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&calls);
    let service = layer.layer(service_fn(move |request: Request<GuardedBody<B>>| {
        seen.fetch_add(1, Relaxed);
        async move {
            let (head, body) = request.into_parts();
            let mut response = Response::new(Full::default());
            for name in ["content-type", "content-length"] {
                if let Some(value) = head.headers.get(name) {
                    response.headers_mut().insert(name, value.clone());
                }
            }
            match body.collect().await {
                Ok(body) => *response.body_mut() = Full::from(body.to_bytes()),
                Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
            }
            Ok::<_, Infallible>(response)
        }
    }));
    let (head, body) = service.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(head, body), calls.load(Relaxed))
}

fn post() -> request::Builder {
    Request::post("/").header("content-type", "application/json")
}

/// A body of unknown length.
fn chunked(chunks: &[&'static str]) -> ProbeBody {
    chunks.iter().fold(ProbeBody::new(), |body, chunk| body.data(*chunk))
}

fn rule(answer: &Answer) -> String {
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let rejected = answer.extensions().get::<Rejected>().unwrap();
    assert_eq!(rejected.layer(), "sanitize");
    let document: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(document["status"], answer.status().as_u16());
    assert_eq!(document["errors"][0]["rule"], rejected.reason());
    rejected.reason().to_owned()
}

fn strict() -> SanitizeLayer {
    SanitizeLayer::new(Policy::strict_json())
}

#[tokio::test]
async fn a_clean_body_passes_as_it_is_whether_its_length_is_known_or_not() {
    const TEXT: &str = r#"{"name": "x", "password": "a<b&c"}"#;
    let (answer, _) = send_to(&strict(), post().body(Full::<Bytes>::from(TEXT)).unwrap()).await;
    assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::OK, TEXT.as_bytes()));
    let body = chunked(&[r#"{"name": "x", "pass"#, r#"word": "a<b"#, r#"&c"}"#]);
    let (answer, _) = send_to(&strict(), post().body(body).unwrap()).await;
    assert_eq!((answer.status(), &answer.body()[..]), (StatusCode::OK, TEXT.as_bytes()));
}

#[tokio::test]
async fn with_a_small_length_the_handler_is_never_called() {
    let body = Full::<Bytes>::from(r#"{"a": {"__proto__": 1}}"#);
    let (answer, calls) = send_to(&strict(), post().body(body).unwrap()).await;
    assert_eq!((answer.status().as_u16(), rule(&answer).as_str()), (400, "prototype_key"));
    assert_eq!(calls, 0);
    assert!(
        String::from_utf8_lossy(answer.body()).contains(r#""pointer":"/a/__proto__","in":"body""#)
    );
}

#[tokio::test]
async fn a_small_body_that_comes_in_pieces_is_put_together() {
    let pieces = ProbeBody::new().data("[1,").data("2").data("]").exact();
    let (answer, _) = send_to(&strict(), post().body(pieces).unwrap()).await;
    assert_eq!(&answer.body()[..], b"[1,2]");
}

#[tokio::test]
async fn a_violation_after_the_handler_has_begun_is_a_clean_answer_though_it_made_it_a_500() {
    for (chunks, wanted, status) in [
        (&[r#"{"a": 1, "#, r#""a": 2}"#][..], "duplicate_key", 400),
        (&["[1, 2"], "syntax", 400),
        (&["[1]", " [2]"], "syntax", 400),
        (&["[\"\u{0}\"]"], "syntax", 400),
        (&[r#"["\u0000"]"#], "nul", 400),
        (&["[\"12345678\",", "\"12345678\"]"], "body_size", 413),
    ] {
        let layer = SanitizeLayer::new(Policy::strict_json().max_body(20));
        let (answer, calls) = send_to(&layer, post().body(chunked(chunks)).unwrap()).await;
        assert_eq!((rule(&answer).as_str(), answer.status().as_u16()), (wanted, status));
        assert_eq!(calls, 1);
        assert_eq!(layer.handle().refused(answer_rule(wanted)), 1);
    }
}

fn answer_rule(name: &str) -> Rule {
    let all = [Rule::DuplicateKey, Rule::Syntax, Rule::Nul, Rule::BodySize];
    all.into_iter().find(|rule| rule.name() == name).unwrap()
}

#[tokio::test]
async fn a_handler_that_fails_on_the_error_is_answered_for_too() {
    let service = strict().check_first(0).layer(service_fn(
        |request: Request<GuardedBody<Full<Bytes>>>| async {
            match request.into_body().collect().await {
                Ok(_) => Ok(Response::new(Full::<Bytes>::default())),
                Err(_) => Err("it would close the connection"),
            }
        },
    ));
    let answer = service.oneshot(post().body(Full::from("{")).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 400);
}

#[tokio::test]
async fn a_handler_that_stops_at_the_last_frame_has_still_a_judged_body() {
    let service = strict().check_first(0).layer(service_fn(
        |request: Request<GuardedBody<Full<Bytes>>>| async {
            let mut body = request.into_body();
            assert!(!body.is_end_stream());
            // It asks for one frame, and not for the end.
            let frame = body.frame().await.unwrap();
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(frame.is_ok().to_string())))
        },
    ));
    let cut = service.clone().oneshot(post().body(Full::from("{\"a\": ")).unwrap()).await.unwrap();
    assert_eq!(cut.status(), 400);
    let whole = service.oneshot(post().body(Full::from("[]")).unwrap()).await.unwrap();
    assert_eq!(whole.status(), 200);
}

#[tokio::test]
async fn a_handler_that_never_reads_has_its_own_answer() {
    let service = strict().layer(service_fn(|_: Request<GuardedBody<ProbeBody>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("no need")))
    }));
    let answer = service.oneshot(post().body(chunked(&["{", "{"])).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn an_answer_that_has_begun_stays_and_the_violation_is_counted() {
    let layer = strict();
    let service = layer.layer(service_fn(|request: Request<GuardedBody<ProbeBody>>| async {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    }));
    let answer = service.oneshot(post().body(chunked(&["[1,", "]"])).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "[1,");
    assert!(body.frame().await.unwrap().unwrap_err().violation().is_some());
    assert!(body.frame().await.is_none());
    assert_eq!(layer.handle().refused(Rule::Syntax), 1);
}

#[tokio::test]
async fn while_a_body_is_awaited_nothing_is_held_of_the_inner_service() {
    let gate = buttress_conformance::Gate::shut();
    let service = tower::ServiceBuilder::new().layer(strict()).concurrency_limit(1).service(
        service_fn(|_: Request<GuardedBody<ProbeBody>>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }),
    );
    let slow = post().body(ProbeBody::new().wait(&gate).data("[]").exact()).unwrap();
    let slow = tokio::spawn(service.clone().oneshot(slow));
    tokio::task::yield_now().await;
    // There is room for one.
    let quick = post().body(ProbeBody::new().data("[]").exact()).unwrap();
    assert_eq!(service.oneshot(quick).await.unwrap().status(), 200);
    gate.open();
    assert_eq!(slow.await.unwrap().unwrap().status(), 200);
}

/// 16 MiB, in pieces of 64 KiB that are all the same memory.
#[test]
fn what_is_judged_as_it_is_read_is_held_by_nobody() {
    const PIECE: usize = 64 * 1024;
    let policy = Policy::strict_json().max_body(1 << 30).max_array_items(u32::MAX);
    let layer = SanitizeLayer::new(policy).accept([Kind::Json, Kind::Other]);
    let piece = Bytes::from(b"1,".repeat(PIECE / 2));
    for content_type in ["application/json", "application/octet-stream"] {
        let (first, last) = (Bytes::from_static(b"["), Bytes::from_static(b"1]"));
        let pieces = std::iter::once(first)
            .chain(std::iter::repeat_n(piece.clone(), 256))
            .chain([last])
            .map(|data| Ok::<_, Infallible>(http_body::Frame::data(data)));
        let body = http_body_util::StreamBody::new(futures_util::stream::iter(pieces));
        let service = layer.layer(service_fn(|request: Request<GuardedBody<_>>| async {
            let mut body = std::pin::pin!(request.into_body());
            let mut bytes = 0;
            while let Some(frame) = body.frame().await {
                bytes += frame.unwrap().into_data().unwrap().len();
            }
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(bytes.to_string())))
        }));
        let request = Request::post("/").header("content-type", content_type).body(body).unwrap();
        let held = allocation_counter::measure(|| {
            let answer = service.oneshot(request).now_or_never().unwrap().unwrap();
            let body = answer.into_body().collect().now_or_never().unwrap().unwrap().to_bytes();
            assert_eq!(body, (256 * PIECE + 3).to_string());
        });
        assert!(held.bytes_max < 8 * 1024, "{}", held.bytes_max);
    }
}

#[tokio::test]
async fn after_its_error_a_body_is_over_and_the_inner_one_is_gone() {
    let held = Arc::new(());
    let holds = Arc::clone(&held);
    let inner = Full::<Bytes>::from("{{").map_frame(move |frame| {
        let _ = &holds;
        frame
    });
    let mut body = GuardedBody::new(inner, Kind::Json, &Policy::strict_json());
    assert_eq!(Arc::strong_count(&held), 2);
    assert!(body.frame().await.unwrap().unwrap_err().violation().is_some());
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(body.frame().await.is_none());
    assert!(body.is_end_stream());
}

#[tokio::test]
async fn trailers_pass_and_the_body_is_judged_before_them() {
    let trailers = http::HeaderMap::from_iter([(
        http::HeaderName::from_static("digest"),
        http::HeaderValue::from_static("x"),
    )]);
    for (text, passes) in [("[]", true), ("[", false)] {
        let body = ProbeBody::new().data(text).trailers(trailers.clone());
        let mut guarded = GuardedBody::new(body, Kind::Json, &Policy::strict_json());
        assert!(guarded.frame().await.unwrap().unwrap().is_data());
        let last = guarded.frame().await.unwrap();
        assert_eq!(last.is_ok_and(|frame| frame.is_trailers()), passes, "{text}");
        assert!(guarded.frame().await.is_none());
    }
}

#[tokio::test]
async fn a_body_that_fails_by_itself_is_the_handlers_business() {
    for exact in [false, true] {
        let body = ProbeBody::new().data("[1").error(ProbeError::new("reset"));
        let body = if exact { body.at_most(0) } else { body };
        let (answer, calls) = send_to(&strict(), post().body(body).unwrap()).await;
        assert_eq!((answer.status().as_u16(), calls), (500, 1));
        assert!(answer.extensions().get::<Rejected>().is_none());
    }
}

/// Each row: content type lines, content encoding, the body, status, the rule or the content type
/// that the handler saw. In each accepted case of JSON and forms the guard has run.
#[tokio::test]
async fn content_types_are_read_in_one_way() {
    type Row = (&'static [&'static str], Result<Option<&'static str>, &'static str>);
    let only_json: &[Row] = &[
        (&["application/json"], Ok(Some("application/json"))),
        (&["Application/JSON"], Ok(Some("application/json"))),
        (&[" application/json\t"], Ok(Some("application/json"))),
        (&["application/json;"], Ok(Some("application/json"))),
        (&["application/json; charset=utf-8"], Ok(Some("application/json"))),
        (&["application/json;charset=\"UTF-8\""], Ok(Some("application/json"))),
        (&["application/problem+json"], Ok(Some("application/problem+json"))),
        (&["application/vnd.api+json; v=1"], Ok(Some("application/vnd.api+json;v=1"))),
        (&["application/json; charset=utf-16"], Err("charset")),
        (&["application/json; charset=utf-8; charset=utf-7"], Err("charset")),
        (&["application/json; charset=utf-8; charset=utf-8"], Err("content_type")),
        (&["application/json, application/json"], Err("content_type")),
        (&["application/json", "application/json"], Err("content_type")),
        (&["application/json", "text/plain"], Err("content_type")),
        (&["application /json"], Err("content_type")),
        (&["application/json\u{a0}"], Err("content_type")),
        (&["application/json; charset"], Err("content_type")),
        (&["application/json; a = b"], Err("content_type")),
        (&["\"application/json\""], Err("content_type")),
        (&["application"], Err("content_type")),
        (&["application/"], Err("content_type")),
        (&["json"], Err("content_type")),
        (&[""], Err("content_type")),
        (&[], Err("content_type")),
        (&["application/jsonp"], Err("content_type")),
        (&["application/x-json"], Err("content_type")),
        (&["text/json"], Err("content_type")),
        (&["text/plain"], Err("content_type")),
        (&["application/xml"], Err("content_type")),
        (&["application/x-www-form-urlencoded"], Err("content_type")),
        (&["multipart/form-data; boundary=x"], Err("content_type")),
        (&["multipart/form-data"], Err("content_type")),
    ];
    let layer = strict().accept([Kind::Json]);
    for (lines, wanted) in only_json {
        let request = |body: &'static str| {
            let builder = Request::post("/");
            let lines =
                lines.iter().filter_map(|line| http::HeaderValue::from_bytes(line.as_bytes()).ok());
            let builder = lines.fold(builder, |b, line| b.header("content-type", line));
            builder.body(Full::<Bytes>::from(body)).unwrap()
        };
        let (answer, calls) = send_to(&layer, request("[]")).await;
        match wanted {
            Ok(seen) => {
                assert_eq!(answer.status(), 200, "{lines:?}");
                let content_type = answer.headers().get("content-type");
                assert_eq!(content_type.map(|value| value.to_str().unwrap()), *seen);
                let (refused, calls) = send_to(&layer, request(r#"{"__proto__":1}"#)).await;
                assert_eq!((rule(&refused).as_str(), calls), ("prototype_key", 0), "{lines:?}");
                let bad = request("").map(|_| chunked(&[r#"{"__proto"#, r#"__":1}"#]));
                let (refused, calls) = send_to(&layer, bad).await;
                assert_eq!((rule(&refused).as_str(), calls), ("prototype_key", 1), "{lines:?}");
            }
            Err(wanted) => {
                assert_eq!((answer.status().as_u16(), calls), (415, 0), "{lines:?}");
                assert_eq!(rule(&answer), *wanted, "{lines:?}");
                assert_eq!(answer.headers()["accept"], "application/json");
            }
        }
    }
}

#[tokio::test]
async fn forms_are_judged_and_other_kinds_are_counted() {
    let all = strict().accept([Kind::Json, Kind::Form, Kind::Multipart, Kind::Other]);
    let send = |content_type: &'static str, body: &'static str| {
        let request = Request::post("/").header("content-type", content_type);
        send_to(&all, request.body(Full::<Bytes>::from(body)).unwrap())
    };
    let form = "application/x-www-form-urlencoded";
    assert_eq!(send(form, "a=1&b=2").await.0.status(), 200);
    assert_eq!(rule(&send(form, "a=1&a%5B%5D=2").await.0), "repeated_parameter");
    assert_eq!(send("multipart/form-data; boundary=x", "--x--").await.0.status(), 200);
    assert_eq!(rule(&send("multipart/form-data; boundary=\"\"", "--x--").await.0), "content_type");
    assert_eq!(send("text/plain", "{{{").await.0.status(), 200);
    // Nothing is declared.
    let bare = Request::post("/").body(Full::<Bytes>::from("{{{")).unwrap();
    assert_eq!(send_to(&all, bare).await.0.status(), 200);
    let small = SanitizeLayer::new(Policy::forms().max_body(3)).accept([Kind::Other]);
    for (body, status) in [("abc", 200), ("abcd", 413)] {
        let chunked = Request::post("/").body(chunked(&[body])).unwrap();
        assert_eq!(send_to(&small, chunked).await.0.status(), status);
    }
}

#[tokio::test]
async fn what_nobody_decoded_is_415_and_says_what_is_taken() {
    for (coding, status) in [
        ("gzip", 415),
        ("identity", 200),
        ("identity, GZIP", 415),
        ("br", 415),
        ("x-unheard-of", 415),
        ("", 200),
    ] {
        let request = post().header("content-encoding", coding);
        let (answer, calls) =
            send_to(&strict(), request.body(Full::<Bytes>::from("[]")).unwrap()).await;
        assert_eq!(answer.status(), status, "{coding}");
        if status == 415 {
            assert_eq!((rule(&answer).as_str(), calls), ("content_encoding", 0));
            assert_eq!(answer.headers()["accept-encoding"], "identity");
        }
    }
}

#[tokio::test]
async fn a_request_without_a_body_needs_no_content_type_and_may_have_one() {
    let bare = Request::get("/a?b=c").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(send_to(&strict(), bare).await.0.status(), 200);
    // Clients that declare it with every request.
    let get = Request::get("/").header("content-type", "application/json; charset=utf-8");
    let (answer, _) = send_to(&strict(), get.body(Full::<Bytes>::default()).unwrap()).await;
    assert_eq!(answer.status(), 200);
    let (answer, _) = send_to(&strict(), post().body(chunked(&[""])).unwrap()).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_declared_length_beyond_the_limit_is_refused_before_a_byte_is_read() {
    let layer = SanitizeLayer::new(Policy::strict_json().max_body(10));
    for (length, calls_wanted) in [(10, 1), (11, 0)] {
        let gate = buttress_conformance::Gate::shut();
        let body = ProbeBody::new().data("[").data("]");
        let body = if length == 11 { body.wait(&gate) } else { body };
        let request = post().header("content-length", length).body(body).unwrap();
        let (answer, calls) = send_to(&layer, request).await;
        assert_eq!(calls, calls_wanted);
        assert_eq!(answer.status(), if length == 11 { 413 } else { 200 });
    }
    // The same with the length that only the body knows.
    let (answer, calls) =
        send_to(&layer, post().body(Full::<Bytes>::from("[1,2,3,4,5]")).unwrap()).await;
    assert_eq!((answer.status().as_u16(), calls), (413, 0));
}

#[tokio::test]
async fn the_limit_of_a_body_is_exact_however_it_comes() {
    let layer = SanitizeLayer::new(Policy::strict_json().max_body(5));
    for (text, status) in [("[1,2]", 200), ("[1, 2]", 413)] {
        let (exact, _) = send_to(&layer, post().body(Full::<Bytes>::from(text)).unwrap()).await;
        assert_eq!(exact.status(), status);
        let (whole, _) = send_to(&layer, post().body(chunked(&[text])).unwrap()).await;
        assert_eq!(whole.status(), status);
        let bytes: Vec<&'static str> =
            (0..text.len()).map(|at| text.get(at..=at).unwrap()).collect();
        let (bytes, _) = send_to(&layer, post().body(chunked(&bytes)).unwrap()).await;
        assert_eq!(bytes.status(), status);
    }
}

#[tokio::test]
async fn paths_and_queries_are_judged_before_the_handler_is_called() {
    for (uri, wanted) in [
        ("/a/b?c=d&e=f", None),
        ("/files/J%C3%BCrgen..txt?q=50%25", None),
        ("/a/../b", Some("traversal")),
        ("/a/%2e%2e/b", Some("traversal")),
        ("/a/%2e%2e%2fb", Some("encoded_slash")),
        ("/a/..%5cb", Some("backslash")),
        ("/a/%252e%252e/b", Some("double_encoding")),
        ("/a/%EF%BC%8E%EF%BC%8E/b", Some("traversal")),
        ("/a/%c0%ae%c0%ae/b", Some("encoding")),
        ("/a/%00", Some("nul")),
        ("/a/%", Some("percent_encoding")),
        ("/?a=1&a=2", Some("repeated_parameter")),
        ("/?a=1&a[]=2", Some("repeated_parameter")),
        ("/?a[0]=1&a%5B1%5D=2", Some("repeated_parameter")),
        ("/?a=1&%61=2", Some("repeated_parameter")),
        ("/?__proto__[admin]=1", Some("prototype_key")),
        ("/?constructor[prototype][admin]=1", Some("prototype_key")),
        ("/?a=%ff", Some("encoding")),
        ("/?a=%ED%A0%80", Some("encoding")),
        ("/?%2561=1", Some("double_encoding")),
        ("/?a=%00", Some("nul")),
    ] {
        let request = Request::get(uri).body(Full::<Bytes>::default()).unwrap();
        let (answer, calls) = send_to(&strict(), request).await;
        match wanted {
            None => assert_eq!(answer.status(), 200, "{uri}"),
            Some(wanted) => {
                assert_eq!((rule(&answer).as_str(), calls), (wanted, 0), "{uri}");
                assert_eq!(answer.status(), 400, "{uri}");
            }
        }
    }
    let options = Request::options("*").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(send_to(&strict(), options).await.0.status(), 200);
    let connect = Request::connect("example.com:443").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(send_to(&strict(), connect).await.0.status(), 200);
    let long = format!("/{}", "a".repeat(4 * 1024));
    let request = Request::get(long).body(Full::<Bytes>::default()).unwrap();
    assert_eq!(send_to(&strict(), request).await.0.status(), 414);
    let long = format!("/?a={}", "a".repeat(8 * 1024));
    let request = Request::get(long).body(Full::<Bytes>::default()).unwrap();
    assert_eq!(send_to(&strict(), request).await.0.status(), 414);
}

#[tokio::test]
async fn unicode_that_is_reported_passes_and_is_counted() {
    let layer = strict();
    let text = "{\"name\": \"safe\u{202e}txt.exe\", \"z\": \"a\u{200b}b\"}";
    for body in [Full::<Bytes>::from(text)] {
        let (answer, _) = send_to(&layer, post().body(body).unwrap()).await;
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (200, text.as_bytes()));
    }
    assert_eq!(layer.handle().reported(Rule::Bidi), 1);
    assert_eq!(layer.handle().reported(Rule::ZeroWidth), 1);
    let refuses = Policy::strict_json().on(Rule::Bidi, Action::Reject).unwrap();
    let body = Full::<Bytes>::from(text);
    let (answer, _) = send_to(&SanitizeLayer::new(refuses), post().body(body).unwrap()).await;
    assert_eq!(rule(&answer), "bidi");
}

#[tokio::test]
async fn what_is_stripped_does_not_reach_the_handler_and_lengths_are_honest() {
    let policy = Policy::mongo()
        .on(Rule::PrototypeKey, Action::Strip)
        .unwrap()
        .on(Rule::OperatorKey, Action::Strip)
        .unwrap();
    let layer = SanitizeLayer::new(policy);
    let text = r#"{"$where": "1", "a": {"__proto__": {"x": [1]}, "b": 1}, "$gt": 2}"#;
    let clean = r#"{ "a": { "b": 1}}"#;
    let request = post().header("content-length", text.len());
    let (answer, _) = send_to(&layer, request.body(Full::<Bytes>::from(text)).unwrap()).await;
    assert_eq!(&answer.body()[..], clean.as_bytes());
    assert_eq!(answer.headers()["content-length"], clean.len().to_string());
    for cut in 1..text.len() {
        let (one, two) = text.split_at(cut);
        let (answer, _) = send_to(&layer, post().body(chunked(&[one, two])).unwrap()).await;
        assert_eq!(&answer.body()[..], clean.as_bytes(), "{cut}");
    }
    // As it is read: no length is claimed.
    let layer = layer.check_first(0);
    let request = post().header("content-length", text.len());
    let (answer, _) = send_to(&layer, request.body(Full::<Bytes>::from(text)).unwrap()).await;
    assert_eq!(&answer.body()[..], clean.as_bytes());
    assert!(!answer.headers().contains_key("content-length"));
}

#[tokio::test]
async fn in_report_mode_nothing_is_refused_or_changed_and_all_is_counted() {
    let policy = Policy::strict_json().on(Rule::PrototypeKey, Action::Strip).unwrap().max_body(30);
    let layer = SanitizeLayer::new(policy).report_only();
    let handle = layer.handle();
    let cases: [(&str, &str, &str, Rule); 5] = [
        ("/", "application/json", r#"{"__proto__": 1}"#, Rule::PrototypeKey),
        ("/", "application/json", "{{{", Rule::Syntax),
        ("/", "text/plain", "{{{", Rule::ContentType),
        ("/?a=1&a=2", "application/json", "[]", Rule::RepeatedParameter),
        ("/", "application/json", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14]", Rule::BodySize),
    ];
    for (uri, content_type, text, rule) in cases {
        for body in [ProbeBody::new().data(text).exact(), chunked(&[text])] {
            let before = handle.reported(rule);
            let request = Request::post(uri).header("content-type", content_type);
            let (answer, _) = send_to(&layer, request.body(body).unwrap()).await;
            assert_eq!((answer.status().as_u16(), &answer.body()[..]), (200, text.as_bytes()));
            assert_eq!((handle.reported(rule), handle.refused(rule)), (before + 1, 0), "{rule}");
        }
    }
}

#[tokio::test]
async fn the_numbers_are_there_by_guard_and_rule() {
    let layer = strict().name("api");
    let bad = || post().body(Full::<Bytes>::from("{")).unwrap();
    send_to(&layer, bad()).await;
    send_to(&layer, bad()).await;
    send_to(&layer, post().body(Full::<Bytes>::from("\"\u{202e}\"")).unwrap()).await;
    let mut all = Vec::new();
    layer.handle().collect(&mut |sample: Sample<'_>| {
        all.push((sample.name.to_owned(), format!("{:?}", sample.labels), sample.value));
    });
    let value = |name: &str, rule: &str| {
        let labels = format!("{:?}", [("guard", "api"), ("rule", rule)]);
        let found: Vec<_> = all.iter().filter(|(n, l, _)| n == name && *l == labels).collect();
        found.first().map(|(_, _, value)| *value)
    };
    assert_eq!(value("sanitize_refusals_total", "syntax"), Some(2.0));
    assert_eq!(value("sanitize_refusals_total", "nul"), Some(0.0));
    assert_eq!(value("sanitize_refusals_total", "operator_key"), None);
    assert_eq!(value("sanitize_reports_total", "bidi"), Some(1.0));
    // One metric's lines stand together.
    let mut names: Vec<_> = all.iter().map(|(name, ..)| name.clone()).collect();
    names.dedup();
    assert_eq!(names, ["sanitize_refusals_total", "sanitize_reports_total"]);
}

#[tokio::test]
async fn the_requests_own_log_line_has_rule_and_place_and_no_value() {
    let context = RequestContext::new();
    let request = post().body(Full::<Bytes>::from(r#"{"a":"s3cret","a":"s3cret"}"#)).unwrap();
    let answer =
        buttress_core::context::InRequest::new(Some(context.clone()), send_to(&strict(), request))
            .await
            .0;
    assert_eq!(answer.status(), 400);
    assert!(!String::from_utf8_lossy(answer.body()).contains("s3cret"));
    let fields = context.take_fields();
    assert_eq!(fields.len(), 1);
    assert_eq!(fields[0].0, "violation");
    assert_eq!(fields[0].1.to_json(), r#""body /a: the key is there twice""#);
}

#[tokio::test]
async fn no_debug_output_has_what_was_sent() {
    let policy = Policy::strict_json().on(Rule::PrototypeKey, Action::Strip).unwrap();
    let inner = Full::<Bytes>::from(r#"{"a": "s3cret", "__proto__": 1, "b": "s3cret"}"#);
    let mut body = GuardedBody::new(inner, Kind::Json, &policy);
    let before = format!("{body:?}");
    let _ = body.frame().await;
    let within = format!("{body:?}");
    let service =
        strict().layer(service_fn(|request: Request<GuardedBody<Full<Bytes>>>| async move {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(format!("{:?}", request.body()))))
        }));
    let text = Full::<Bytes>::from(r#"["s3cret"]"#);
    let answer = service.oneshot(post().body(text).unwrap()).await.unwrap();
    let whole = answer.into_body().collect().await.unwrap().to_bytes();
    for output in [before.as_bytes(), within.as_bytes(), &whole] {
        let output = String::from_utf8_lossy(output);
        assert!(output.starts_with("GuardedBody") && !output.contains("s3cret"), "{output}");
    }
}

/// What it is to a gRPC client: `grpc-status`.
fn grpc_status(answer: &Answer) -> &str {
    assert_eq!((answer.status().as_u16(), answer.body().len()), (200, 0));
    answer.headers()["grpc-status"].to_str().unwrap()
}

fn grpc(path: &str, content_type: &str, text: &'static str) -> Request<Full<Bytes>> {
    let request = Request::post(path).header("content-type", content_type);
    request.body(Full::from(text)).unwrap()
}

#[tokio::test]
async fn grpc_is_refused_unless_it_is_accepted_and_then_its_bodies_are_left_alone() {
    const MESSAGE: &str = "\0\0\0\0\u{2}{{";
    let speaks = SanitizeLayer::new(Policy::strict_json().max_body(1)).accept([Kind::Grpc]);
    for content_type in ["application/grpc", "application/grpc+proto", "application/grpc-web"] {
        let call = |path| grpc(path, content_type, MESSAGE);
        // UNIMPLEMENTED.
        let (answer, calls) = send_to(&strict(), call("/pkg.Service/Method")).await;
        assert_eq!((grpc_status(&answer), calls), ("12", 0), "{content_type}");
        assert_eq!(answer.extensions().get::<Rejected>().unwrap().reason(), "content_type");
        // INVALID_ARGUMENT.
        for layer in [&strict(), &speaks] {
            let (answer, calls) = send_to(layer, call("/pkg.Service/../x")).await;
            assert_eq!((grpc_status(&answer), calls), ("3", 0), "{content_type}");
        }
        let (answer, calls) = send_to(&speaks, call("/pkg.Service/Method")).await;
        assert_eq!((&answer.body()[..], calls), (MESSAGE.as_bytes(), 1), "{content_type}");
    }
    // Who speaks gRPC alone takes nothing else.
    let (answer, calls) = send_to(&speaks, post().body(Full::<Bytes>::from("[]")).unwrap()).await;
    assert_eq!((rule(&answer).as_str(), calls), ("content_type", 0));
    assert_eq!(answer.headers()["accept"], "application/grpc");
}

/// What axum's `Json` takes, and what only seems to be gRPC.
#[tokio::test]
async fn a_content_type_of_grpc_is_no_way_around_the_guard() {
    let all = [Kind::Json, Kind::Form, Kind::Grpc];
    for (lines, status) in [
        (&["application/grpc+json"][..], "3"),
        (&["application/grpc-web+json"], "3"),
        (&["application/grpc", "application/json"], "12"),
        (&["application/grpc;", "application/grpc"], "12"),
        (&["application/grpc; a"], "12"),
        (&["application/grpc +json"], "12"),
    ] {
        for layer in [strict(), strict().accept(all)] {
            let builder =
                lines.iter().fold(Request::post("/"), |b, line| b.header("content-type", *line));
            let body = Full::<Bytes>::from(r#"{"__proto__": 1}"#);
            let (answer, calls) = send_to(&layer, builder.body(body).unwrap()).await;
            assert_eq!((grpc_status(&answer), calls), (status, 0), "{lines:?}");
        }
    }
}

#[tokio::test]
async fn what_is_skipped_is_left_alone() {
    let layer = strict().skip_if(|head| head.uri.path() == "/upload");
    let request = |path| Request::post(path).body(Full::<Bytes>::from("{{{")).unwrap();
    assert_eq!(send_to(&layer, request("/upload")).await.0.status(), 200);
    assert_eq!(send_to(&layer, request("/users")).await.0.status(), 415);
}

#[tokio::test]
async fn an_unguarded_service_judges_nothing() {
    let service =
        Sanitize::unguarded(service_fn(|request: Request<GuardedBody<Full<Bytes>>>| async {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::new(Full::from(body)))
        }));
    let answer = service.oneshot(post().body(Full::from("{")).unwrap()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "{");
}

#[tokio::test]
async fn a_refusal_can_be_put_into_other_words() {
    let layer = strict().responder(|rejection: &Rejection, _: Protocol| {
        let mut response = Response::new(Bytes::from_static(b"no\n"));
        *response.status_mut() = rejection.status();
        response
    });
    for body in [ProbeBody::new().data("{").exact(), chunked(&["{"])] {
        let (answer, _) = send_to(&layer, post().body(body).unwrap()).await;
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (400, &b"no\n"[..]));
        assert_eq!(answer.extensions().get::<Rejected>().unwrap().reason(), "syntax");
    }
}

#[test]
fn a_layer_says_what_is_in_force() {
    assert_eq!(
        strict().to_string(),
        "application/json, application/x-www-form-urlencoded, at most 1048576 bytes"
    );
    assert_eq!(
        strict().accept([Kind::Json]).report_only().to_string(),
        "application/json, at most 1048576 bytes, only reported"
    );
}

/// HTTP/2 lets a client send the header twice.
#[tokio::test]
async fn where_something_is_stripped_no_other_length_is_left() {
    let policy = Policy::strict_json().on(Rule::PrototypeKey, Action::Strip).unwrap();
    let layer = SanitizeLayer::new(policy);
    let service =
        layer.layer(service_fn(|request: Request<GuardedBody<Full<Bytes>>>| async move {
            let lengths = request.headers().get_all("content-length").iter();
            let lengths: Vec<_> =
                lengths.map(|length| length.to_str().unwrap().to_owned()).collect();
            let size = request.into_body().collect().await.unwrap().to_bytes().len();
            assert_eq!(lengths, [size.to_string()]);
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
    let body = r#"{"a": 1, "__proto__": 2}"#;
    let request = post().header("content-length", body.len()).header("content-length", 1000);
    let answer = service.oneshot(request.body(Full::from(body)).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn in_report_mode_one_violation_hides_neither_what_came_before_nor_another_part() {
    for exact in [true, false] {
        let layer = strict().report_only();
        let body = ProbeBody::new().data("[\"\\u202e\", {\"a\": 1, \"a\": 2}]");
        let body = if exact { body.exact() } else { body };
        let request =
            Request::post("/a/%2e%2e/b?a=1&a=2").header("content-type", "application/json");
        send_to(&layer, request.body(body).unwrap()).await;
        let handle = layer.handle();
        for rule in [Rule::Traversal, Rule::RepeatedParameter, Rule::Bidi, Rule::DuplicateKey] {
            assert_eq!(handle.reported(rule), 1, "{rule}");
        }
    }
}

/// Whoever sends it on over HTTP/1 would write a length and drop the trailers.
#[tokio::test]
async fn a_body_that_was_judged_first_and_has_trailers_claims_no_exact_size() {
    let service = strict().layer(service_fn(|request: Request<GuardedBody<ProbeBody>>| async {
        let hint = request.body().size_hint();
        let collected = request.into_body().collect().await.unwrap();
        assert_eq!((hint.lower(), hint.exact()), (2, None));
        assert!(collected.trailers().is_some());
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let body = ProbeBody::new().data("[]").exact().trailers(http::HeaderMap::new());
    assert_eq!(body.size_hint().exact(), Some(2));
    let answer = service.oneshot(post().body(body).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn what_a_handler_makes_of_a_broken_body_is_replaced_even_if_it_is_a_success() {
    let service = strict().layer(service_fn(|request: Request<GuardedBody<ProbeBody>>| async {
        // It takes what has come for all there is.
        let mut body = request.into_body();
        while let Some(Ok(_)) = body.frame().await {}
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("kept")))
    }));
    let answer = service.oneshot(post().body(chunked(&["[1", ",,"])).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 400);
}

/// As a proxy does, whose client has a task of its own for the connection.
#[tokio::test]
async fn a_body_that_is_read_in_another_task_is_judged_too() {
    let service = strict().layer(service_fn(|request: Request<GuardedBody<ProbeBody>>| async {
        let read = tokio::spawn(async { request.into_body().collect().await.map(drop) });
        let status = if read.await.unwrap().is_ok() { 200 } else { 502 };
        let response = Response::builder().status(status).body(Full::<Bytes>::default());
        Ok::<_, Infallible>(response.unwrap())
    }));
    for (text, status) in [("[1]", 200), ("[1", 400)] {
        let request = post().body(chunked(&[text])).unwrap();
        assert_eq!(service.clone().oneshot(request).await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn what_is_stripped_is_counted_once_for_each_request_that_passes() {
    let policy = Policy::mongo()
        .on(Rule::OperatorKey, Action::Strip)
        .and_then(|policy| policy.on(Rule::DuplicateKey, Action::Strip))
        .unwrap();
    let layer = SanitizeLayer::new(policy);
    let handle = layer.handle();
    let strips = || [Rule::OperatorKey, Rule::DuplicateKey].map(|rule| handle.stripped(rule));
    let send = async |text: &'static str| {
        for body in [ProbeBody::new().data(text).exact(), chunked(&[text])] {
            send_to(&layer, post().body(body).unwrap()).await;
        }
    };
    send(r#"{"$a": 1, "b": {"$c": 2}}"#).await;
    assert_eq!(strips(), [2, 0]);
    send(r#"{"$a": 1, "b": 2, "b": 3}"#).await;
    assert_eq!(strips(), [4, 2]);
    // Nothing is there to strip, and nothing passes.
    send(r#"{"b": 2}"#).await;
    send(r#"{"$a": 1, "b": }"#).await;
    assert_eq!(strips(), [4, 2]);
    assert_eq!((handle.refused(Rule::Syntax), handle.reported(Rule::OperatorKey)), (2, 0));
    // Of a form nothing is stripped.
    let form = Request::post("/").header("content-type", "application/x-www-form-urlencoded");
    let (answer, _) = send_to(&layer, form.body(Full::<Bytes>::from("$a=1")).unwrap()).await;
    assert_eq!((answer.status().as_u16(), handle.refused(Rule::OperatorKey)), (400, 1));
    assert_eq!(strips(), [4, 2]);

    let mut lines = Vec::new();
    handle.collect(&mut |sample: Sample<'_>| {
        if sample.name == "sanitize_strips_total" {
            lines.push((format!("{:?}", sample.labels), sample.value));
        }
    });
    let label = |rule| format!("{:?}", [("guard", "http"), ("rule", rule)]);
    assert_eq!(lines, [(label("duplicate_key"), 2.0), (label("operator_key"), 4.0)]);
}

#[tokio::test]
async fn what_is_stripped_is_on_the_requests_own_log_line() {
    let policy = Policy::strict_json().on(Rule::PrototypeKey, Action::Strip).unwrap();
    let layer = SanitizeLayer::new(policy);
    let context = RequestContext::new();
    let request = post().body(Full::<Bytes>::from(r#"{"__proto__": "s3cret"}"#)).unwrap();
    let send = send_to(&layer, request);
    buttress_core::context::InRequest::new(Some(context.clone()), send).await;
    let fields = context.take_fields();
    assert_eq!((fields.len(), fields[0].0.as_ref()), (1, "violation"));
    assert_eq!(fields[0].1.to_json(), r#""body /__proto__: names an object's prototype""#);
}

#[tokio::test]
async fn emoji_and_persian_are_no_news() {
    const TEXT: &str = "\u{2764}\u{fe0f} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f466} \u{645}\u{6cc}\u{200c}\u{62e}";
    let strict = Policy::strict_json().on(Rule::ZeroWidth, Action::Reject).unwrap();
    let layer = SanitizeLayer::new(strict.clone());
    let json = |text: &str| format!(r#"{{"{text}": ["{text}"]}}"#);
    let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let escaped = |text: &str| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    for (text, passes) in [
        (TEXT.to_owned(), true),
        // A joiner of nothing, at the end and in the middle.
        (format!("{TEXT}\u{1f466}\u{200d}"), false),
        (format!("\u{1f466}\u{200d} {TEXT}"), false),
        (format!("ad\u{200d}min{TEXT}"), false),
    ] {
        let status = if passes { 200 } else { 400 };
        let escaped: String = escaped(&text);
        for body in [json(&text), json(&escaped)] {
            // Cut at every byte, and whole.
            let pieces = body.as_bytes().chunks(1).map(Bytes::copy_from_slice);
            let pieces = pieces.fold(ProbeBody::new(), ProbeBody::data);
            assert_eq!(send_to(&layer, post().body(pieces).unwrap()).await.0.status(), status);
            let whole = Full::<Bytes>::from(body);
            assert_eq!(send_to(&layer, post().body(whole).unwrap()).await.0.status(), status);
        }
        let encoded = percent(&text);
        for uri in [format!("/{encoded}/x"), format!("/?{encoded}=1"), format!("/?a={encoded}")] {
            let request = Request::get(uri).body(Full::<Bytes>::default()).unwrap();
            assert_eq!(send_to(&layer, request).await.0.status(), status, "{text}");
        }
    }
}
