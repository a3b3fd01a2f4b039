//! Deadlines: read, in force, and handed on.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod support;

use std::{convert::Infallible, future::pending, time::Duration};

use buttress_conformance::{Laws, assert_any_body, assert_auto_traits, assert_error_type};
use buttress_core::reject::Rejected;
use buttress_retry::{
    Backoff, Budget, Deadline, DeadlineHeader, DeadlineLayer, RetryLayer, retry, time_limit,
};
use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body_util::Full;
use support::{Step, every, ms, request, status, upstream};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

const MILLIS: HeaderName = HeaderName::from_static("x-timeout-ms");

/// How much time the handler has.
async fn left(layer: &DeadlineLayer, request: Request<()>) -> Option<Duration> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let handler = service_fn(|request: Request<()>| {
        let sender = sender.lock().unwrap().take();
        async move {
            tokio::task::yield_now().await;
            let current = Deadline::current();
            assert_eq!(request.extensions().get().copied(), current);
            let _ = sender.unwrap().send(current.map(Deadline::left));
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    assert_eq!(Deadline::current(), None);
    layer.layer(handler).oneshot(request).await.unwrap();
    assert_eq!(Deadline::current(), None);
    receiver.await.unwrap()
}

fn asking(name: HeaderName, value: &str) -> Request<()> {
    Request::builder().header(name, value).body(()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_what_the_caller_says_within_the_bounds() {
    let grpc = HeaderName::from_static("grpc-timeout");
    let layer = DeadlineLayer::new()
        .header(DeadlineHeader::grpc())
        .header(DeadlineHeader::millis(MILLIS))
        .default_timeout(ms(2_000))
        .unwrap()
        .max_timeout(ms(10_000))
        .unwrap();
    let cases = [
        (asking(grpc.clone(), "1500m"), 1_500),
        (asking(MILLIS, "300"), 300),
        (asking(grpc.clone(), "1H"), 10_000),
        (asking(grpc.clone(), "soon"), 2_000),
        (Request::new(()), 2_000),
        (asking(MILLIS, "18446744073709551615"), 10_000),
    ];
    for (request, expected) in cases {
        assert_eq!(left(&layer, request).await, Some(ms(expected)));
    }
    assert_eq!(left(&DeadlineLayer::new(), asking(grpc, "1S")).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_answer_says_that_it_was_too_late() {
    let layer = DeadlineLayer::new().default_timeout(ms(50)).unwrap();
    let never = service_fn(|_: Request<()>| pending::<Result<Response<Full<Bytes>>, Infallible>>());
    let began = Instant::now();
    let answer = layer.layer(never).oneshot(Request::new(())).await.unwrap();
    assert_eq!((answer.status().as_u16(), began.elapsed()), (504, ms(50)));
    assert_eq!(answer.extensions().get::<Rejected>().unwrap().reason(), "deadline_exceeded");

    let call = asking(HeaderName::from_static("content-type"), "application/grpc");
    let answer = layer.layer(never).oneshot(call).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["grpc-status"]),
        (200, &"4".parse().unwrap())
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_calls_is_bounded_by_what_is_left() {
    let retrying = RetryLayer::http()
        .deadline_header(DeadlineHeader::millis(MILLIS))
        .backoff(every(ms(30)))
        .unwrap()
        .budget(Budget::unlimited())
        .unwrap();
    let upstream = upstream(|n| if n < 3 { status(503) } else { Step::Hang });
    let handler = {
        let upstream = upstream.clone();
        service_fn(move |_: Request<()>| {
            let client = retrying.layer(upstream.clone());
            async move {
                let _ = client.oneshot(request("GET")).await;
                pending::<Result<Response<Full<Bytes>>, Infallible>>().await
            }
        })
    };
    let layer = DeadlineLayer::new().default_timeout(ms(100)).unwrap();
    let answer = layer.layer(handler).oneshot(Request::new(())).await.unwrap();
    assert_eq!(answer.status(), 504);
    let told: Vec<_> = upstream.seen().iter().map(|seen| seen.headers[MILLIS].clone()).collect();
    assert_eq!(told, ["100", "70", "40"]);
}

#[tokio::test(start_paused = true)]
async fn around_a_client_it_tells_what_is_left() {
    let upstream = upstream(|_| status(200));
    let layer = DeadlineLayer::new()
        .default_timeout(ms(500))
        .unwrap()
        .forward(DeadlineHeader::millis(MILLIS));
    let client = layer.layer(RetryLayer::http().layer(upstream.clone()));
    let _ = client.oneshot(request("GET")).await.unwrap();
    assert_eq!(upstream.seen()[0].headers[MILLIS], "500");
}

#[tokio::test(start_paused = true)]
async fn a_function_is_retried_until_the_deadline() {
    let began = Instant::now();
    let failing = retry(Backoff::constant(ms(30)), || async { Err::<(), _>(Instant::now()) });
    let last = Deadline::within(ms(100)).scope(failing).await.unwrap_err();
    assert_eq!(last - began, ms(90));
    assert_eq!(began.elapsed(), ms(90), "and not slept to the deadline");
}

#[tokio::test(start_paused = true)]
async fn a_back_off_that_ends_ends_a_retry() {
    let tries = std::cell::Cell::new(0);
    let failing = || async {
        tries.set(tries.get() + 1);
        Err::<(), _>(tries.get())
    };
    assert_eq!(retry(Backoff::constant(ms(1)).max_retries(4), failing).await, Err(5));
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_is_the_earlier_of_its_own_and_the_deadline() {
    let began = Instant::now();
    assert!(time_limit(ms(50), pending::<()>()).await.is_err());
    assert_eq!(began.elapsed(), ms(50));
    let began = Instant::now();
    assert!(Deadline::within(ms(20)).scope(time_limit(ms(50), pending::<()>())).await.is_err());
    assert_eq!(began.elapsed(), ms(20));
    let left = time_limit(ms(50), async { Deadline::current().unwrap().left() }).await;
    assert_eq!(left, Ok(ms(50)));
}

#[test]
fn no_time_at_all_is_refused() {
    assert!(DeadlineLayer::new().default_timeout(Duration::ZERO).is_err());
    assert!(DeadlineLayer::new().max_timeout(Duration::ZERO).is_err());
    assert!(RetryLayer::http().attempt_timeout(Duration::ZERO).is_err());
    assert!(RetryLayer::http().total_timeout(Duration::ZERO).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_layer_keeps_the_laws() {
    let bounded = DeadlineLayer::new().default_timeout(ms(1_000_000)).unwrap();
    for layer in [DeadlineLayer::new(), bounded] {
        assert_auto_traits(&layer);
        assert_any_body(&layer);
        assert_error_type(&layer);
        Laws::of(layer).check();
    }
    Laws::of(DeadlineLayer::new()).allocates(0).check();
}

/// An answer's body that never ends.
struct Stalled;

impl http_body::Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_answer_that_stalls_does_not_take_the_time_of_the_next_attempt() {
    let began = Instant::now();
    let sent = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let times = std::sync::Arc::clone(&sent);
    let inner = service_fn(move |_: Request<_>| {
        times.lock().unwrap().push(began.elapsed());
        async { Ok::<_, Infallible>(Response::builder().status(503).body(Stalled).unwrap()) }
    });
    let layer = RetryLayer::http()
        .backoff(every(ms(1)))
        .unwrap()
        .max_attempts(2)
        .unwrap()
        .total_timeout(ms(40))
        .unwrap();
    let request = Request::get("http://upstream/").body(Full::<Bytes>::default()).unwrap();
    layer.layer(inner).oneshot(request).await.unwrap();
    let sent = sent.lock().unwrap().clone();
    assert_eq!(sent.len(), 2);
    assert!(sent[1] <= ms(10), "{:?} of 40 ms", sent[1]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_too_late_does_not_reach_the_handler() {
    let handler = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let layer = DeadlineLayer::new().header(DeadlineHeader::grpc());
    let response = layer
        .layer(handler)
        .oneshot(asking(HeaderName::from_static("grpc-timeout"), "0n"))
        .await
        .unwrap();
    assert_eq!(response.status(), 504);
    assert_eq!(response.extensions().get::<Rejected>().unwrap().layer(), "deadline");
}

/// A stream that has no message yet: nothing hangs on what may follow.
#[tokio::test(start_paused = true)]
async fn the_head_of_a_call_that_is_not_repeated_is_not_held_up() {
    let inner = service_fn(|_: Request<_>| async { Ok::<_, Infallible>(Response::new(Stalled)) });
    let once = RetryLayer::grpc();
    let last = RetryLayer::grpc().idempotent_methods(["a.B"]).max_attempts(1).unwrap();
    let again = RetryLayer::grpc().idempotent_methods(["a.B"]);
    for (layer, took) in [(once, 0), (last, 0), (again, 10)] {
        let began = Instant::now();
        let request = Request::post("http://upstream/a.B/C").body(Full::<Bytes>::default());
        layer.layer(inner).oneshot(request.unwrap()).await.unwrap();
        let elapsed = began.elapsed();
        assert!((ms(took)..=ms(took + 1)).contains(&elapsed), "{elapsed:?} of {took} ms");
    }
}
