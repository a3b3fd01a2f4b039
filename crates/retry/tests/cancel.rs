//! A call that is dropped, at each of its awaits.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

mod support;

use std::{
    convert::Infallible,
    future::{Future, ready},
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
};

use buttress_retry::{Budget, Hedge, ReplayBody, RetryLayer};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use support::{Step, every, ms, status, upstream};
use tower::{Layer, ServiceExt, service_fn};

const RESERVE: u64 = 50;

fn layer() -> RetryLayer {
    RetryLayer::http()
        .max_attempts(4)
        .unwrap()
        .backoff(every(ms(20)))
        .unwrap()
        .attempt_timeout(ms(100))
        .unwrap()
        .budget(Budget::ratio(0.0).reserve(50))
        .unwrap()
}

/// Polls a call so often, a millisecond apart, and drops it; whether it had ended.
async fn drop_after(polls: u32, call: impl Future) -> bool {
    let mut call = pin!(call);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if call.as_mut().poll(&mut cx).is_ready() {
            return true;
        }
        tokio::time::advance(ms(1)).await;
    }
    false
}

/// What was taken from the budget is what was sent, wherever a call is dropped.
async fn check(layer: impl Fn() -> RetryLayer, script: fn(usize) -> Step) {
    let mut has_ended = false;
    let mut polls = 0;
    while !has_ended {
        let (layer, upstream) = (layer(), upstream(script));
        let put = Request::put("http://upstream/").body(Full::new(Bytes::from("body"))).unwrap();
        has_ended = drop_after(polls, layer.layer(upstream.clone()).oneshot(put)).await;
        let sent = upstream.calls() as u64;
        let handle = layer.handle();
        assert_eq!(handle.retries() + handle.hedges(), sent.saturating_sub(1), "{polls} polls");
        assert_eq!(handle.budget_left(), Some(RESERVE - sent.saturating_sub(1)), "{polls} polls");
        assert_eq!(upstream.under_way.load(Ordering::SeqCst), 0);
        polls += 1;
        assert!(polls < 2_000, "it ends");
    }
}

#[tokio::test(start_paused = true)]
async fn in_attempts_and_sleeps() {
    check(layer, |n| match n {
        1 => Step::After(ms(10), Box::new(status(503))),
        2 => Step::Hang,
        3 => Step::Error(std::io::ErrorKind::ConnectionReset),
        _ => Step::After(ms(5), Box::new(status(200))),
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn beside_a_hedge() {
    let hedged = || layer().hedge(Hedge::after(ms(30))).unwrap();
    check(hedged, |n| match n {
        1 => Step::Hang,
        2 => Step::After(ms(10), Box::new(status(503))),
        3 => Step::After(ms(40), Box::new(status(503))),
        _ => Step::After(ms(5), Box::new(status(200))),
    })
    .await;
}

/// An answer's body that stalls, and holds its connection as long as it lives.
struct Stalled {
    _connection: Arc<()>,
}

impl Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn while_a_failed_answer_is_drained() {
    for polls in 0..120 {
        let connection = Arc::new(());
        let held = Arc::clone(&connection);
        let inner = service_fn(move |_: Request<ReplayBody<Full<Bytes>>>| {
            let body = Stalled { _connection: Arc::clone(&held) };
            ready(Ok::<_, Infallible>(Response::builder().status(503).body(body).unwrap()))
        });
        let layer = layer().max_attempts(2).unwrap();
        let put = Request::put("http://upstream/").body(Full::default()).unwrap();
        let has_ended = drop_after(polls, layer.layer(inner).oneshot(put)).await;
        assert_eq!(Arc::strong_count(&connection), 1, "{polls} polls");
        let handle = layer.handle();
        assert_eq!(handle.budget_left(), Some(RESERVE - handle.retries()), "{polls} polls");
        assert_eq!(has_ended, handle.retries() == 1);
    }
}
