//! The laws of a correct layer.

use buttress_conformance::{Laws, ProbeBody, assert_any_body, assert_error_type};
use buttress_request_id::{Accept, PropagateLayer, RequestIdLayer, X_CORRELATION_ID, X_REQUEST_ID};
use http::{HeaderValue, Request};
use tower_layer::Layer;

fn with_id(id: &'static str) -> impl Fn() -> Request<ProbeBody> {
    move || {
        let mut request = Request::new(ProbeBody::new().data("{}").exact());
        request.headers_mut().insert(X_REQUEST_ID, HeaderValue::from_static(id));
        request
    }
}

#[test]
fn a_minted_id_costs_five_allocations() {
    let layer = RequestIdLayer::new();
    assert_any_body(&layer);
    assert_error_type(&layer);
    // The id, and two for the first header of each map.
    Laws::of(layer).allocates(5).check();
}

#[test]
fn a_taken_id_costs_two_allocations() {
    // Two for the first header of the response.
    Laws::of(RequestIdLayer::new()).request(with_id("01890a5d")).allocates(2).check();
}

#[test]
fn every_setting_keeps_the_laws() {
    let layer = RequestIdLayer::new()
        .also_read([X_CORRELATION_ID])
        .also_echo([X_CORRELATION_ID])
        .accept(Accept::Never);
    Laws::of(layer).check();
    Laws::of(RequestIdLayer::new().echo(false)).check();
}

#[test]
fn inside_a_context_only_the_id_and_its_headers_are_added() {
    let outer = buttress_core::context::RequestContext::new();
    outer.set_request_id(HeaderValue::from_static("outer"));
    outer.scope(|| {
        Laws::of(RequestIdLayer::new()).request(with_id("outer")).allocates(2).check();
    });
}

#[test]
fn disabled_it_costs_nothing() {
    Laws::of(RequestIdLayer::disabled()).allocates(0).check();
    Laws::of(RequestIdLayer::disabled().header(X_CORRELATION_ID)).allocates(0).check();
}

#[test]
fn propagation_outside_of_a_request_costs_nothing() {
    let layer = PropagateLayer::new();
    assert_any_body(&layer);
    assert_error_type(&layer);
    Laws::of(layer).allocates(0).check();
}

#[test]
fn the_service_says_what_it_is_set_to() {
    let service = RequestIdLayer::new().layer(());
    assert!(format!("{service:?}").contains("x-request-id"));
}
