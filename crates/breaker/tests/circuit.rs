//! When a circuit opens and closes, step by step, with the time in hand.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    collections::VecDeque,
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    task::Context,
    time::{Duration, Instant},
};

use buttress_breaker::{
    Circuit, Class, ConfigErrorKind, OpenFor, Permit, Policy, Probes, Ramp, RunError, State, Window,
};
use futures_util::{FutureExt, task::noop_waker};
use proptest::prelude::*;

/// The time, which moves when it is told to.
#[derive(Clone, Default)]
struct Hands(Arc<AtomicU64>);

impl Hands {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_nanos()).unwrap(), SeqCst);
    }

    fn read(&self) -> impl Fn() -> Instant + Send + Sync + 'static {
        let (hands, start) = (self.clone(), Instant::now());
        move || start + Duration::from_nanos(hands.0.load(SeqCst))
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn circuit(policy: Policy) -> (Circuit, Hands) {
    let hands = Hands::default();
    (Circuit::new("test", policy).unwrap().clock(hands.read()), hands)
}

/// Opens at the first failure, for 5 s.
const fn brittle() -> Policy {
    Policy::new().window(Window::consecutive(1)).open(OpenFor::constant(secs(5)))
}

fn calls(circuit: &Circuit, class: Class, times: u64) {
    for _ in 0..times {
        circuit.acquire().unwrap().finish(class);
    }
}

fn reason(circuit: &Circuit) -> &'static str {
    circuit.acquire().unwrap_err().reason()
}

/// Half-open by its first probe.
fn probing(policy: Policy) -> (Circuit, Hands, Permit) {
    let (circuit, hands) = circuit(policy);
    circuit.acquire().unwrap().failure();
    hands.advance(secs(5));
    let probe = circuit.acquire().unwrap();
    assert!(probe.is_probe());
    (circuit, hands, probe)
}

#[test]
fn after_a_hundred_thousand_successes_the_fiftieth_failure_opens_it() {
    let (circuit, _) = circuit(Policy::new().window(Window::count(100)));
    calls(&circuit, Class::Success, 100_000);
    calls(&circuit, Class::Failure, 49);
    assert_eq!(circuit.state(), State::Closed);
    calls(&circuit, Class::Failure, 1);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn by_time_what_is_within_the_last_epochs_counts() {
    let policy = Policy::new().window(Window::time(secs(10)).buckets(5)).min_calls(4);
    let (circuit, hands) = circuit(policy);
    // Epochs of 2 s: these are in epoch 0.
    calls(&circuit, Class::Success, 2);
    hands.advance(secs(9));
    // And this in epoch 4, so that both are in the window.
    calls(&circuit, Class::Failure, 1);
    assert_eq!(circuit.snapshot().window.calls, 3);
    hands.advance(secs(1));
    // Epoch 5: the first two have slid out.
    assert_eq!(circuit.snapshot().window.calls, 1);
    calls(&circuit, Class::Failure, 2);
    assert_eq!((circuit.state(), circuit.snapshot().window.calls), (State::Closed, 3));
    // The fourth call makes it enough to judge by, though it is good.
    calls(&circuit, Class::Success, 1);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn fewer_calls_than_the_minimum_do_not_open_it_and_the_one_that_makes_them_enough_does() {
    let (circuit, _) = circuit(Policy::new().min_calls(20));
    calls(&circuit, Class::Failure, 15);
    calls(&circuit, Class::Success, 4);
    assert_eq!(circuit.state(), State::Closed);
    calls(&circuit, Class::Success, 1);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn a_window_that_is_smaller_than_the_minimum_is_judged_when_it_is_full() {
    let (circuit, _) = circuit(Policy::new().window(Window::count(4)).min_calls(20));
    calls(&circuit, Class::Failure, 3);
    assert_eq!(circuit.state(), State::Closed);
    calls(&circuit, Class::Failure, 1);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn a_success_between_failures_keeps_a_consecutive_circuit_closed() {
    let (circuit, _) = circuit(Policy::new().window(Window::consecutive(3)));
    for _ in 0..10 {
        calls(&circuit, Class::Failure, 2);
        calls(&circuit, Class::Success, 1);
    }
    calls(&circuit, Class::Failure, 2);
    assert_eq!(circuit.state(), State::Closed);
    calls(&circuit, Class::Failure, 1);
    assert_eq!(circuit.state(), State::Open);
}

proptest! {
    /// What anyone would write who has all results at hand.
    #[test]
    fn it_opens_when_a_naive_model_says_so(
        size in 1_usize..20,
        min_calls in 1_usize..25,
        percent in 1_usize..=100,
        by_time in any::<bool>(),
        steps in prop::collection::vec((any::<bool>(), 0_u64..60), 1..150),
    ) {
        let window = if by_time {
            Window::time(ms(500)).buckets(10)
        } else {
            Window::count(u32::try_from(size).unwrap())
        };
        let policy = Policy::new()
            .window(window)
            .min_calls(u32::try_from(min_calls).unwrap())
            .failure_rate(percent as f64 / 100.0);
        let (circuit, hands) = circuit(policy);
        let (mut now, mut seen) = (0, VecDeque::new());
        for (fails, millis) in steps {
            now += millis;
            hands.advance(ms(millis));
            circuit.acquire().unwrap().finish(if fails { Class::Failure } else { Class::Success });
            seen.push_back((now / 50, fails));
            let min_calls = if by_time {
                seen.retain(|(epoch, _)| epoch + 10 > now / 50);
                min_calls
            } else {
                while seen.len() > size {
                    seen.pop_front();
                }
                min_calls.min(size)
            };
            let failures = seen.iter().filter(|(_, fails)| *fails).count();
            let opens = seen.len() >= min_calls && failures * 100 >= percent * seen.len();
            prop_assert_eq!(circuit.state() == State::Open, opens);
            if opens {
                break;
            }
        }
    }
}

#[test]
fn slow_calls_open_it_though_they_succeed() {
    let policy = Policy::new().window(Window::count(10)).min_calls(4).slow_calls(secs(2), 0.5);
    let (circuit, hands) = circuit(policy);
    for (takes, state) in
        [(0, State::Closed), (2_000, State::Closed), (1_999, State::Closed), (2_000, State::Open)]
    {
        let permit = circuit.acquire().unwrap();
        hands.advance(ms(takes));
        permit.success();
        assert_eq!(circuit.state(), state);
    }
    let totals = circuit.snapshot().totals;
    assert_eq!((totals.successes, totals.slow, totals.failures), (2, 2, 0));
}

#[test]
fn a_call_that_is_dropped_is_slow_after_the_time_of_a_slow_one_and_nothing_before() {
    let policy = Policy::new().window(Window::consecutive(1)).slow_calls(secs(2), 1.0);
    let (circuit, hands) = circuit(policy);
    for _ in 0..100 {
        let impatient = circuit.acquire().unwrap();
        hands.advance(ms(1_999));
        drop(impatient);
    }
    assert_eq!((circuit.state(), circuit.snapshot().totals.ignored), (State::Closed, 100));
    let hung = circuit.acquire().unwrap();
    hands.advance(secs(2));
    drop(hung);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn a_panic_is_a_failure() {
    let (circuit, _) = circuit(brittle());
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _permit = circuit.acquire().unwrap();
        std::panic::resume_unwind(Box::new("the call panics"));
    }));
    assert!(result.is_err());
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn it_refuses_until_its_time_is_over_and_tells_how_long_that_is() {
    let (circuit, hands) = circuit(brittle());
    calls(&circuit, Class::Failure, 1);
    for (past, left) in [(0, 5_000), (1, 4_999), (4_998, 1)] {
        hands.advance(ms(past));
        let refused = circuit.acquire().unwrap_err();
        assert_eq!((refused.reason(), refused.retry_after()), ("open", Some(ms(left))));
        assert_eq!(circuit.snapshot().open_for, Some(ms(left)));
    }
    hands.advance(ms(1));
    assert!(circuit.acquire().unwrap().is_probe());
    assert_eq!(circuit.snapshot().totals.refused_open, 3);
}

#[test]
fn of_fifty_concurrent_callers_as_many_are_probes_as_there_may_be() {
    let (circuit, hands) = circuit(brittle().half_open(Probes::new(3)));
    calls(&circuit, Class::Failure, 1);
    hands.advance(secs(5));
    let barrier = Barrier::new(50);
    let permits: Vec<_> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..50)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    circuit.acquire()
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let probes: Vec<_> = permits.into_iter().filter_map(Result::ok).collect();
    assert_eq!(probes.len(), 3);
    assert!(probes.iter().all(Permit::is_probe));
    assert_eq!(circuit.snapshot().probes_in_flight, 3);
    assert_eq!(circuit.snapshot().totals.refused_half_open, 47);
    probes.into_iter().for_each(Permit::success);
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn no_more_probes_pass_than_are_still_asked_for() {
    let (circuit, _, first) = probing(brittle().half_open(Probes::new(2)));
    first.success();
    let second = circuit.acquire().unwrap();
    assert_eq!(reason(&circuit), "half_open");
    second.success();
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn a_dropped_probe_frees_its_slot() {
    let (circuit, _, probe) = probing(brittle().half_open(Probes::new(1)));
    assert_eq!(reason(&circuit), "half_open");
    drop(probe);
    assert_eq!(circuit.state(), State::HalfOpen);
    circuit.acquire().unwrap().success();
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn a_probe_that_says_nothing_frees_its_slot() {
    let (circuit, _, probe) = probing(brittle().half_open(Probes::new(1)));
    probe.ignore();
    assert!(circuit.acquire().unwrap().is_probe());
}

#[test]
fn a_failed_probe_opens_it_again() {
    let (circuit, _, probe) = probing(brittle());
    probe.failure();
    assert_eq!((circuit.state(), reason(&circuit)), (State::Open, "open"));
}

#[test]
fn a_slow_probe_opens_it_again() {
    let (circuit, hands, probe) = probing(brittle().slow_calls(secs(2), 1.0));
    hands.advance(secs(2));
    probe.success();
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn a_hung_probe_ends_by_its_lease_and_the_circuit_opens_again_at_the_next_call() {
    let (circuit, hands, hung) = probing(brittle().half_open(Probes::new(2).lease(secs(30))));
    hands.advance(ms(29_999));
    // There is room for another.
    drop(circuit.acquire().unwrap());
    hands.advance(ms(1));
    let refused = circuit.acquire().unwrap_err();
    assert_eq!((refused.reason(), refused.retry_after()), ("open", Some(secs(5))));
    // When it comes back at last, it is one from before.
    hung.success();
    assert_eq!((circuit.state(), circuit.snapshot().totals.stragglers), (State::Open, 1));
    hands.advance(secs(5));
    assert!(circuit.acquire().unwrap().is_probe());
}

#[test]
fn a_probe_that_comes_back_after_its_lease_has_failed() {
    for finish in [Permit::success, drop::<Permit>] {
        let (circuit, hands, probe) = probing(brittle().half_open(Probes::new(1).lease(secs(30))));
        hands.advance(secs(30));
        finish(probe);
        assert_eq!(circuit.state(), State::Open);
    }
}

#[test]
fn two_good_probes_however_far_apart_close_it() {
    let (circuit, hands, probe) = probing(brittle().half_open(Probes::new(2)));
    probe.success();
    hands.advance(secs(60 * 60 * 24 * 30));
    assert_eq!((circuit.state(), circuit.snapshot().good_probes), (State::HalfOpen, 1));
    circuit.acquire().unwrap().success();
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn a_straggler_from_before_changes_nothing() {
    let (circuit, hands) = circuit(brittle().half_open(Probes::new(2)));
    let late: Vec<_> = (0..6).map(|_| circuit.acquire().unwrap()).collect();
    let mut late = late.into_iter();
    calls(&circuit, Class::Failure, 1);
    // Open.
    late.next().unwrap().success();
    late.next().unwrap().failure();
    assert_eq!(circuit.state(), State::Open);
    hands.advance(secs(5));
    circuit.acquire().unwrap().success();
    // Half-open: neither is it a good probe nor a failed one.
    late.next().unwrap().success();
    late.next().unwrap().failure();
    assert_eq!((circuit.state(), circuit.snapshot().good_probes), (State::HalfOpen, 1));
    circuit.acquire().unwrap().success();
    // Closed, and brittle.
    late.next().unwrap().failure();
    drop(late);
    assert_eq!(circuit.state(), State::Closed);
    let totals = circuit.snapshot().totals;
    assert_eq!((totals.stragglers, totals.failures, totals.ignored), (5, 1, 1));
}

#[test]
fn a_second_try_is_no_probe() {
    let (circuit, hands) = circuit(brittle());
    drop(circuit.acquire_no_probe().unwrap());
    calls(&circuit, Class::Failure, 1);
    hands.advance(secs(5));
    assert_eq!(circuit.acquire_no_probe().unwrap_err().reason(), "half_open");
    // It has not moved.
    assert_eq!(circuit.state(), State::Open);
    let probe = circuit.acquire().unwrap();
    assert_eq!(circuit.acquire_no_probe().unwrap_err().reason(), "half_open");
    probe.success();
}

#[test]
fn its_window_is_empty_when_it_closes() {
    let policy = Policy::new().min_calls(2).half_open(Probes::new(1));
    let (circuit, hands) = circuit(policy.open(OpenFor::constant(secs(5))));
    calls(&circuit, Class::Failure, 2);
    hands.advance(secs(5));
    calls(&circuit, Class::Success, 1);
    assert_eq!((circuit.state(), circuit.snapshot().window.calls), (State::Closed, 0));
    calls(&circuit, Class::Failure, 1);
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn the_time_open_grows_to_its_maximum_and_forgives() {
    let policy = brittle().half_open(Probes::new(1)).open(OpenFor::exponential(secs(5), secs(30)));
    let (circuit, hands) = circuit(policy);
    let opens_for = |expected: u64| {
        calls(&circuit, Class::Failure, 1);
        assert_eq!(circuit.snapshot().open_for, Some(secs(expected)));
        hands.advance(secs(expected));
    };
    // The first, and then failed probes.
    for expected in [5, 10, 20, 30, 30] {
        opens_for(expected);
    }
    // Closed, and open again before as much time has passed as it was open last: no step back.
    calls(&circuit, Class::Success, 1);
    hands.advance(secs(29));
    opens_for(30);
    // Two steps back of three, however often it was open for the longest time, and then all.
    for _ in 0..1_000 {
        opens_for(30);
    }
    calls(&circuit, Class::Success, 1);
    hands.advance(secs(60));
    opens_for(10);
    calls(&circuit, Class::Success, 1);
    hands.advance(secs(1_000_000));
    opens_for(5);
}

#[test]
fn jitter_takes_off_a_part_up_to_its_share() {
    let policy = brittle().open(OpenFor::constant(secs(10)).jitter(0.1));
    let times: Vec<Duration> = (0..100)
        .map(|_| {
            let (circuit, _) = circuit(policy);
            calls(&circuit, Class::Failure, 1);
            circuit.snapshot().open_for.unwrap()
        })
        .collect();
    assert!(times.iter().all(|time| (secs(9)..=secs(10)).contains(time)));
    assert!(
        times.iter().any(|time| *time < ms(9_500)) && times.iter().any(|time| *time > ms(9_500))
    );
}

#[test]
fn on_the_ramp_a_growing_share_passes_evenly() {
    let policy = brittle().half_open(Probes::new(1)).ramp(Ramp::linear(secs(10)));
    let (circuit, hands, probe) = probing(policy);
    probe.success();
    assert_eq!(circuit.state(), State::Ramp);
    let passed = || -> Vec<bool> {
        let pass = |_| circuit.acquire().map(Permit::success).is_ok();
        (0..12).map(pass).collect()
    };
    let count = |passed: &[bool]| passed.iter().filter(|passed| **passed).count();
    // A tenth; the first one passes.
    let first = passed();
    assert_eq!((first.first(), count(&first)), (Some(&true), 2));
    assert_eq!(reason(&circuit), "ramp");
    for (at, expected) in [(2_500, 3), (5_000, 6), (7_500, 9)] {
        hands.advance(ms(2_500));
        assert_eq!(count(&passed()), expected, "at {at} ms");
    }
    hands.advance(ms(2_500));
    assert_eq!(count(&passed()), 12);
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn what_fails_on_the_ramp_counts_and_opens_it_again() {
    let policy = Policy::new().min_calls(2).half_open(Probes::new(1)).ramp(Ramp::linear(secs(10)));
    let (circuit, hands) = circuit(policy.open(OpenFor::constant(secs(5))));
    calls(&circuit, Class::Failure, 2);
    hands.advance(secs(5));
    calls(&circuit, Class::Success, 1);
    calls(&circuit, Class::Failure, 1);
    hands.advance(secs(10));
    // Of the same generation, though the ramp is over by now.
    calls(&circuit, Class::Failure, 1);
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn by_hand_it_refuses_lets_pass_or_only_counts_until_it_is_reset() {
    let (circuit, hands) = circuit(brittle());
    circuit.force_open();
    hands.advance(secs(1_000));
    let refused = circuit.acquire().unwrap_err();
    assert_eq!((refused.reason(), refused.retry_after()), ("forced_open", None));

    circuit.force_closed();
    calls(&circuit, Class::Failure, 10);
    assert_eq!(circuit.state(), State::ForcedClosed);
    assert_eq!(circuit.snapshot().totals.failures, 10);

    circuit.metrics_only();
    calls(&circuit, Class::Failure, 3);
    assert_eq!(circuit.state(), State::MetricsOnly);
    let totals = circuit.snapshot().totals;
    assert_eq!((totals.would_have_opened, totals.opened), (3, 0));

    circuit.disable();
    calls(&circuit, Class::Failure, 10);
    assert_eq!((circuit.state(), circuit.snapshot().totals.failures), (State::Disabled, 13));

    circuit.reset();
    assert_eq!((circuit.state(), circuit.snapshot().window.calls), (State::Closed, 0));
    calls(&circuit, Class::Failure, 1);
    assert_eq!(circuit.state(), State::Open);
    circuit.reset();
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn listeners_are_told_after_the_lock_and_may_steer() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let known: Arc<Mutex<Option<Circuit>>> = Arc::default();
    let (told, circuit_of) = (Arc::clone(&seen), Arc::clone(&known));
    let hands = Hands::default();
    let circuit = Circuit::new("smtp", brittle().half_open(Probes::new(1)))
        .unwrap()
        .clock(hands.read())
        .on_transition(|_| std::panic::resume_unwind(Box::new("a listener panics")))
        .on_transition(move |change| {
            // It would never come back if the circuit were locked.
            let state = circuit_of.lock().unwrap().as_ref().unwrap().snapshot().state;
            assert_eq!((state, change.circuit, change.key), (change.to, "smtp", None));
            told.lock().unwrap().push((change.from, change.to, change.open_for));
        });
    *known.lock().unwrap() = Some(circuit.clone());
    calls(&circuit, Class::Failure, 1);
    hands.advance(secs(5));
    calls(&circuit, Class::Success, 1);
    circuit.disable();
    assert_eq!(
        *seen.lock().unwrap(),
        [
            (State::Closed, State::Open, Some(secs(5))),
            (State::Open, State::HalfOpen, None),
            (State::HalfOpen, State::Closed, None),
            (State::Closed, State::Disabled, None),
        ]
    );
}

#[test]
fn run_makes_the_call_and_counts_its_result() {
    let (circuit, _) = circuit(brittle());
    let good = circuit.run(|| async { Ok::<_, &str>(250) }).now_or_never().unwrap();
    assert_eq!(good, Ok(250));
    let not_found = |result: &Result<u16, &str>| match result {
        Err("no such user") | Ok(_) => Class::Success,
        Err(_) => Class::Failure,
    };
    let no_user = circuit.run_classified(not_found, || async { Err("no such user") });
    assert_eq!(no_user.now_or_never().unwrap(), Err(RunError::Failed("no such user")));
    let failed = circuit.run(|| async { Err::<u16, _>("reset") }).now_or_never().unwrap();
    assert_eq!(failed, Err(RunError::Failed("reset")));
    let refused = circuit.run(|| async { Ok::<_, &str>(250) }).now_or_never().unwrap();
    assert!(matches!(refused, Err(RunError::Refused(refused)) if refused.reason() == "open"));
}

#[test]
fn a_run_that_is_dropped_before_during_or_after_its_probe_gives_it_back() {
    let (circuit, _, probe) = probing(brittle().half_open(Probes::new(1)));
    drop(probe);
    for polls in 0..2 {
        let mut run = Box::pin(circuit.run(pending::<Result<(), ()>>));
        for _ in 0..polls {
            assert!(run.as_mut().poll(&mut Context::from_waker(&noop_waker())).is_pending());
        }
        assert_eq!(circuit.snapshot().probes_in_flight, polls);
        drop(run);
        assert_eq!(circuit.snapshot().probes_in_flight, 0);
    }
}

#[test]
fn a_run_that_panics_has_failed() {
    let (circuit, _) = circuit(brittle());
    let mut run = pin!(circuit.run(|| async {
        std::panic::resume_unwind(Box::new("the call panics"));
        #[allow(unreachable_code, reason = "it has a type")]
        Ok::<(), ()>(())
    }));
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let _ = run.as_mut().poll(&mut Context::from_waker(&noop_waker()));
    }));
    assert!(polled.is_err());
    assert_eq!(circuit.state(), State::Open);
}

#[test]
fn two_threads_on_one_circuit_lose_no_result() {
    const CALLS: u64 = 20_000;
    for window in [Window::count(64), Window::time(secs(10)), Window::consecutive(u32::MAX)] {
        // It never opens.
        let (circuit, _) = circuit(Policy::new().window(window).failure_rate(1.0));
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let circuit = &circuit;
                scope.spawn(move || {
                    for call in 0..CALLS {
                        let fails = call % 7 == thread;
                        let class = if fails { Class::Failure } else { Class::Success };
                        circuit.acquire().unwrap().finish(class);
                    }
                });
            }
        });
        let totals = circuit.snapshot().totals;
        let failures = CALLS.div_ceil(7) + (CALLS - 1).div_ceil(7);
        assert_eq!((totals.failures, totals.successes), (failures, 2 * CALLS - failures));
    }
}

#[test]
fn a_policy_that_cannot_be_right_is_refused_by_name() {
    use ConfigErrorKind as Kind;

    let policy = Policy::new();
    for (policy, kind) in [
        (policy.window(Window::count(0)), Kind::Window),
        (policy.min_calls(0), Kind::MinCalls),
        (policy.failure_rate(0.0), Kind::Rate),
        (policy.failure_rate(f64::NAN), Kind::Rate),
        (policy.slow_calls(secs(1), 1.1), Kind::Rate),
        (policy.slow_calls(secs(0), 0.5), Kind::Time),
        (policy.open(OpenFor::exponential(secs(5), secs(4))), Kind::Time),
        (policy.open(OpenFor::constant(secs(0))), Kind::Time),
        (policy.open(OpenFor::constant(secs(5)).jitter(1.1)), Kind::Jitter),
        (policy.half_open(Probes::new(0)), Kind::Probes),
        (policy.half_open(Probes::new(1).lease(secs(0))), Kind::Time),
        (policy.ramp(Ramp::linear(secs(0))), Kind::Time),
    ] {
        let error = Circuit::new("smtp", policy).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().starts_with("smtp: "), "{error}");
    }
}
