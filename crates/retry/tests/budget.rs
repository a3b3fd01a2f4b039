//! Budgets, through the layer.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

mod support;

use std::sync::{Arc, Mutex};

use buttress_retry::{Budget, Idempotency, RetryLayer, StopReason};
use http::{Request, Response};
use http_body_util::Full;
use support::{Step, Upstream, every, ms, request, status, statuses, upstream};
use tower::{Layer, ServiceExt};

async fn ask(layer: &RetryLayer, upstream: &Upstream) {
    let response = layer.layer(upstream.clone()).oneshot(request("GET")).await.unwrap();
    drop(response);
}

fn layer(budget: Budget) -> RetryLayer {
    RetryLayer::http().backoff(every(ms(1))).unwrap().budget(budget).unwrap()
}

#[tokio::test(start_paused = true)]
async fn three_quarters_of_10_000_requests_are_7_500_retries() {
    for (ratio, expected) in [(0.75, 7_500_u64), (0.6, 6_000), (0.2, 2_000)] {
        let layer = layer(Budget::ratio(ratio).reserve(0));
        let dead = statuses(&[503]);
        for _ in 0..10_000 {
            ask(&layer, &dead).await;
        }
        let retries = layer.handle().retries();
        assert!(retries.abs_diff(expected) <= 1, "{ratio}: {retries}");
        assert_eq!(dead.calls() as u64, 10_000 + retries);
    }
}

/// 503, 503, 200: the sequence in the tests of the AWS SDKs.
#[tokio::test(start_paused = true)]
async fn the_quota_goes_from_500_to_495_to_490_and_to_495() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let layer = layer(Budget::quota());
    let handle = layer.handle();
    let note = Arc::clone(&seen);
    let upstream = upstream(move |n| {
        note.lock().unwrap().push(handle.budget_left().unwrap());
        status(if n < 3 { 503 } else { 200 })
    });
    ask(&layer, &upstream).await;
    seen.lock().unwrap().push(layer.handle().budget_left().unwrap());
    assert_eq!(*seen.lock().unwrap(), [500, 495, 490, 495]);
    // And one for a first attempt that goes well.
    ask(&layer, &upstream).await;
    assert_eq!(layer.handle().budget_left(), Some(496));
}

#[tokio::test(start_paused = true)]
async fn after_a_timeout_the_quota_takes_10() {
    let layer = layer(Budget::quota()).attempt_timeout(ms(5)).unwrap().max_attempts(2).unwrap();
    ask(&layer, &upstream(|_| Step::Hang)).await;
    assert_eq!(layer.handle().budget_left(), Some(490));
}

/// gRFC A6: 10 tokens, retries above 5.
#[tokio::test(start_paused = true)]
async fn the_throttle_stops_retries_at_half_of_its_tokens() {
    let layer = RetryLayer::grpc()
        .idempotency(Idempotency::all())
        .max_attempts(2)
        .unwrap()
        .backoff(every(ms(1)))
        .unwrap()
        .budget(Budget::throttle(10, 0.5))
        .unwrap();
    let mut tokens = Vec::new();
    let dead = statuses(&[503]);
    for _ in 0..4 {
        ask(&layer, &dead).await;
        tokens.push((layer.handle().budget_left().unwrap(), layer.handle().retries()));
    }
    // Two failures and a retry between them; at 5 the retry is not sent.
    assert_eq!(tokens, [(8, 1), (6, 2), (5, 2), (4, 2)]);
    let good = upstream(|_| {
        let mut answer = support::answer(200);
        answer.headers_mut().insert("grpc-status", "0".parse().unwrap());
        Step::Answer(answer)
    });
    for _ in 0..6 {
        ask(&layer, &good).await;
    }
    assert_eq!(layer.handle().budget_left(), Some(7));
    ask(&layer, &dead).await;
    assert_eq!(layer.handle().retries(), 3);
}

#[tokio::test(start_paused = true)]
async fn concurrent_retries_are_a_share_of_what_is_under_way() {
    let layer = layer(Budget::concurrency(0.5).reserve(0)).max_attempts(2).unwrap();
    // Each first attempt fails, each retry hangs.
    let upstream = upstream(|n| match n {
        1..=8 => Step::After(ms(10), Box::new(status(503))),
        _ => Step::Hang,
    });
    let calls: Vec<_> = (0..8)
        .map(|_| tokio::spawn(layer.layer(upstream.clone()).oneshot(request("GET"))))
        .collect();
    tokio::time::sleep(ms(50)).await;
    // Eight are under way when the first decides, and fewer for each that has given up.
    assert_eq!(layer.handle().retries(), 4);
    assert_eq!(layer.handle().stopped(StopReason::Budget), 4);
    for call in calls {
        call.abort();
        let _ = call.await;
    }
    assert_eq!(layer.handle().budget_left(), Some(0), "none is under way, and none is reserved");
}

/// 27 times without budgets.
#[tokio::test(start_paused = true)]
async fn three_layers_on_a_dead_backend_send_at_most_1_728_times_the_load() {
    const REQUESTS: usize = 5_000;
    let own = || layer(Budget::ratio(0.2).reserve(0));
    let (outer, middle, inner) = (own(), own(), own());
    let dead = statuses(&[503]);
    for _ in 0..REQUESTS {
        let service = outer.layer(middle.layer(inner.layer(dead.clone())));
        let _ = service.oneshot(request("GET")).await.unwrap();
    }
    assert!(dead.calls() * 1_000 <= REQUESTS * 1_728, "{}", dead.calls());
    assert!(dead.calls() * 1_000 > REQUESTS * 1_700, "they do retry: {}", dead.calls());

    let own = || layer(Budget::unlimited());
    let (outer, middle, inner) = (own(), own(), own());
    let dead = statuses(&[503]);
    let service = outer.layer(middle.layer(inner.layer(dead.clone())));
    let _ = service.oneshot(request("GET")).await.unwrap();
    assert_eq!(dead.calls(), 27);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_leaves_the_others_their_budget() {
    let layer = layer(Budget::ratio(0.0).reserve(2).per_host());
    let upstream = statuses(&[503]);
    let to = |host: &str| {
        let mut request = request("GET");
        *request.uri_mut() = format!("http://{host}/").parse().unwrap();
        layer.layer(upstream.clone()).oneshot(request)
    };
    for _ in 0..5 {
        let _: Response<_> = to("a.example").await.unwrap();
    }
    assert_eq!(layer.handle().retries(), 2);
    let _ = to("b.example").await.unwrap();
    assert_eq!((layer.handle().retries(), layer.handle().hosts()), (4, 2));
    // A password is no part of the host, and a name that none can have gets no budget.
    let _ = to("user:secret@b.example").await.unwrap();
    let _ = to(&"x".repeat(300)).await.unwrap();
    assert_eq!(layer.handle().hosts(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_services_of_one_layer_share_its_budget() {
    let layer = layer(Budget::ratio(0.0).reserve(7));
    for _ in 0..1_000 {
        ask(&layer, &statuses(&[503])).await;
    }
    assert_eq!((layer.handle().retries(), layer.handle().calls()), (7, 1_000));
}

#[test]
fn what_could_never_be_is_refused() {
    assert!(RetryLayer::http().budget(Budget::ratio(-1.0)).is_err());
    let _: Request<Full<bytes::Bytes>> = request("GET");
}
