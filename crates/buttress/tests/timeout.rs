//! The timeout slot, where a service does not sit still.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use buttress::{RequestBody, Stack, reject::Rejected};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::task::coop::consume_budget;
use tower::{Layer, ServiceExt, service_fn};

type Answer = Result<Response<Full<Bytes>>, Infallible>;

/// Uses up the task's budget in every poll, as a stream does that always has more; gives up in the
/// end, so that the test does.
async fn busy(_: Request<RequestBody<Full<Bytes>>>) -> Answer {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        consume_budget().await;
    }
    Ok(Response::default())
}

#[tokio::test]
async fn a_busy_service_is_given_up_on_too() {
    let service = Stack::new().timeout(Duration::from_millis(20)).layer(service_fn(busy));
    let response = service.oneshot(Request::default()).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.extensions().get().copied().map(Rejected::layer), Some("timeout"));
}

async fn never(_: Request<RequestBody<Full<Bytes>>>) -> Answer {
    std::future::pending().await
}

async fn quick(_: Request<RequestBody<Full<Bytes>>>) -> Answer {
    Ok(Response::default())
}

#[tokio::test(start_paused = true)]
async fn no_time_at_all_is_time_for_an_answer_that_never_waits() {
    let none = Stack::new().timeout(Duration::ZERO);
    let response = none.layer(service_fn(quick)).oneshot(Request::default()).await.unwrap();
    assert_eq!(response.status(), 200);
    let response = none.layer(service_fn(never)).oneshot(Request::default()).await.unwrap();
    assert_eq!(response.status(), 503);
}
