//! Every interleaving of two threads at a circuit's counters and transitions.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p buttress-breaker --test loom`

#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use buttress_breaker::{Circuit, Class, OpenFor, Policy, Probes, State, Window};
use loom::thread;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A circuit, and its time in seconds.
fn circuit(policy: Policy) -> (Circuit, Arc<AtomicU64>) {
    let time = Arc::new(AtomicU64::new(0));
    let (start, clock) = (Instant::now(), Arc::clone(&time));
    let policy = policy.open(OpenFor::constant(secs(5)));
    let circuit = Circuit::new("test", policy).unwrap();
    (circuit.clock(move || start + secs(clock.load(SeqCst))), time)
}

fn finish(circuit: &Circuit, class: Class) {
    if let Ok(permit) = circuit.acquire() {
        permit.finish(class);
    }
}

fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    // Races of two threads need no more (loom's own advice is 2 or 3).
    model.preemption_bound = Some(3);
    model.check(check);
}

#[test]
fn a_ring_and_its_sum_agree_when_two_threads_write_it_round() {
    use Class::{Failure, Success};

    for [first, second, here] in [[Failure, Success, Failure], [Success, Failure, Success]] {
        model(move || {
            // Two slots and four results: slots are written again. Three failures never open it.
            let policy = Policy::new().window(Window::count(2)).failure_rate(1.0).min_calls(2);
            let (circuit, _) = circuit(policy);
            circuit.metrics_only();
            finish(&circuit, Failure);
            let other = circuit.clone();
            let thread = thread::spawn(move || {
                finish(&other, first);
                finish(&other, second);
            });
            finish(&circuit, here);
            thread.join().unwrap();
            let snapshot = circuit.snapshot();
            let totals = snapshot.totals;
            assert_eq!(totals.successes + totals.failures, 4);
            // Whatever it holds, two good ones clean it.
            assert!(snapshot.window.failures <= snapshot.window.calls);
            assert!(snapshot.window.calls <= 2);
            finish(&circuit, Success);
            finish(&circuit, Success);
            assert_eq!(circuit.snapshot().window.failures, 0);
        });
    }
}

#[test]
fn buckets_lose_no_call_when_two_threads_begin_an_epoch() {
    model(|| {
        let window = Window::time(secs(4)).buckets(2);
        let (circuit, time) = circuit(Policy::new().window(window).failure_rate(1.0));
        finish(&circuit, Class::Failure);
        // Epoch 2, in the bucket of epoch 0.
        time.store(4, SeqCst);
        let other = circuit.clone();
        let thread = thread::spawn(move || finish(&other, Class::Failure));
        finish(&circuit, Class::Success);
        thread.join().unwrap();
        let snapshot = circuit.snapshot();
        assert_eq!((snapshot.window.calls, snapshot.window.failures), (2, 1));
        assert_eq!((snapshot.totals.successes, snapshot.totals.failures), (1, 2));
    });
}

#[test]
fn two_failures_at_once_open_it_once() {
    model(|| {
        let (circuit, _) = circuit(Policy::new().window(Window::consecutive(1)));
        let (here, there) = (circuit.acquire().unwrap(), circuit.acquire().unwrap());
        let thread = thread::spawn(move || there.failure());
        here.failure();
        thread.join().unwrap();
        let totals = circuit.snapshot().totals;
        assert_eq!((circuit.state(), totals.opened), (State::Open, 1));
        assert_eq!(totals.failures + totals.stragglers, 2);
    });
}

#[test]
fn two_failures_at_once_would_have_opened_it_once() {
    model(|| {
        let (circuit, _) = circuit(Policy::new().window(Window::consecutive(2)));
        circuit.metrics_only();
        circuit.acquire().unwrap().failure();
        let (here, there) = (circuit.acquire().unwrap(), circuit.acquire().unwrap());
        let thread = thread::spawn(move || there.failure());
        here.failure();
        thread.join().unwrap();
        assert_eq!(circuit.snapshot().totals.would_have_opened, 1);
    });
}

#[test]
fn of_two_callers_at_the_end_of_the_open_time_one_is_the_probe() {
    model(|| {
        let policy = Policy::new().window(Window::consecutive(1)).half_open(Probes::new(1));
        let (circuit, time) = circuit(policy);
        finish(&circuit, Class::Failure);
        time.store(5, SeqCst);
        let other = circuit.clone();
        let thread = thread::spawn(move || other.acquire());
        let here = circuit.acquire();
        let there = thread.join().unwrap();
        assert_eq!(u8::from(here.is_ok()) + u8::from(there.is_ok()), 1);
        let probe = here.or(there).unwrap();
        assert!(probe.is_probe());
        probe.success();
        assert_eq!(circuit.state(), State::Closed);
    });
}

#[test]
fn a_straggler_that_fails_while_it_closes_does_not_open_it() {
    model(|| {
        let policy = Policy::new().window(Window::consecutive(1)).half_open(Probes::new(1));
        let (circuit, time) = circuit(policy);
        let straggler = circuit.acquire().unwrap();
        finish(&circuit, Class::Failure);
        time.store(5, SeqCst);
        let probe = circuit.acquire().unwrap();
        let thread = thread::spawn(move || straggler.failure());
        probe.success();
        thread.join().unwrap();
        assert_eq!((circuit.state(), circuit.snapshot().totals.stragglers), (State::Closed, 1));
    });
}

#[test]
fn who_sees_it_closed_again_sees_its_window_empty() {
    model(|| {
        let policy = Policy::new()
            .window(Window::count(2))
            .min_calls(2)
            .failure_rate(1.0)
            .half_open(Probes::new(1));
        let (circuit, time) = circuit(policy);
        finish(&circuit, Class::Failure);
        finish(&circuit, Class::Failure);
        time.store(5, SeqCst);
        let probe = circuit.acquire().unwrap();
        let other = circuit.clone();
        let thread = thread::spawn(move || {
            // With what was there before it would be enough to open.
            match other.acquire() {
                Ok(permit) => permit.failure(),
                Err(refused) => assert_eq!(refused.reason(), "half_open"),
            }
        });
        probe.success();
        thread.join().unwrap();
        assert_eq!(circuit.state(), State::Closed);
    });
}
