//! The laws of a correct layer.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::time::Duration;

use buttress_breaker::{
    Breaker, BreakerHandle, BreakerLayer, Bulkhead, BulkheadHandle, BulkheadLayer, Circuit,
    Gradient, OutcomeAt, Permit, Policy, ShedLayer, Window,
};
use buttress_conformance::{End, Laws, assert_any_body, assert_auto_traits, assert_error_type};
use tower::Layer;

/// Bears what the laws do to it: failures, drops, and probes that never come back.
fn policy() -> Policy {
    Policy::new().window(Window::consecutive(1_000_000))
}

fn layer(policy: Policy) -> BreakerLayer {
    BreakerLayer::new("upstream", policy).unwrap()
}

/// Calls that have come to an end, whatever it was.
fn ends(handle: &BreakerHandle) -> u64 {
    let totals = handle.totals();
    totals.successes + totals.failures + totals.slow + totals.ignored
}

#[test]
fn a_breaker_keeps_the_laws() {
    let windows = [
        Window::consecutive(1_000_000),
        Window::count(100_000),
        Window::time(Duration::from_secs(9)),
    ];
    for window in windows {
        let layer = layer(policy().window(window).min_calls(100_000));
        assert_auto_traits(&layer);
        assert_any_body(&layer);
        assert_error_type(&layer);
        let handle = layer.handle();
        Laws::of(layer).counts_calls(move || ends(&handle)).allocates(0).check();
    }
}

#[test]
fn a_breaker_that_times_calls_keeps_the_laws() {
    let layer = layer(policy().slow_calls(Duration::from_secs(60), 0.5));
    Laws::of(layer).allocates(0).check();
}

#[test]
fn a_breaker_that_waits_for_the_end_of_the_body_sees_each_end_once() {
    let layer = layer(policy()).outcome_at(OutcomeAt::EndOfBody);
    assert_any_body(&layer);
    let handle = layer.handle();
    let same = handle.clone();
    Laws::of(layer)
        .counts_calls(move || ends(&same))
        .counts_ends(End::ALL, move || ends(&handle))
        .allocates(0)
        .check();
}

#[test]
fn a_breaker_with_a_circuit_for_each_host_keeps_the_laws() {
    let layer = layer(policy()).key(|_| Some("one".into()));
    let handle = layer.handle();
    Laws::of(layer).counts_calls(move || ends(&handle)).allocates(0).check();
}

#[test]
fn a_disabled_breaker_keeps_the_laws() {
    let layer = layer(policy());
    layer.handle().disable();
    Laws::of(layer).allocates(0).check();
}

/// Room for one: whatever is not given back shows at once.
#[test]
fn a_bulkhead_keeps_the_laws() {
    let layer = BulkheadLayer::new("one", 1).unwrap();
    assert_auto_traits(&layer);
    assert_any_body(&layer);
    assert_error_type(&layer);
    let handle = layer.handle();
    Laws::of(layer).gauges_in_flight(move || handle.in_flight() as u64).allocates(0).check();
}

#[test]
fn an_adaptive_bulkhead_keeps_the_laws() {
    let gradient = Gradient::new().initial(100).min(100);
    let layer = BulkheadLayer::adaptive("upstream", gradient).unwrap();
    let handle = layer.handle();
    Laws::of(layer).gauges_in_flight(move || handle.in_flight() as u64).allocates(0).check();
}

#[cfg(feature = "wait")]
#[tokio::test(start_paused = true)]
async fn a_bulkhead_in_which_calls_wait_keeps_the_laws() {
    let layer = BulkheadLayer::new("one", 1).unwrap().wait(1_000, Duration::from_secs(1)).unwrap();
    let handle = layer.handle();
    let same = handle.clone();
    Laws::of(layer).gauges_in_flight(move || handle.in_flight() as u64).allocates(0).check();
    assert_eq!((same.in_flight(), same.waiting()), (0, 0));
}

#[test]
fn load_shedding_keeps_the_laws() {
    let layer = ShedLayer::new("test");
    assert_any_body(&layer);
    assert_error_type(&layer);
    let handle = layer.clone();
    Laws::of(layer).allocates(0).check();
    // Where the inner was not ready.
    assert!(handle.refused() > 0);
}

#[test]
fn a_service_of_what_is_no_debug_and_no_clone_can_be_made() {
    struct Plain;
    let _: Breaker<Plain> = layer(policy()).layer(Plain);
    let _: Bulkhead<Plain> = BulkheadLayer::new("one", 1).unwrap().layer(Plain);
}

#[test]
fn what_is_held_is_send_sync_and_debug() {
    fn assert_all<T: Send + Sync + std::fmt::Debug + 'static>() {}
    assert_all::<BreakerHandle>();
    assert_all::<BulkheadHandle>();
    assert_all::<Circuit>();
    assert_all::<Permit>();
}
