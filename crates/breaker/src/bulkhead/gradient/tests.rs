use std::time::Duration;

use super::*;
use crate::clock::nanos;

const BOUNDS: Bounds = Bounds { initial: 20, min: 5, max: 100, tolerance: 1.5 };
const MS: Nanos = 1_000_000;
/// More than half of any limit.
const BUSY: usize = 100;

/// The limit after so many answers of this time.
fn after(learned: &mut Learned, answers: u32, took: Nanos) -> f64 {
    for _ in 0..answers {
        learned.add(took, next(learned), BUSY, &BOUNDS);
    }
    learned.limit
}

/// An answer each 10 ms.
fn next(learned: &Learned) -> Nanos {
    learned.since + 10 * MS * Nanos::from(learned.answers + 1)
}

fn begin() -> Learned {
    Learned { limit: 20.0, ..Learned::default() }
}

#[test]
fn it_grows_by_a_fifth_of_its_root_while_calls_take_what_they_always_took() {
    let mut learned = begin();
    assert_eq!(after(&mut learned, 9, MS), 20.0);
    let grown = after(&mut learned, 1, MS) - 20.0;
    assert!((grown - 20.0_f64.sqrt() / 5.0).abs() < 1e-9);
    assert_eq!(after(&mut learned, 10_000, MS), 100.0);
}

#[test]
fn it_shrinks_while_calls_take_four_times_as_long() {
    let mut learned = begin();
    assert_eq!(after(&mut learned, 10_000, MS), 100.0);
    assert!(after(&mut learned, 100, 4 * MS) < 60.0);
    assert!(after(&mut learned, 300, 4 * MS) < 12.0);
    assert_eq!(after(&mut learned, 300, 400 * MS), 5.0);
}

#[test]
fn it_does_not_grow_where_it_is_not_used() {
    let mut learned = begin();
    for _ in 0..1_000 {
        let now = next(&learned);
        assert_eq!(learned.add(MS, now, 9, &BOUNDS), None);
    }
    assert_eq!(learned.limit, 20.0);
}

#[test]
fn a_little_longer_than_ever_is_tolerated() {
    let mut learned = begin();
    let before = after(&mut learned, 100, 10 * MS);
    assert!(after(&mut learned, 10, 14 * MS) > before);
}

#[test]
fn a_service_that_is_full_does_not_become_the_rule_by_the_number_of_calls() {
    // Ten at once take 10 ms; what is more waits for them. 1,000 answers a second.
    let mut learned = Learned { limit: 10.0, ..Learned::default() };
    let bounds = Bounds { initial: 10, min: 1, max: 1_000, tolerance: 1.5 };
    for answer in 0..60_000 {
        let took = Duration::from_millis(10).mul_f64((learned.limit / 10.0).max(1.0));
        learned.add(nanos(took), answer * MS, BUSY * 10, &bounds);
    }
    assert!(learned.limit < 40.0, "{}", learned.limit);
}
