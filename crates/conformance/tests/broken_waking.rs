//! Layers that break a law of waking, one each.

mod support;

use std::future::{Future, pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use buttress_conformance::{Law, Laws, ProbeBody};
use http::Response;
use support::bodies::{Fault, FaultyLayer};
use support::{breaks, call, odd, ready};
use tower_service::Service;

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
fn a_full_limiter_registers_no_waker() {
    // The layer's copies share the outer one; of the inner, each call has its own.
    let permits = Arc::new(Arc::new(()));
    let lent = Arc::clone(&permits);
    let layer = odd(
        move |inner, cx| {
            if Arc::strong_count(&*lent) > 3 { Poll::Pending } else { ready(inner, cx) }
        },
        move |inner, request| {
            let permit = Arc::clone(&*permits);
            let future = call(inner, request);
            async move {
                let answer = future.await;
                drop(permit);
                answer
            }
        },
    );
    let laws = Laws::of(layer);
    breaks(&laws, &[Law::Waker]);
    assert!(laws.findings()[0].seen().starts_with("`poll_ready` with 3 calls under way was"));
}

#[test]
fn whoever_waits_for_another_call_is_forgotten_when_that_is_dropped() {
    // The first call is the leader; the others wait for its answer, and for nothing else.
    let led = Arc::new(AtomicBool::new(false));
    let layer = odd(ready, move |inner, request| {
        let future = call(inner, request);
        let leads = !led.swap(true, Ordering::Relaxed);
        let led = Arc::clone(&led);
        async move {
            if leads {
                let _leads = Leads(led);
                return future.await;
            }
            pending().await
        }
    });
    breaks(&Laws::of(layer), &[Law::Waker]);
}

/// Until its drop, a call leads.
struct Leads(Arc<AtomicBool>);

impl Drop for Leads {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[test]
fn a_task_that_is_woken_for_ever_is_told_from_one_that_is_never_woken() {
    let layer = odd(ready, |_, _| {
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<Result<Response<ProbeBody>, _>>::Pending
        })
    });
    let laws = Laws::of(layer).only(Law::Request);
    breaks(&laws, &[Law::SelfWake]);
    assert!(laws.findings()[0].seen().contains("at each of 1000 polls"));
}
