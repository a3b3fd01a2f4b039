//! The timeout slot, where a service does not sit still.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use buttress::{
    RequestBody, Stack,
    limit::{Key, LimitLayer, Rule, SlowDown},
    reject::Rejected,
};
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

#[tokio::test(start_paused = true)]
async fn who_is_slowed_down_keeps_its_time_to_be_served() {
    let slow = SlowDown::new(1, Duration::from_secs(3), Duration::from_secs(3)).unwrap();
    let limit = LimitLayer::new(Key::everyone(), [Rule::general()]).unwrap().slow_down(slow);
    let stack = Stack::new().timeout(Duration::from_secs(1)).limit(limit);
    for waits in [0, 3] {
        let begun = tokio::time::Instant::now();
        let service = stack.layer(service_fn(quick));
        let response = service.oneshot(Request::default()).await.unwrap();
        assert_eq!((response.status().as_u16(), begun.elapsed().as_secs()), (200, waits));
    }
}
