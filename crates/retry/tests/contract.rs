//! The laws of a correct layer.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use buttress_conformance::{
    Law, Laws, ProbeBody, allocations, assert_any_body, assert_auto_traits, assert_error_type,
};
use buttress_retry::{
    Backoff, Budget, Deadline, Hedge, Idempotency, PeekedBody, Repeat, ReplayBody, Retry,
    RetryHandle, RetryLayer,
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use tower::{Layer, Service};

/// An error is retried at once, until the budget is used up: the inner one's comes out.
fn layer() -> RetryLayer {
    RetryLayer::http().budget(Budget::ratio(0.0).reserve(0)).unwrap()
}

/// The request's body becomes one that can be sent again: that is what it is for.
#[tokio::test(start_paused = true)]
async fn the_layer_keeps_the_laws() {
    let timed = layer().attempt_timeout(std::time::Duration::from_secs(1_000_000)).unwrap();
    for layer in [layer(), timed] {
        let handle = layer.handle();
        assert_auto_traits(&layer);
        assert_any_body(&layer);
        assert_error_type(&layer);
        Laws::of(layer).except(Law::RequestBody).counts_calls(move || handle.calls()).check();
    }
}

#[tokio::test(start_paused = true)]
async fn the_layer_keeps_the_laws_around_a_body() {
    let request = || {
        let mut request = Request::new(ProbeBody::new().data("{}").exact());
        *request.method_mut() = http::Method::PUT;
        request
    };
    Laws::of(layer()).request(request).except(Law::RequestBody).check();
}

#[tokio::test(start_paused = true)]
async fn the_layer_keeps_the_laws_when_it_hedges() {
    let never = std::time::Duration::from_secs(1_000_000);
    let layer = layer().hedge(Hedge::after(never)).unwrap();
    Laws::of(layer).except(Law::RequestBody).check();
}

#[test]
fn a_request_that_is_sent_once_costs_nothing() {
    let once = || {
        let mut request = Request::new(ProbeBody::new());
        request.extensions_mut().insert(Repeat::Never);
        request
    };
    Laws::of(layer()).request(once).except(Law::RequestBody).allocates(0).check();
    let one_attempt = layer().max_attempts(1).unwrap();
    Laws::of(one_attempt).except(Law::RequestBody).allocates(0).check();
    let post = || {
        let mut request = Request::new(ProbeBody::new().data("{}"));
        *request.method_mut() = http::Method::POST;
        request
    };
    let strict = layer().idempotency(Idempotency::default().strict());
    Laws::of(strict).request(post).except(Law::RequestBody).allocates(0).check();
}

#[derive(Clone, Copy)]
struct Empty;

impl<B> Service<Request<ReplayBody<B>>> for Empty {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ReplayBody<B>>) -> Self::Future {
        ready(Ok(Response::new(Full::default())))
    }
}

fn with_headers(body: Full<Bytes>) -> Request<Full<Bytes>> {
    let mut request = Request::put("/").body(body).unwrap();
    for name in ["host", "accept", "user-agent", "cookie", "te", "from", "range", "via"] {
        request.headers_mut().insert(name, HeaderValue::from_static("value"));
    }
    request
}

fn cost(layer: &RetryLayer, request: Request<Full<Bytes>>) -> u64 {
    let mut service = layer.layer(Empty);
    let mut request = Some(request);
    allocations(|| service.call(request.take().unwrap()).now_or_never())
}

#[test]
fn keeping_a_request_costs_the_copy_of_its_head() {
    assert_eq!(cost(&layer(), Request::new(Full::default())), 0, "there is nothing to copy");
    assert_eq!(cost(&layer(), with_headers(Full::default())), 2);
    let original = with_headers(Full::default());
    assert_eq!(allocations(|| original.headers().clone()), 2);
    // The tape, and the body on it; what holds the frames comes with the first.
    assert_eq!(cost(&layer(), with_headers(Full::from("body"))), 4);
}

#[test]
fn a_request_with_8_headers_that_is_sent_once_costs_nothing() {
    let large = layer().replay_body(3);
    assert_eq!(cost(&large, with_headers(Full::from("body"))), 0);
    let mut once = with_headers(Full::default());
    once.extensions_mut().insert(Repeat::Never);
    assert_eq!(cost(&layer(), once), 0);
}

#[test]
fn a_service_of_what_is_no_debug_and_no_clone_can_be_made() {
    struct Plain;
    let _: Retry<Plain> = layer().layer(Plain);
}

#[test]
fn what_is_held_is_clone_send_sync_and_debug() {
    fn assert_all<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    assert_all::<RetryHandle>();
    assert_all::<RetryLayer>();
    assert_all::<Retry<Plain2>>();
    assert_all::<Backoff>();
    assert_all::<Deadline>();
    assert_all::<Idempotency>();
    fn assert_send<T: Send + 'static>() {}
    assert_send::<PeekedBody<Full<Bytes>>>();
    assert_send::<ReplayBody<Full<Bytes>>>();
}

#[derive(Clone, Debug)]
struct Plain2;
