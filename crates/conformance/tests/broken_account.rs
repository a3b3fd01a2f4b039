//! Layers that break a law of what they keep account of, of timers, or of allocations, one each.

mod support;

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use buttress_conformance::{End, Law, Laws, ProbeBody, ProbeError, implements};
use http::{Response, StatusCode};
use support::account::{AccountLayer, Habits};
use support::{breaks, call, odd, ready};

fn accounted(habits: Habits) -> Laws<AccountLayer> {
    let layer = AccountLayer { habits, ..AccountLayer::default() };
    let [calls, ends, in_flight] = std::array::from_fn(|_| Arc::clone(&layer.account));
    Laws::of(layer)
        .counts_calls(move || calls.calls())
        .counts_ends(End::ALL, move || ends.ends())
        .gauges_in_flight(move || in_flight.in_flight())
}

#[test]
fn state_is_made_with_each_service() {
    let laws = accounted(Habits { forgets_state: true, ..Habits::default() });
    breaks(&laws, &[Law::SharedState, Law::OneEnd, Law::InFlight]);
    assert!(laws.findings()[0].seen().ends_with("its state saw 0"));
}

#[test]
fn state_is_made_with_each_clone_of_a_service() {
    let laws = accounted(Habits { forgets_when_cloned: true, ..Habits::default() });
    breaks(&laws, &[Law::SharedState]);
    assert!(laws.findings()[0].seen().ends_with("its state saw 500"));
}

#[test]
fn the_hook_fires_again_for_whoever_polls_on() {
    let laws = accounted(Habits { ends_when_polled_on: true, ..Habits::default() });
    breaks(&laws, &[Law::OneEnd]);
}

#[test]
fn a_future_that_is_dropped_before_it_was_polled_stays_in_flight() {
    let laws = accounted(Habits { misses_unpolled: true, ..Habits::default() });
    breaks(&laws, &[Law::InFlight]);
}

#[test]
fn the_end_is_seen_only_at_the_drop() {
    let laws = accounted(Habits { ends_at_drop: true, ..Habits::default() });
    breaks(&laws, &[Law::OneEnd]);
}

#[test]
fn the_end_of_a_body_that_nobody_polls_is_missed() {
    let laws = accounted(Habits { polls_empty: true, ..Habits::default() });
    breaks(&laws, &[Law::OneEnd]);
    assert!(laws.findings()[0].seen().starts_with("Empty: when the end was seen"));
}

#[test]
fn the_hook_fires_twice() {
    let laws = accounted(Habits { ends_again: true, ..Habits::default() });
    breaks(&laws, &[Law::OneEnd]);
}

#[test]
fn a_dropped_future_is_not_an_end() {
    let laws = accounted(Habits { misses_drop: true, ..Habits::default() });
    breaks(&laws, &[Law::OneEnd, Law::InFlight]);
}

#[test]
fn a_call_is_in_flight_to_its_head_alone() {
    let laws = accounted(Habits { ends_with_head: true, ..Habits::default() });
    breaks(&laws, &[Law::OneEnd, Law::InFlight]);
    assert!(laws.findings()[1].seen().starts_with("with the response's body not yet polled"));
}

#[test]
fn the_timer_is_polled_first() {
    let over = Arc::new(AtomicBool::new(false));
    let timer = Arc::clone(&over);
    let layer = odd(ready, move |inner, request| {
        let mut future = Box::pin(call(inner, request));
        let timer = Arc::clone(&timer);
        poll_fn(move |cx| {
            if timer.load(Ordering::Relaxed) {
                let mut late = Response::new(ProbeBody::new());
                *late.status_mut() = StatusCode::GATEWAY_TIMEOUT;
                return Poll::Ready(Ok(late));
            }
            future.as_mut().poll(cx)
        })
    });
    let laws = Laws::of(layer).passes_time(move || over.store(true, Ordering::Relaxed));
    let found = laws.findings();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].law(), Law::ReadyAnswer);
    assert!(found[0].seen().ends_with("504 Gateway Timeout"), "{}", found[0]);
}

#[test]
fn an_error_of_the_timer_wins() {
    let over = Arc::new(AtomicBool::new(false));
    let timer = Arc::clone(&over);
    let layer = odd(ready, move |inner, request| {
        let mut future = Box::pin(call(inner, request));
        let timer = Arc::clone(&timer);
        poll_fn(move |cx| {
            if timer.load(Ordering::Relaxed) {
                return Poll::Ready(Err(ProbeError::new("too late")));
            }
            future.as_mut().poll(cx)
        })
    });
    let laws = Laws::of(layer)
        .passes_time(move || over.store(true, Ordering::Relaxed))
        .only(Law::ReadyAnswer);
    let found = laws.findings();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].law(), Law::ReadyAnswer);
    assert!(found[0].seen().ends_with("error, too late"), "{}", found[0]);
}

#[cfg(feature = "allocations")]
#[test]
fn the_future_is_boxed() {
    let boxed = || odd(ready, |inner, request| Box::pin(call(inner, request)));
    breaks(&Laws::of(boxed()).allocates(0), &[Law::Allocations]);
    let laws = Laws::of(boxed()).allocates(2);
    breaks(&laws, &[Law::Allocations]);
    assert!(laws.findings()[0].seen().ends_with("so that this is kept, say so"));
    Laws::of(boxed()).allocates(1).check();
}

#[test]
fn an_auto_trait_that_is_missing_is_seen() {
    struct Plain(#[expect(dead_code, reason = "it is not Sync")] std::cell::Cell<u8>);

    assert!(implements!(Plain: Send));
    assert!(!implements!(Plain: Sync));
    assert!(!implements!(Plain: Clone));
    assert!(!implements!(Plain: std::fmt::Debug));
    assert!(!implements!(Plain: Send + Sync));
}
