//! The laws of a correct layer.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use buttress_conformance::{
    Law, Laws, allocations, assert_any_body, assert_auto_traits, assert_error_type,
};
use buttress_limit::{
    Key, LegacyReset, Limit, LimitHandle, LimitLayer, MemoryStore, Missing, Rule, minutes, requests,
};
use futures_util::FutureExt;
use http::{Request, Response};
use tower::{Layer, Service};

fn plenty(name: &'static str) -> Rule {
    Rule::new(name, requests(1_000_000).per(minutes(1))).unwrap()
}

fn layer() -> LimitLayer {
    LimitLayer::new(Key::everyone(), [plenty("a"), plenty("b")]).unwrap()
}

/// Each way in which a layer can be put together.
fn shapes() -> Vec<(&'static str, LimitLayer)> {
    let failures = || LimitLayer::new(Key::everyone(), [plenty("f").failures_only()]).unwrap();
    let windows = requests(1_000_000).per(minutes(1)).fixed_window();
    let window = Rule::new("window", windows).unwrap();
    let ladder = Key::peer().missing(Missing::Share).ipv6_ladder([(64, 1), (48, 2)]).unwrap();
    vec![
        ("plain", layer()),
        ("one rule", LimitLayer::new(Key::everyone(), [plenty("a")]).unwrap()),
        ("of all rules", layer().headers_of_all_rules()),
        ("old headers", layer().legacy_headers(LegacyReset::Epoch)),
        ("failures only", failures()),
        ("failures only, of all rules", failures().headers_of_all_rules()),
        ("a window", LimitLayer::new(Key::everyone(), [window]).unwrap()),
        ("a shadow", LimitLayer::new(Key::everyone(), [plenty("a").shadow()]).unwrap()),
        ("a ladder", LimitLayer::new(ladder, [plenty("a")]).unwrap()),
        ("costs", layer().cost(|_| 3)),
        ("later", layer().charge_later()),
        ("lists", layer().allow_if(|_| false).deny_if(|_| false)),
        ("allowed", layer().allow_if(|_| true)),
        ("a tier", layer().tier("t", [plenty("b")]).unwrap().tier_by(|_| Some("t"))),
        #[cfg(feature = "governor")]
        ("governor", {
            let many = std::num::NonZeroU32::new(1_000_000).unwrap();
            let limiter = governor::RateLimiter::keyed(governor::Quota::per_second(many));
            layer().governor("steady", std::sync::Arc::new(limiter)).unwrap()
        }),
    ]
}

/// It changes the answer's headers: that is what it is for.
#[test]
fn the_layer_keeps_the_laws_in_every_shape() {
    for (shape, layer) in shapes() {
        assert_auto_traits(&layer);
        assert_any_body(&layer);
        assert_error_type(&layer);
        let findings = Laws::of(layer).except(Law::Response).findings();
        assert!(findings.is_empty(), "{shape}: {findings:?}");
    }
}

/// Where nothing is written, the answer is as it was; and what admits a call is counted by the
/// layer, not by its services.
#[test]
fn without_headers_the_layer_keeps_all_laws_in_every_shape() {
    for (shape, layer) in shapes() {
        let layer = layer.without_headers();
        let handle = layer.handle();
        let calls = move || handle.stats().admitted + handle.stats().allowed;
        let findings = Laws::of(layer).counts_calls(calls).findings();
        assert!(findings.is_empty(), "{shape}: {findings:?}");
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
