//! The body limit's slot, for bodies that declare their length and for those that do not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{convert::Infallible, error::Error, io};

use axum::{Json, Router, body::Body, routing::post};
use buttress::{RequestBody, Stack, body_too_large, reject::Rejected};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};

type BoxError = Box<dyn Error + Send + Sync>;

fn streamed(bytes: &'static [u8]) -> Body {
    Body::from_stream(futures_util::stream::iter([Ok::<_, io::Error>(Bytes::from_static(bytes))]))
}

/// Fails as reading fails.
async fn echo(request: Request<RequestBody<Body>>) -> Result<Response<Full<Bytes>>, BoxError> {
    Ok(Response::new(Full::new(request.into_body().collect().await?.to_bytes())))
}

/// Takes every error for the caller's, and says so in words of its own.
async fn stubborn(
    request: Request<RequestBody<Body>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("what was that?"));
    if request.into_body().collect().await.is_err() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response.headers_mut().insert("x-own", "1".parse().unwrap());
    }
    Ok(response)
}

#[tokio::test]
async fn a_body_past_the_limit_is_told_apart_from_one_that_broke() {
    let limited = Stack::new().body_limit(4).layer(service_fn(echo));
    let request = |bytes| Request::post("/").body(streamed(bytes)).unwrap();
    assert!(limited.clone().oneshot(request(b"four")).await.is_ok());
    let error = limited.oneshot(request(b"fives")).await.unwrap_err();
    assert!(body_too_large(error.as_ref()));
    assert!(!body_too_large(&io::Error::other("gone")));
}

#[tokio::test]
async fn a_body_of_undeclared_length_is_refused_in_our_words_too() {
    let service = Stack::new().body_limit(4).layer(service_fn(stubborn));
    let answer = service
        .clone()
        .oneshot(Request::post("/").body(streamed(b"fives")).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert!(!answer.headers().contains_key("x-own"));
    assert_eq!(answer.extensions().get().copied().map(Rejected::layer), Some("body_limit"));

    let call = Request::post("/").header("content-type", "application/grpc");
    let answer = service.clone().oneshot(call.body(streamed(b"fives")).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["grpc-status"], "8");

    // What broke in another way is the service's to answer.
    let broken = futures_util::stream::iter([Err::<Bytes, _>(io::Error::other("gone"))]);
    let request = Request::post("/").body(Body::from_stream(broken)).unwrap();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.extensions().get::<Rejected>().is_none());
}

#[tokio::test]
async fn an_extractor_of_axum_refuses_in_our_words() {
    let app: Router = Router::new()
        .route("/", post(|_: Json<serde_json::Value>| async {}))
        .layer(Stack::new().body_limit(4));
    let request = Request::post("/").header("content-type", "application/json");
    let answer = app.oneshot(request.body(streamed(b"[1,2,3]")).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 413);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn a_length_that_only_the_body_knows_is_enough() {
    let never = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
        panic!("the service is not called");
        #[expect(unreachable_code, reason = "it says of which type the answer would be")]
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let request = Request::post("/").body(Full::from("fives")).unwrap();
    let answer = Stack::new().body_limit(4).layer(never).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 413);
}

#[tokio::test]
async fn a_limit_may_be_past_what_a_machine_can_address() {
    let service = Stack::new().body_limit(u64::MAX).layer(service_fn(echo));
    let request = Request::post("/").header("content-length", u64::MAX);
    assert!(service.oneshot(request.body(streamed(b"four")).unwrap()).await.is_ok());
}
