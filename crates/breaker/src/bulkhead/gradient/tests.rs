use super::*;

const BOUNDS: Bounds = Bounds { initial: 20, min: 5, max: 100, tolerance: 1.5 };
const MS: Nanos = 1_000_000;

/// The limit after so many answers of this time, with as many under way as may be.
fn after(learned: &mut Learned, answers: u32, took: Nanos) -> u32 {
    for _ in 0..answers {
        let taken = learned.limit as usize;
        learned.add(took, taken, &BOUNDS);
    }
    learned.limit as u32
}

fn begin() -> Learned {
    Learned { limit: 20.0, ..Learned::default() }
}

#[test]
fn it_grows_by_a_fifth_of_its_root_while_calls_take_what_they_always_took() {
    let mut learned = begin();
    assert_eq!(after(&mut learned, 9, MS), 20);
    after(&mut learned, 1, MS);
    assert!((learned.limit - (20.0 + 20.0_f64.sqrt() / 5.0)).abs() < 1e-9);
    assert_eq!(after(&mut learned, 10_000, MS), 100);
}

#[test]
fn it_shrinks_to_where_the_root_holds_against_it_when_calls_take_four_times_as_long() {
    let mut learned = begin();
    assert_eq!(after(&mut learned, 10_000, MS), 100);
    assert!(after(&mut learned, 100, 4 * MS) < 60);
    // limit × 1.5 ÷ 4 would be less: it is halved at most, so that √limit = limit ÷ 2 at 4.
    assert_eq!(after(&mut learned, 300, 4 * MS), 5);
}

#[test]
fn it_does_not_grow_where_it_is_not_used() {
    let mut learned = begin();
    for _ in 0..1_000 {
        assert_eq!(learned.add(MS, 9, &BOUNDS), None);
    }
    assert_eq!(learned.limit as u32, 20);
}

#[test]
fn a_little_longer_than_ever_is_tolerated() {
    let mut learned = begin();
    after(&mut learned, 100, 10 * MS);
    let before = learned.limit;
    after(&mut learned, 10, 14 * MS);
    assert!(learned.limit > before);
}
