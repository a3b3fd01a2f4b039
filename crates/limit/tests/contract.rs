//! The laws of a correct layer.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use buttress_conformance::{
    Law, Laws, allocations, assert_any_body, assert_auto_traits, assert_error_type,
};
use buttress_limit::{Key, Limit, LimitHandle, LimitLayer, MemoryStore, Rule, minutes, requests};
use futures_util::FutureExt;
use http::{Request, Response};
use tower::{Layer, Service};

fn plenty(name: &'static str) -> Rule {
    Rule::new(name, requests(1_000_000).per(minutes(1))).unwrap()
}

fn layer() -> LimitLayer {
    LimitLayer::new(Key::everyone(), [plenty("a"), plenty("b")]).unwrap()
}

/// It changes the answer's headers: that is what it is for.
#[test]
fn the_layer_keeps_the_laws() {
    for layer in [layer(), layer().headers_of_all_rules()] {
        assert_auto_traits(&layer);
        assert_any_body(&layer);
        assert_error_type(&layer);
        Laws::of(layer).except(Law::Response).check();
    }
}

#[test]
fn without_headers_the_answer_is_as_it_was() {
    let layer = layer().without_headers();
    let handle = layer.handle();
    Laws::of(layer).counts_calls(move || handle.stats().admitted).allocates(0).check();
}

#[test]
fn the_layer_keeps_the_laws_when_failures_count() {
    let rule = plenty("failures").failures_only();
    let layer = LimitLayer::new(Key::everyone(), [rule]).unwrap().without_headers();
    Laws::of(layer).allocates(0).check();
}

/// The map's two, and the value of `RateLimit`.
#[test]
fn the_headers_cost_three_allocations() {
    // Once, the policy's value becomes one that is shared.
    let mut service = layer().layer(tower::service_fn(|_: Request<()>| {
        std::future::ready(Ok::<_, ()>(Response::new(())))
    }));
    let _ = service.call(Request::new(())).now_or_never();
    assert_eq!(allocations(|| service.call(Request::new(())).now_or_never()), 3);
}

#[cfg(feature = "slow-down")]
#[tokio::test(start_paused = true)]
async fn a_layer_that_slows_down_keeps_the_laws() {
    use std::time::Duration;

    let never = Duration::from_secs(1);
    let slow = buttress_limit::SlowDown::new(1 << 40, never, never).unwrap();
    Laws::of(layer().slow_down(slow)).except(Law::Response).check();
}

#[test]
fn a_service_of_what_is_no_debug_and_no_clone_can_be_made() {
    struct Plain;
    let _: Limit<Plain> = layer().layer(Plain);
}

#[test]
fn what_is_held_is_clone_send_sync_and_debug() {
    fn assert_all<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    assert_all::<LimitHandle>();
    assert_all::<MemoryStore>();
    assert_all::<Key>();
    assert_all::<Rule>();
    assert_all::<buttress_limit::Limiter>();
    assert_all::<buttress_limit::Charge>();
}
