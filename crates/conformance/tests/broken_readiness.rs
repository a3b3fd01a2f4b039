//! Layers that break a law of readiness, one each.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

mod support;

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use buttress_conformance::{Law, Laws, ProbeBody, ProbeError, ProbeService};
use http::{Request, Response};
use support::{Boxed, Readiness, breaks, call, odd, ready};
use tower_layer::layer_fn;
use tower_service::Service;

#[test]
fn a_clone_that_was_not_polled_is_called() {
    let layer = odd(ready, |inner, request| inner.clone().call(request));
    breaks(&Laws::of(layer), &[Law::Readiness, Law::DoubleReadiness, Law::CloneReadiness]);
}

#[test]
fn the_wrong_half_of_a_swap_is_called() {
    let layer = odd(ready, |inner, request| {
        let mut not_ready = inner.clone();
        Box::pin(async move { not_ready.call(request).await }) as Boxed<ProbeBody>
    });
    let found = Laws::of(layer).only(Law::Readiness).findings();
    assert_eq!(found.len(), 1);
    assert!(found[0].seen().starts_with("6 of 6 calls"), "{}", found[0]);
}

#[test]
fn readiness_is_claimed_and_never_asked_for() {
    let layer = odd(|_, _| Poll::Ready(Ok(())), call);
    breaks(
        &Laws::of(layer),
        &[Law::Readiness, Law::DoubleReadiness, Law::CloneReadiness, Law::ReadyError],
    );
}

#[test]
fn each_poll_asks_another_instance() {
    let layer = odd(
        |inner, cx| {
            *inner = inner.clone();
            ready(inner, cx)
        },
        call,
    );
    breaks(&Laws::of(layer), &[Law::DoubleReadiness]);
}

/// Makes one more instance of the inner ready at each poll, as far as it can.
#[derive(Debug)]
struct Hoard {
    inner: ProbeService,
    more: Vec<ProbeService>,
}

impl Clone for Hoard {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), more: Vec::new() }
    }
}

impl Service<Request<ProbeBody>> for Hoard {
    type Response = <ProbeService as Service<Request<ProbeBody>>>::Response;
    type Error = ProbeError;
    type Future = <ProbeService as Service<Request<ProbeBody>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Readiness {
        let mut spare = self.inner.clone();
        if ready(&mut spare, cx).is_ready() {
            self.more.push(spare);
        }
        ready(&mut self.inner, cx)
    }

    fn call(&mut self, request: Request<ProbeBody>) -> Self::Future {
        self.more.clear();
        self.inner.call(request)
    }
}

#[test]
fn readiness_is_acquired_twice() {
    let layer = layer_fn(|inner| Hoard { inner, more: Vec::new() });
    breaks(&Laws::of(layer), &[Law::DoubleReadiness]);
}

/// Remembers that it is ready, and so does its clone.
#[derive(Clone, Debug)]
struct Flagged {
    inner: ProbeService,
    ready: bool,
}

impl Service<Request<ProbeBody>> for Flagged {
    type Response = <ProbeService as Service<Request<ProbeBody>>>::Response;
    type Error = ProbeError;
    type Future = <ProbeService as Service<Request<ProbeBody>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Readiness {
        if !self.ready {
            std::task::ready!(ready(&mut self.inner, cx))?;
            self.ready = true;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ProbeBody>) -> Self::Future {
        self.ready = false;
        self.inner.call(request)
    }
}

#[test]
fn a_clone_copies_readiness() {
    let layer = layer_fn(|inner| Flagged { inner, ready: false });
    breaks(&Laws::of(layer), &[Law::CloneReadiness]);
}

/// One instance behind a lock, for all clones.
#[derive(Clone, Debug)]
struct Shared(Arc<Mutex<ProbeService>>);

impl Service<Request<ProbeBody>> for Shared {
    type Response = <ProbeService as Service<Request<ProbeBody>>>::Response;
    type Error = ProbeError;
    type Future = <ProbeService as Service<Request<ProbeBody>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Readiness {
        ready(&mut self.0.lock().unwrap(), cx)
    }

    fn call(&mut self, request: Request<ProbeBody>) -> Self::Future {
        self.0.lock().unwrap().call(request)
    }
}

#[test]
fn clones_share_one_readiness() {
    let layer = layer_fn(|inner| Shared(Arc::new(Mutex::new(inner))));
    breaks(&Laws::of(layer), &[Law::CloneReadiness]);
}

#[test]
fn limited_is_an_error_of_readiness() {
    let calls = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&calls);
    let layer = odd(
        move |inner, cx| {
            if *calls.lock().unwrap() > 40 {
                return Poll::Ready(Err(ProbeError::new("limited")));
            }
            ready(inner, cx)
        },
        move |inner, request| {
            *counted.lock().unwrap() += 1;
            call(inner, request)
        },
    );
    breaks(&Laws::of(layer).only(Law::ReadyError), &[Law::ReadyError]);
}

#[test]
fn the_inners_error_of_readiness_is_replaced() {
    let layer = odd(|inner, cx| ready(inner, cx).map_err(|_| ProbeError::new("another")), call);
    breaks(&Laws::of(layer), &[Law::ReadyError]);
}

#[test]
fn pending_is_taken_for_ready() {
    let layer = odd(
        |inner, cx| {
            let _ = ready(inner, cx)?;
            Poll::Ready(Ok(()))
        },
        call,
    );
    breaks(&Laws::of(layer), &[Law::Readiness, Law::CloneReadiness]);
}

#[test]
fn a_second_attempt_asks_for_no_readiness() {
    type Answer = Result<Response<ProbeBody>, ProbeError>;
    let failures: [fn(&Answer) -> bool; 2] = [Result::is_err, |answer| {
        answer.as_ref().is_ok_and(|response| response.status().is_server_error())
    }];
    for failed in failures {
        let layer = odd(ready, move |inner, request| {
            let mut again = inner.clone();
            let first = call(inner, request);
            async move {
                match first.await {
                    answer if failed(&answer) => call(&mut again, Request::default()).await,
                    answer => answer,
                }
            }
        });
        breaks(&Laws::of(layer), &[Law::Readiness]);
    }
}
