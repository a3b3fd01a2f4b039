//! The laws of a correct layer.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use buttress_conformance::{Law, Laws, allocations};
use buttress_headers::{CspNonce, SecurityHeaders, SecurityHeadersLayer};
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use tower::{Layer, Service};

/// It changes the answer's headers: that is what it is for.
fn laws(layer: SecurityHeadersLayer) -> Laws<SecurityHeadersLayer> {
    Laws::of(layer).except(Law::Response)
}

/// The clone of the ready map: its index and its entries.
#[test]
fn the_layer_keeps_the_laws() {
    laws(SecurityHeadersLayer::api()).allocates(2).check();
    laws(SecurityHeadersLayer::web()).allocates(2).check();
    laws(SecurityHeadersLayer::owasp()).allocates(2).check();
    laws(SecurityHeadersLayer::none()).allocates(0).check();
}

/// The nonce puts itself into the request's extensions.
#[test]
fn the_layer_keeps_the_laws_with_a_nonce() {
    laws(SecurityHeadersLayer::web_strict()).except(Law::Request).check();
}

/// What the layer adds to an answer that has two headers already, reserved in full.
#[test]
fn an_answer_with_headers_costs_three_allocations_at_most() {
    let answer = || {
        let mut response = Response::new(());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        response.headers_mut().insert("x-request-id", HeaderValue::from_static("1"));
        response
    };
    let mut bare =
        tower::service_fn(move |_: Request<()>| std::future::ready(Ok::<_, ()>(answer())));
    let mut layered = SecurityHeadersLayer::web().layer(bare);
    let bare = allocations(|| bare.call(Request::new(())).now_or_never());
    let layered = allocations(|| layered.call(Request::new(())).now_or_never());
    assert!(layered - bare <= 3, "{}", layered - bare);
}

#[test]
fn a_service_of_what_is_no_debug_and_no_clone_can_be_made() {
    struct Plain;
    let _: SecurityHeaders<Plain> = SecurityHeadersLayer::web().layer(Plain);
}

#[test]
fn what_a_handler_holds_is_clone_send_sync_and_debug() {
    fn assert_all<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    assert_all::<SecurityHeadersLayer>();
    assert_all::<CspNonce>();
    assert_all::<buttress_headers::HeadersOverride>();
    assert_all::<buttress_headers::SecureWhen>();
}
