//! Layers that break a law of readiness, of waking or of release, one each.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

mod support;

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use buttress_conformance::{Law, Laws, ProbeBody, ProbeError, ProbeService};
use http::Request;
use support::bodies::{Fault, FaultyLayer};
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
fn readiness_registers_no_waker() {
    let layer = odd(|inner, _| ready(inner, &mut Context::from_waker(Waker::noop())), call);
    breaks(&Laws::of(layer), &[Law::Waker]);
}

#[test]
fn the_future_keeps_the_first_waker() {
    let layer = odd(ready, |inner, request| {
        let mut future = Box::pin(inner.call(request));
        let mut first = None;
        poll_fn(move |cx| {
            let waker: &Waker = first.get_or_insert_with(|| cx.waker().clone());
            future.as_mut().poll(&mut Context::from_waker(waker))
        })
    });
    let laws = Laws::of(layer);
    breaks(&laws, &[Law::Waker]);
    assert!(laws.findings()[0].seen().ends_with("an older one was"));
}

#[test]
fn the_body_registers_no_waker() {
    breaks(&Laws::of(FaultyLayer(Fault::LosesTheWaker)), &[Law::Waker]);
}

#[test]
fn pending_readiness_wakes_itself() {
    let layer = odd(
        |inner, cx| {
            let polled = ready(inner, cx);
            if polled.is_pending() {
                cx.waker().wake_by_ref();
            }
            polled
        },
        call,
    );
    breaks(&Laws::of(layer), &[Law::SelfWake]);
}

#[test]
fn a_pending_future_wakes_itself() {
    let layer = odd(ready, |inner, request| {
        let mut future = Box::pin(inner.call(request));
        poll_fn(move |cx| {
            cx.waker().wake_by_ref();
            future.as_mut().poll(cx)
        })
    });
    breaks(&Laws::of(layer), &[Law::SelfWake]);
}

#[test]
fn a_pending_body_wakes_itself() {
    breaks(&Laws::of(FaultyLayer(Fault::WakesItself)), &[Law::SelfWake]);
}

#[test]
fn requests_are_kept_in_shared_state() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let layer = odd(ready, move |inner, request: Request<ProbeBody>| {
        kept.lock().unwrap().push(request.body().clone());
        call(inner, request)
    });
    breaks(&Laws::of(layer), &[Law::Release]);
}

#[test]
fn calls_outlive_their_future() {
    let kept = Arc::new(Mutex::new(Vec::<Boxed<ProbeBody>>::new()));
    let layer = odd(ready, move |inner, request| {
        let mut calls = kept.lock().unwrap();
        let index = calls.len();
        calls.push(Box::pin(call(inner, request)));
        let kept = Arc::clone(&kept);
        poll_fn(move |cx| kept.lock().unwrap()[index].as_mut().poll(cx))
    });
    breaks(&Laws::of(layer), &[Law::Release]);
}

#[test]
fn bodies_are_leaked() {
    breaks(&Laws::of(FaultyLayer(Fault::Leaks)), &[Law::Release]);
}
