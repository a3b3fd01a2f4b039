//! What the kit finds in three layers of tower-http 0.7.1, to the last finding. A test that fails
//! here after an update means that a layer was mended, or broken: correct the table in the README.

#![allow(clippy::expect_used, reason = "a test is meant to panic")]

use std::fmt::Debug;
use std::rc::Rc;
use std::time::Duration;

use buttress_conformance::{
    Finding, Law, Laws, OpaqueBody, ProbeBody, ProbeService, Subject, assert_any_body,
    assert_auto_traits, assert_error_type, implements,
};
use http::{Request, StatusCode};
use tokio::runtime::{Builder, Runtime};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::{ResponseBodyTimeout, ResponseBodyTimeoutLayer, Timeout, TimeoutLayer};
use tower_service::Service;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A runtime whose clock moves when it is told to.
fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// Asserts that the layer breaks these laws and no other, inside a runtime with paused time.
#[track_caller]
fn finds<L: Subject>(layer: L, expected: &[Law]) {
    let runtime = Rc::new(paused());
    let clock = Rc::clone(&runtime);
    let _inside = runtime.enter();
    let laws =
        Laws::of(layer).passes_time(move || clock.block_on(tokio::time::advance(2 * TIMEOUT)));
    let findings = laws.findings();
    let found: Vec<_> = findings.iter().map(Finding::law).collect();
    assert_eq!(
        found, expected,
        "not what the README's table says of this layer; correct it. Found: {findings:#?}"
    );
}

#[test]
fn timeout_prefers_its_timer_to_an_answer() {
    let layer = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, TIMEOUT);
    assert_auto_traits(&layer);
    assert_error_type(&layer);
    finds(layer, &[Law::ReadyAnswer]);
}

#[test]
fn timeout_asks_for_a_body_with_a_default() {
    assert!(!implements!(
        Timeout<ProbeService<OpaqueBody>>: Service<Request<ProbeBody>>
    ));
}

#[test]
fn response_body_timeout_forgets_sizes_and_ends() {
    let layer = ResponseBodyTimeoutLayer::new(TIMEOUT);
    assert_any_body(&layer);
    assert_error_type(&layer);
    finds(layer, &[Law::Sizes, Law::AfterEnd, Law::ReadyAnswer]);
}

#[test]
fn response_body_timeout_has_no_debug() {
    assert!(!implements!(ResponseBodyTimeoutLayer: Debug));
    assert!(!implements!(ResponseBodyTimeout<ProbeService>: Debug));
}

#[test]
fn request_body_limit_changes_the_request_body() {
    let layer = RequestBodyLimitLayer::new(1024);
    assert_auto_traits(&layer);
    assert_any_body(&layer);
    assert_error_type(&layer);
    finds(layer, &[Law::RequestBody, Law::AfterEnd]);
}
