//! A second try beside a slow one.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod support;

use std::{sync::atomic::Ordering, time::Duration};

use buttress_retry::{Budget, Hedge, RetryInfo, RetryLayer, StopReason};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use support::{Step, Upstream, every, ms, request, status, upstream};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

fn layer() -> RetryLayer {
    RetryLayer::http()
        .backoff(every(ms(1_000)))
        .unwrap()
        .budget(Budget::ratio(0.0).reserve(5))
        .unwrap()
        .hedge(Hedge::after(ms(50)))
        .unwrap()
}

async fn ask(
    layer: &RetryLayer,
    upstream: &Upstream,
    request: Request<Full<Bytes>>,
) -> (u16, u32, Duration) {
    let began = Instant::now();
    let response = layer.layer(upstream.clone()).oneshot(request).await.unwrap();
    let took = began.elapsed();
    let status = response.status().as_u16();
    (status, RetryInfo::of(&response).attempts(), took)
}

fn slow(delay: u64, code: u16) -> Step {
    Step::After(ms(delay), Box::new(status(code)))
}

#[tokio::test(start_paused = true)]
async fn the_first_good_answer_is_taken_and_the_other_try_is_dropped() {
    let (layer, upstream) =
        (layer(), upstream(|n| if n == 1 { Step::Hang } else { slow(20, 200) }));
    assert_eq!(ask(&layer, &upstream, request("GET")).await, (200, 2, ms(70)));
    assert_eq!(upstream.under_way.load(Ordering::SeqCst), 0);
    assert_eq!((layer.handle().hedges(), layer.handle().retries()), (1, 0));
    assert_eq!(layer.handle().budget_left(), Some(4));
}

#[tokio::test(start_paused = true)]
async fn the_first_try_may_win() {
    let (layer, upstream) =
        (layer(), upstream(|n| if n == 1 { slow(60, 200) } else { slow(60, 201) }));
    assert_eq!(ask(&layer, &upstream, request("GET")).await, (200, 2, ms(60)));
    assert_eq!(upstream.under_way.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_time_is_not_hedged() {
    let (layer, upstream) = (layer(), upstream(|_| slow(50, 200)));
    assert_eq!(ask(&layer, &upstream, request("GET")).await, (200, 1, ms(50)));
    assert_eq!((upstream.calls(), layer.handle().budget_left()), (1, Some(5)));
}

#[tokio::test(start_paused = true)]
async fn a_failure_waits_for_the_other_try() {
    let (layer, upstream) =
        (layer(), upstream(|n| if n == 1 { slow(60, 503) } else { slow(60, 200) }));
    assert_eq!(ask(&layer, &upstream, request("GET")).await, (200, 2, ms(110)));
    let upstream = support::upstream(|n| match n {
        1 => slow(60, 503),
        2 => slow(60, 502),
        _ => status(200),
    });
    // Where both fail, what remains is retried.
    assert_eq!(ask(&layer, &upstream, request("GET")).await, (200, 3, ms(1_110)));
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_repeated_is_not_hedged() {
    let (layer, upstream) = (layer(), upstream(|_| slow(200, 200)));
    assert_eq!(ask(&layer, &upstream, request("POST")).await, (200, 1, ms(200)));
}

#[tokio::test(start_paused = true)]
async fn without_a_token_or_an_attempt_or_room_there_is_no_hedge() {
    let slow = || upstream(|_| slow(200, 200));
    let broke = layer().budget(Budget::ratio(0.0).reserve(0)).unwrap();
    assert_eq!(ask(&broke, &slow(), request("GET")).await, (200, 1, ms(200)));
    let once = layer().max_attempts(1).unwrap();
    assert_eq!(ask(&once, &slow(), request("GET")).await, (200, 1, ms(200)));
    let (full, layer) = (slow(), layer());
    full.room.store(1, Ordering::SeqCst);
    assert_eq!(ask(&layer, &full, request("GET")).await, (200, 1, ms(200)));
    assert_eq!(layer.handle().budget_left(), Some(5), "what was not sent is given back");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_still_on_its_way_is_not_hedged() {
    // It is not read, so nobody can know it.
    let upstream = upstream(|n| match n {
        1 => Step::Unread(support::answer(200)),
        _ => status(201),
    });
    let inner = {
        let upstream = upstream.clone();
        tower::service_fn(move |request: Request<_>| {
            let upstream = upstream.clone();
            async move {
                tokio::time::sleep(ms(200)).await;
                upstream.oneshot(request).await
            }
        })
    };
    let put = request("PUT").map(|_| Full::new(Bytes::from_static(b"body")));
    let layer = layer();
    let response = layer.layer(inner).oneshot(put).await.unwrap();
    assert_eq!((response.status().as_u16(), upstream.calls()), (200, 1));
    assert_eq!(layer.handle().hedges(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_drop_drops_both() {
    let (layer, upstream) = (layer(), upstream(|_| Step::Hang));
    let call = Box::pin(layer.layer(upstream.clone()).oneshot(request("GET")));
    assert!(tokio::time::timeout(ms(70), call).await.is_err());
    assert_eq!((upstream.calls(), upstream.under_way.load(Ordering::SeqCst)), (2, 0));
    assert_eq!(layer.handle().budget_left(), Some(4), "it was sent");
}

#[tokio::test(start_paused = true)]
async fn by_a_quantile_nothing_is_hedged_until_it_is_known() {
    let layer = layer().hedge(Hedge::quantile(0.9)).unwrap();
    let usual = upstream(|n| slow(if n % 10 == 0 { 90 } else { 10 }, 200));
    for _ in 0..128 {
        assert_eq!(ask(&layer, &usual, request("GET")).await.1, 1);
    }
    let stuck = upstream(|n| if n == 1 { Step::Hang } else { status(200) });
    let (status, attempts, took) = ask(&layer, &stuck, request("GET")).await;
    assert_eq!((status, attempts), (200, 2));
    assert!((ms(10)..=ms(100)).contains(&took), "{took:?}");
    assert_eq!(layer.handle().stopped(StopReason::Done), 129);
}

/// What a success pays is paid once, and by the attempt that had it.
#[tokio::test(start_paused = true)]
async fn a_hedge_that_wins_pays_once() {
    let quota = layer().budget(Budget::quota()).unwrap();
    let throttle = layer().budget(Budget::throttle(10, 1.0)).unwrap();
    // Failures before it, so that there is room for what a success pays.
    for (layer, before, after) in [(quota, 480, 480), (throttle, 6, 7)] {
        let once = layer.clone().max_attempts(1).unwrap();
        for _ in 0..4 {
            ask(&once, &upstream(|_| status(503)), request("GET")).await;
        }
        let handle = layer.handle();
        if before == 480 {
            let twice = layer.clone().max_attempts(2).unwrap();
            for _ in 0..4 {
                ask(&twice, &upstream(|_| status(503)), request("GET")).await;
            }
        }
        assert_eq!(handle.budget_left(), Some(before));
        let slow = upstream(|n| if n == 1 { Step::Hang } else { slow(20, 200) });
        assert_eq!(ask(&layer, &slow, request("GET")).await, (200, 2, ms(70)));
        assert_eq!(handle.budget_left(), Some(after));
    }
}

/// gRFC A6: each call that fails takes a token, a hedge as any other.
#[tokio::test(start_paused = true)]
async fn both_tries_that_fail_count_as_failures() {
    let layer = layer().budget(Budget::throttle(10, 1.0)).unwrap().max_attempts(2).unwrap();
    let dead = upstream(|_| slow(80, 503));
    assert_eq!(ask(&layer, &dead, request("GET")).await, (503, 2, ms(130)));
    assert_eq!(layer.handle().budget_left(), Some(8));
}
