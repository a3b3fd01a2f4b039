//! The compression slot.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::convert::Infallible;

use buttress::{Compression, Csrf, RequestBody, Stack};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

type Body = Full<Bytes>;

#[derive(Clone)]
struct HoldsSecret;

/// Answers 201 with as many bytes as the path says, of the type that was asked for.
async fn service(request: Request<RequestBody<Body>>) -> Result<Response<Body>, Infallible> {
    let length = request.uri().path().trim_start_matches('/').parse().unwrap_or(1000);
    let mut response = Response::new(Full::from(vec![b'a'; length]));
    *response.status_mut() = StatusCode::CREATED;
    if let Some(kind) = request.headers().get("accept") {
        response.headers_mut().insert("content-type", kind.clone());
    }
    if request.uri().query() == Some("secret") {
        response.extensions_mut().insert(HoldsSecret);
    }
    Ok(response)
}

async fn send(stack: &Stack, request: http::request::Builder) -> Response<()> {
    let request = request.body(Full::default()).unwrap();
    stack.layer(service_fn(service)).oneshot(request).await.unwrap().map(drop)
}

fn is_packed(response: &Response<()>) -> bool {
    response.headers().get("content-encoding").is_some_and(|coding| coding == "gzip")
}

/// What the service has done is done, whatever coding the caller wants to hear of it in.
#[tokio::test]
async fn no_coding_is_no_reason_for_a_406() {
    let stack = Stack::new().compression(Compression::new()).csrf(Csrf::new());
    for (accept, packed) in [
        ("identity;q=0", false),
        ("*;q=0", false),
        ("gzip;q=0, *;Q=0", false),
        ("br, identity;q=0", false),
        ("gzip, identity;q=0", true),
        ("gzip;q=0.5", true),
        ("gzip", true),
    ] {
        let request = Request::post("/").header("accept-encoding", accept);
        let answer = send(&stack, request).await;
        assert_eq!(answer.status(), 201, "{accept}");
        assert_eq!(is_packed(&answer), packed, "{accept}");
        assert_eq!(answer.headers().get("vary").unwrap(), "accept-encoding", "{accept}");

        let refused = Request::post("/").header("accept-encoding", accept);
        let answer = send(&stack, refused.header("sec-fetch-site", "cross-site")).await;
        assert_eq!(answer.status(), 403, "{accept}");
    }
}

#[tokio::test]
async fn what_packing_does_not_help_is_left_as_it_is() {
    let stack = Stack::new().compression(Compression::new());
    for (path, kind, packed) in [
        ("/31", "text/plain", false),
        ("/32", "text/plain", true),
        ("/1000", "image/png", false),
        ("/1000", "image/svg+xml", true),
        ("/1000", "text/event-stream", false),
        ("/1000", "application/grpc", false),
    ] {
        let request = Request::get(path).header("accept-encoding", "gzip").header("accept", kind);
        assert_eq!(is_packed(&send(&stack, request).await), packed, "{path} {kind}");
    }
}

#[tokio::test]
async fn what_to_leave_out_can_be_said() {
    let gzip = Compression::new().min_size(100).unless(|status, headers, extensions| {
        status.is_client_error()
            || headers.get("content-type") == Some(&HeaderValue::from_static("text/plain"))
            || extensions.get::<HoldsSecret>().is_some()
    });
    assert_eq!(gzip.to_string(), "gzip from 100 bytes, with exceptions");
    let stack = Stack::new().compression(gzip);
    for (path, kind, packed) in [
        ("/99", "text/html", false),
        ("/100", "text/html", true),
        ("/1000", "text/plain", false),
        ("/1000?secret", "text/html", false),
    ] {
        let request = Request::builder().method(Method::GET).uri(path);
        let request = request.header("accept-encoding", "gzip").header("accept", kind);
        assert_eq!(is_packed(&send(&stack, request).await), packed, "{path} {kind}");
    }
}

#[test]
fn what_is_in_force_says_how() {
    let described = Stack::new().compression(Compression::new()).describe();
    assert!(described.contains("compression  gzip from 32 bytes\n"), "{described}");
}
