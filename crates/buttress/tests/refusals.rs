//! What becomes of an answer on its way from the innermost slot. One test: the subscriber that it
//! reads the log with is its thread's alone.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{io, time::Duration};

use axum::{Router, body::Body, routing::post};
use buttress::{
    Cors, Stack,
    client_ip::ClientIp,
    metrics::HttpMetrics,
    reject::Rejected,
    sanitize::{Policy, Rule, SanitizeLayer},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Request;
use http_body_util::BodyExt;
use lines::Lines;
use tower::ServiceExt;

mod lines;

const APP: &str = "https://app.example.com";

/// Pieces of a body whose length nobody has declared, and whether they are all.
fn pieces(text: &'static str, is_whole: bool) -> Body {
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    let pieces = stream::iter([first, second].map(|piece| Ok(Bytes::from_static(piece))));
    match is_whole {
        true => Body::from_stream(pieces),
        false => Body::from_stream(pieces.chain(stream::pending::<io::Result<Bytes>>())),
    }
}

/// Whatever is refused, and whenever: what stands further out has its part in the answer.
#[tokio::test(start_paused = true)]
async fn every_refusal_goes_out_through_the_whole_stack_once() {
    let (lines, _guard) = Lines::of("access");
    let metrics = HttpMetrics::server();
    let guard =
        SanitizeLayer::new(Policy::strict_json().max_body(64)).body_timeout(Duration::from_secs(5));
    let counts = guard.handle();
    let stack = Stack::production(ClientIp::peer())
        .cors(Cors::allow([APP]).unwrap())
        .metrics(metrics.clone())
        .sanitize(guard);
    // What it makes of an error is a 200.
    let read = async |body: Body| drop(body.collect().await);
    let app = Router::new().route("/", post(read)).layer(stack);

    const TWICE: &str = r#"{"role": "user", "\u0072ole": "admin"}"#;
    const LONG: &str = r#"["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]"#;
    let json = "application/json";
    for (uri, content_type, body, status, rule) in [
        ("/?a=1&a=2", json, Body::from("[]"), 400, Rule::RepeatedParameter),
        ("/%2e%2e/", json, Body::from("[]"), 400, Rule::Traversal),
        ("/", "text/plain", Body::from("[]"), 415, Rule::ContentType),
        ("/", json, Body::from(TWICE), 400, Rule::DuplicateKey),
        ("/", json, pieces(TWICE, true), 400, Rule::DuplicateKey),
        ("/", json, Body::from(LONG), 413, Rule::BodySize),
        ("/", json, pieces(LONG, true), 413, Rule::BodySize),
        ("/", json, pieces("[1", false), 408, Rule::BodyTime),
    ] {
        let requests = || metrics.report().since_start().requests();
        let (before, refused) = (requests(), counts.refused(rule));
        let request = Request::post(uri).header("content-type", content_type).header("origin", APP);
        let answer = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "{rule}");
        let rejected = *answer.extensions().get::<Rejected>().unwrap();
        assert_eq!((rejected.layer(), rejected.reason()), ("sanitize", rule.name()));
        let (head, body) = answer.into_parts();
        for (name, value) in [
            ("content-type", "application/problem+json"),
            ("access-control-allow-origin", APP),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        ] {
            let all: Vec<_> = head.headers.get_all(name).iter().collect();
            assert_eq!(all, [value], "{rule}");
        }
        let document = body.collect().await.unwrap().to_bytes();
        let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(document["errors"][0]["rule"], rule.name());
        assert_eq!(document["request_id"], head.headers["x-request-id"].to_str().unwrap());

        assert_eq!((requests(), counts.refused(rule)), (before + 1, refused + 1), "{rule}");
        let lines = lines.take();
        assert_eq!(lines.len(), 1, "{rule}");
        assert_eq!((&*lines[0]["rejected_by"], &*lines[0]["reason"]), ("sanitize", rule.name()));
        assert_eq!(lines[0]["status"], status.to_string());
    }
}
