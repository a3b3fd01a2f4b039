//! The slot for guards of input, under axum.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{io, time::Duration};

use axum::{Router, body::Body, routing::post};
use buttress::{
    RequestBody, Stack, body_too_large,
    client_ip::ClientIp,
    reject::Rejected,
    sanitize::{BodyError, Json, Kind, Policy, SanitizeLayer},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn guard() -> SanitizeLayer {
    SanitizeLayer::new(Policy::strict_json()).body_timeout(Duration::from_secs(5)).share_policy()
}

fn stack() -> Stack {
    Stack::production(ClientIp::peer()).sanitize(guard())
}

/// As one that comes in two pieces, of a length that nobody has declared.
fn chunked(text: &'static str) -> Body {
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    let pieces = [first, second].map(|piece| Ok::<_, io::Error>(Bytes::from_static(piece)));
    Body::from_stream(futures_util::stream::iter(pieces))
}

async fn answer(app: Router, body: Body) -> Response<Body> {
    let request = Request::post("/").header("content-type", "application/json").body(body).unwrap();
    app.oneshot(request).await.unwrap()
}

fn refused_by(answer: &Response<Body>) -> Option<(&'static str, &'static str)> {
    answer.extensions().get::<Rejected>().map(|by| (by.layer(), by.reason()))
}

/// How much has come of the body.
async fn read(body: Body) -> String {
    match body.collect().await {
        Ok(whole) => format!("{} bytes", whole.to_bytes().len()),
        Err(error) => format!("not so: {error}"),
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_whether_it_is_read_first_or_meanwhile() {
    let app = Router::new().route("/", post(read)).layer(stack());
    let twice = r#"{"role": "user", "\u0072ole": "admin"}"#;
    for body in [Body::from(twice), chunked(twice)] {
        let answer = answer(app.clone(), body).await;
        assert_eq!(answer.status(), 400);
        assert_eq!(refused_by(&answer), Some(("sanitize", "duplicate_key")));
        assert!(answer.headers().contains_key("x-request-id"));
    }
    assert_eq!(answer(app, chunked(r#"{"role": "user"}"#)).await.status(), 200);
}

#[tokio::test]
async fn the_smaller_of_two_limits_holds() {
    for (body_limit, max_body, by) in
        [(8, 16, ("body_limit", "too_large")), (16, 8, ("sanitize", "body_size"))]
    {
        let guard = SanitizeLayer::new(Policy::strict_json().max_body(max_body));
        let app = Router::new().route("/", post(read));
        let app = app.layer(Stack::new().body_limit(body_limit).sanitize(guard));
        for body in [Body::from("[1, 2, 3, 4]"), chunked("[1, 2, 3, 4]")] {
            let answer = answer(app.clone(), body).await;
            assert_eq!(answer.status(), 413);
            assert_eq!(refused_by(&answer), Some(by));
        }
        assert_eq!(answer(app, chunked("[1, 2]")).await.status(), 200);
    }
}

#[tokio::test]
async fn an_error_past_the_limit_is_known_where_the_body_is_judged() {
    let reader = service_fn(async |request: Request<RequestBody<Body>>| {
        let whole = request.into_body().collect().await?;
        Ok::<_, BoxError>(Response::new(Full::new(whole.to_bytes())))
    });
    let service = Stack::new().body_limit(4).sanitize(guard()).layer(reader);
    let request = Request::post("/").header("content-type", "application/json");
    let error = service.oneshot(request.body(chunked("[1, 2, 3]")).unwrap()).await.unwrap_err();
    assert!(error.is::<BodyError>());
    assert!(body_too_large(error.as_ref()));
}

#[tokio::test]
async fn the_extractors_share_the_policy_of_the_slot() {
    async fn count(Json(items): Json<Vec<u8>>) -> String {
        items.len().to_string()
    }
    let guard = SanitizeLayer::new(Policy::strict_json().max_array_items(2)).check_first(0);
    for guard in [guard.clone().share_policy(), guard] {
        let app = Router::new().route("/", post(count)).layer(Stack::new().sanitize(guard));
        assert_eq!(answer(app.clone(), chunked("[1, 2]")).await.status(), 200);
        assert_eq!(answer(app, chunked("[1, 2, 3]")).await.status(), 400);
    }
}

#[test]
fn the_slot_says_what_is_in_force_and_can_be_emptied() {
    let said = "sanitize     application/json, application/x-www-form-urlencoded, \
                at most 1048576 bytes in 5s";
    assert!(stack().describe().ends_with(said), "{}", stack().describe());
    assert!(stack().sanitize(None).describe().ends_with("sanitize     -"));
}

#[tokio::test]
async fn grpc_goes_through_the_slot_where_it_is_accepted() {
    let call = |path: &str| {
        let request = Request::post(path).header("content-type", "application/grpc");
        request.body(Body::from("\0\0\0\0\u{2}{{")).unwrap()
    };
    for (kinds, path, code) in [
        (&[Kind::Json][..], "/", Some("12")),
        (&[Kind::Json, Kind::Grpc], "/", None),
        (&[Kind::Json, Kind::Grpc], "/a/../b", Some("3")),
    ] {
        let guard = guard().accept(kinds.iter().copied());
        let stack = Stack::production(ClientIp::peer()).sanitize(guard);
        let app = Router::new().route("/", post(read)).layer(stack);
        let answer = app.oneshot(call(path)).await.unwrap();
        assert_eq!(answer.status(), 200);
        let status = answer.headers().get("grpc-status").map(|code| code.to_str().unwrap());
        assert_eq!(status, code, "{path}");
        assert!(answer.headers().contains_key("x-request-id"));
    }
}
