//! What the comparison says of input and configuration in its last column.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::io;

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Path, Request},
    response::Response,
    routing::{get, post},
};
use buttress::{
    Secret, Stack,
    client_ip::ClientIp,
    config::{Environment, config, rule::min_chars},
    sanitize::{Policy, Query, SanitizeLayer},
};
use futures_util::stream;
use http::{StatusCode, request::Builder};
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt;

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "it is enough that they can be read")]
struct Order {
    product: u32,
    count: u8,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "it is enough that they can be read")]
struct Asked {
    page: Option<u32>,
    price: Option<f64>,
    tag: Option<String>,
}

/// What becomes of a body that breaks off is a 500.
async fn by_hand(request: Request) -> Result<String, StatusCode> {
    let body = to_bytes(request.into_body(), usize::MAX).await;
    Ok(body.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?.len().to_string())
}

fn app(policy: Policy) -> Router {
    let input = SanitizeLayer::new(policy).share_policy();
    Router::new()
        .route("/orders", post(|axum::Json(_): axum::Json<Order>| async {}))
        .route(
            "/typed",
            post(|buttress::sanitize::Json(_): buttress::sanitize::Json<Order>| async {}),
        )
        .route("/hand", post(by_hand))
        .route("/q", get(|_: Query<Asked>| async {}))
        .route("/files/{name}", get(|_: Path<String>| async {}))
        .layer(Stack::production(ClientIp::peer()).sanitize(input))
}

async fn send(policy: Policy, request: Builder, body: impl Into<Body>) -> (StatusCode, String) {
    let request = request.body(body.into()).unwrap();
    let answer: Response = app(policy).oneshot(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (head.status, String::from_utf8(body.to_vec()).unwrap())
}

fn json(path: &str) -> Builder {
    Request::post(path).header("content-type", "application/json")
}

#[tokio::test]
async fn json_is_refused_as_it_says() {
    let levels = 100_001;
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    let keys: String = (0..50_000).map(|n| format!(r#","k{n}":1"#)).collect();
    let many = format!(r#"{{"product":1,"count":2{keys}}}"#);
    for (sent, rule) in [
        (&br#"{"product":1,"count":2,"c\u006funt":200}"#[..], "duplicate_key"),
        (br#"{"product":1,"count":2,"\u005f_proto__":{}}"#, "prototype_key"),
        (deep.as_bytes(), "depth"),
        (many.as_bytes(), "object_keys"),
        (b"{\"product\":1,\"count\":2,\"x\":\"\xff\"}", ""),
        (br#"{"product":1,"count":2,"x":"\ud800"}"#, ""),
        (b"\xef\xbb\xbf{\"product\":1,\"count\":2}", ""),
        (br#"{"product":1,"count":2} x"#, ""),
        (br#"{"product":01,"count":2}"#, ""),
    ] {
        for path in ["/orders", "/typed", "/hand"] {
            let body = Bytes::copy_from_slice(sent);
            let (status, document) = send(Policy::strict_json(), json(path), body).await;
            let document: Value = serde_json::from_str(&document).unwrap();
            assert_eq!(status, StatusCode::BAD_REQUEST, "{document}");
            let found = document["errors"][0]["rule"].as_str().unwrap();
            assert!(rule.is_empty() || found == rule, "{document}");
        }
    }
    let wrong = r#"{"product":"hunter2","count":2}"#;
    let (status, document) = send(Policy::strict_json(), json("/typed"), wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(document.contains(r#""pointer":"/product""#) && !document.contains("hunter2"));
}

#[tokio::test]
async fn what_is_declared_is_refused_as_it_says() {
    let right = r#"{"product":1,"count":2}"#;
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ] {
        let twice = json("/orders").header(name, value);
        let (status, _) = send(Policy::strict_json(), twice, right).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{name}: {value}");
    }
    let utf16 = Request::post("/orders").header("content-type", "application/json; charset=utf-16");
    let (status, _) = send(Policy::strict_json(), utf16, right).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn queries_and_paths_are_refused_as_it_says() {
    let many: String = (0..1_001).map(|n| format!("&{n:x}=")).collect();
    for (path, status) in [
        ("/q?page=1&price=1.5&tag=a", 200),
        ("/q?page=%2B1", 422),
        ("/q?page=01", 422),
        ("/q?price=NaN", 422),
        ("/q?price=inf", 422),
        ("/q?price=1e999", 422),
        ("/q?tag=a&tag=b", 400),
        ("/q?tag=a&tag[]=b", 400),
        ("/q?tag=%FF", 400),
        ("/q?tag=%zz", 400),
        ("/files/..%2F..%2Fetc%2Fpasswd", 400),
        ("/files/a%00b", 400),
        (&format!("/q?page=1{many}"), 400),
        (&format!("/q?tag={}", "a".repeat(9_000)), 414),
    ] {
        let (got, document) = send(Policy::strict_json(), Request::get(path), Body::empty()).await;
        assert_eq!(got, status, "{path}: {document}");
    }
}

#[tokio::test]
async fn a_limit_is_a_limit_whoever_reads() {
    let policy = || Policy::strict_json().max_body(1_024);
    let long = vec![b' '; 4_096];
    for path in ["/orders", "/hand"] {
        let pieces: Vec<_> =
            long.chunks(512).map(|piece| Ok::<_, io::Error>(piece.to_vec())).collect();
        let chunked = Body::from_stream(stream::iter(pieces));
        let (status, _) = send(policy(), json(path), chunked).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        let declared = json(path).header("content-length", "1000000000");
        let nothing = Body::from_stream(stream::pending::<Result<Bytes, io::Error>>());
        let (status, _) = send(policy(), declared, nothing).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

config! {
    /// That of the comparison.
    #[derive(Debug)]
    struct Settings {
        /// A port.
        port: u16 = var("X_PORT"),
        /// A time.
        timeout: u64 = var("X_TIMEOUT"),
        /// A secret.
        secret: Secret<String> = var("X_SECRET").rule(min_chars(32)),
        /// A name.
        name: String = var("X_NAME"),
    }
}

#[test]
fn a_configuration_is_read_as_it_says() {
    const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2";
    const DIGITS: &str = "12345678901234567890123456789012";
    let right = [("X_PORT", "80"), ("X_TIMEOUT", "5"), ("X_SECRET", SECRET), ("X_NAME", "007")];
    let load = |changed: &[(&str, &str)]| {
        let stays = |(name, _): &&(&str, &str)| changed.iter().all(|(other, _)| other != name);
        let all: Vec<_> = right.iter().filter(stays).chain(changed).copied().collect();
        Environment::of(all).prefix("X_").load::<Settings>()
    };
    let settings = load(&[]).unwrap();
    assert_eq!((settings.port, settings.timeout, &*settings.name), (80, 5, "007"));
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert_eq!(load(&[("X_SECRET", DIGITS)]).unwrap().secret.expose(), DIGITS);

    let wrong = [("X_PORT", "99999"), ("X_TIMEOUT", "soon"), ("X_SECRET", "hunter2")];
    let report = Environment::of(wrong).load::<Settings>().unwrap_err();
    assert_eq!(report.errors().count(), 4);
    let said = report.to_string();
    assert!(said.contains("99999") && said.contains("soon") && !said.contains("hunter2"), "{said}");

    let said = load(&[("X_PORT", SECRET)]).unwrap_err().to_string();
    assert!(said.contains("X_PORT=[REDACTED]") && !said.contains("hunter2"), "{said}");
    let unknown = load(&[("X_TIMOUT", "7")]).unwrap();
    assert!(unknown.warnings().next().unwrap().to_string().contains("X_TIMEOUT?"));
    assert_eq!(load(&[("X_NAME", "")]).unwrap_err().errors().count(), 1);
}
