use super::*;

const BOUNDS: Bounds = Bounds { initial: 20, min: 5, max: 100, tolerance: 1.5 };
const MS: Nanos = 1_000_000;
/// More than half of any limit.
const BUSY: usize = 100;

/// The limit after so many answers of this time.
fn after(learned: &mut Learned, answers: u32, took: Nanos) -> f64 {
    for _ in 0..answers {
        learned.add(took, BUSY, &BOUNDS);
    }
    learned.limit
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
        assert_eq!(learned.add(MS, 9, &BOUNDS), None);
    }
    assert_eq!(learned.limit, 20.0);
}

#[test]
fn a_little_longer_than_ever_is_tolerated() {
    let mut learned = begin();
    let before = after(&mut learned, 100, 10 * MS);
    assert!(after(&mut learned, 10, 14 * MS) > before);
}
