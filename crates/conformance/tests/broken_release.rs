//! Layers that keep what they should give back, one each.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

mod support;

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use buttress_conformance::{Law, Laws, ProbeBody};
use http::{Request, Response, StatusCode};
use support::bodies::{Fault, FaultyLayer};
use support::{Boxed, breaks, call, odd, ready};

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

/// What was lent is given back by the answer, and by nothing else.
#[test]
fn a_limiter_is_not_given_back_what_a_dropped_future_had() {
    let full = Arc::new(AtomicBool::new(false));
    let layer = odd(ready, move |inner, request| {
        let future = (!full.swap(true, Ordering::Relaxed)).then(|| call(inner, request));
        let full = Arc::clone(&full);
        async move {
            let Some(future) = future else {
                let mut rejection = Response::new(ProbeBody::new());
                *rejection.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                return Ok(rejection);
            };
            let answer = future.await;
            full.store(false, Ordering::Relaxed);
            answer
        }
    });
    let found = Laws::of(layer).only(Law::Release).findings();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        found[0].seen(),
        "dropped a future that was polled 0 times: the next call was not passed on to the inner"
    );
}
