use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const MS: Nanos = 1_000_000;

fn outcome(kind: u8) -> Outcome {
    Outcome { failed: kind & 1 == 1, slow: kind & 2 == 2 }
}

fn totals(outcomes: impl IntoIterator<Item = Outcome>) -> Totals {
    outcomes.into_iter().fold(Totals::default(), |sum, outcome| Totals {
        calls: sum.calls + 1,
        failures: sum.failures + u64::from(outcome.failed),
        slow: sum.slow + u64::from(outcome.slow),
    })
}

/// Mostly good, so that windows become clean and dirty again.
fn kinds() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0), 1 => Just(1), 1 => Just(2), 1 => Just(3)]
}

proptest! {
    #[test]
    fn a_window_of_calls_holds_the_last_ones(
        size in 1_u32..12,
        steps in prop::collection::vec((kinds(), prop::bool::weighted(0.02)), 1..200),
    ) {
        let record = Record::new(Window::count(size));
        let mut model = VecDeque::new();
        for (at, (kind, reset)) in steps.into_iter().enumerate() {
            if reset {
                record.reset();
                model.clear();
            }
            let outcome = outcome(kind);
            model.push_back(outcome);
            // What a reset has emptied fills up slot by slot, as it was: none slides out early.
            if model.len() > size as usize {
                model.pop_front();
            }
            let expected = totals(model.iter().copied());
            let told = record.add(outcome, || 0);
            prop_assert_eq!(record.totals(0), expected);
            prop_assert_eq!(record.ever(), at as u64 + 1);
            // Whatever makes the window worse, or fuller while it is bad, is told.
            if outcome.failed || outcome.slow {
                prop_assert_eq!(told, Some(expected));
            }
            if let Some(told) = told {
                prop_assert_eq!(told, expected);
            }
        }
    }

    #[test]
    fn a_window_of_time_holds_the_last_epochs(
        buckets in 2_u32..8,
        steps in prop::collection::vec((kinds(), 0_u64..90), 1..200),
    ) {
        let length = 20 * MS;
        let record = Record::new(Window::time(Duration::from_millis(20) * buckets).buckets(buckets));
        let (mut now, mut model) = (0, Vec::new());
        for (kind, millis) in steps {
            now += millis * MS;
            let epoch = now / length;
            let outcome = outcome(kind);
            model.push((epoch, outcome));
            let in_window = |(at, _): &&(u64, Outcome)| at + u64::from(buckets) > epoch;
            let expected = totals(model.iter().filter(in_window).map(|(_, outcome)| *outcome));
            let told = record.add(outcome, || now);
            prop_assert_eq!(record.totals(now), expected);
            prop_assert_eq!(record.ever(), model.len() as u64);
            let is_bad = expected.failures + expected.slow > 0;
            prop_assert_eq!(told, is_bad.then_some(expected));
        }
    }
}

#[test]
fn a_window_of_time_is_the_last_epochs_from_the_beginning_on() {
    let record = Record::new(Window::time(Duration::from_secs(30)).buckets(3));
    let failed = || record.add(Outcome::FAILED, || 9_999 * MS);
    assert_eq!(failed().map(|totals| totals.failures), Some(1));
    // Of epoch 0; the window is that and the two that follow.
    for (millis, failures) in [(9_999, 1), (10_000, 1), (29_999, 1), (30_000, 0), (40_000, 0)] {
        assert_eq!(record.totals(millis * MS).failures, failures, "at {millis} ms");
    }
    // Epoch 3 takes the bucket of epoch 0, which counts no more.
    let told = record.add(Outcome::FAILED, || 30_000 * MS);
    assert_eq!(told, Some(Totals { calls: 1, failures: 1, slow: 0 }));
    assert_eq!(record.ever(), 2);
}

#[test]
fn a_result_of_an_epoch_that_has_slid_out_is_not_counted() {
    let record = Record::new(Window::time(Duration::from_secs(30)).buckets(3));
    record.add(Outcome::FAILED, || 30_000 * MS);
    assert_eq!(record.add(Outcome::FAILED, || 0), None);
    assert_eq!(record.totals(30_000 * MS).calls, 1);
}

#[test]
fn a_good_call_between_two_failures_begins_the_row_anew() {
    let record = Record::new(Window::consecutive(3));
    let failures = |record: &Record| record.totals(0).failures;
    for (kind, expected) in [(1, 1), (1, 2), (0, 0), (1, 1), (2, 2), (3, 3)] {
        record.add(outcome(kind), || 0);
        assert_eq!(failures(&record), expected);
    }
    assert_eq!(record.ever(), 6);
}

#[test]
fn a_window_that_cannot_be_right_is_refused() {
    let (ms, secs) = (Duration::from_millis, Duration::from_secs);
    for (window, message) in [
        (Window::count(0), "a window of 0 calls: there must be from 1 to 100000"),
        (Window::count(100_001), "a window of 100001 calls: there must be from 1 to 100000"),
        (Window::consecutive(0), "no failure in a row is enough to open"),
        (Window::time(secs(30)).buckets(1), "1 buckets: there must be from 2 to 1000"),
        (Window::time(secs(86_401)), "a window of 86401s is longer than a day"),
        (Window::time(ms(99)), "a bucket of 9.9ms is shorter than 10ms"),
    ] {
        assert_eq!(window.check().unwrap_err().to_string(), message);
    }
    assert!(Window::time(ms(100)).check().is_ok() && Window::count(100_000).check().is_ok());
}
