//! Layers that keep every law pass, also with every word given.

mod support;

use std::sync::Arc;

use buttress_conformance::{End, Laws, assert_any_body, assert_auto_traits, assert_error_type};
use support::account::AccountLayer;
use support::bodies::{Fault, FaultyLayer};
use support::{call, odd, ready};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_layer::Identity;

#[test]
fn a_layer_that_does_nothing() {
    Laws::of(Identity::new()).check();
    assert_auto_traits(&Identity::new());
    assert_any_body(&Identity::new());
    assert_error_type(&Identity::new());
}

#[test]
fn a_service_that_forwards() {
    Laws::of(odd(ready, call)).check();
}

#[test]
fn a_body_that_forwards() {
    Laws::of(FaultyLayer(Fault::Nothing)).check();
}

#[test]
fn a_layer_that_keeps_account_to_the_end_of_the_body() {
    let layer = AccountLayer::default();
    assert_any_body(&layer);
    assert_error_type(&layer);
    let [calls, ends, in_flight] = std::array::from_fn(|_| Arc::clone(&layer.account));
    let laws = Laws::of(layer)
        .counts_calls(move || calls.calls())
        .counts_ends(End::ALL, move || ends.ends())
        .gauges_in_flight(move || in_flight.in_flight())
        .passes_time(|| {});
    #[cfg(feature = "allocations")]
    let laws = laws.allocates(0);
    laws.check();
}

#[test]
fn a_limiter_with_room_for_one_call() {
    Laws::of(GlobalConcurrencyLimitLayer::new(1)).check();
}

#[test]
fn a_service_that_moves_into_its_future_after_a_swap() {
    use support::Boxed;
    use tower_service::Service;

    Laws::of(odd(ready, |inner, request| {
        let not_ready_inner = inner.clone();
        let mut ready_inner = std::mem::replace(inner, not_ready_inner);
        Box::pin(async move { ready_inner.call(request).await }) as Boxed<_>
    }))
    .check();
}
