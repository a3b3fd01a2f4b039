use proptest::{collection::vec, prelude::*};

use super::*;

/// 2.2 %, and what rounding to whole nanoseconds adds.
fn is_near(found: u64, exact: u64) -> bool {
    found.abs_diff(exact) as f64 <= exact as f64 * 0.022 + 1.0
}

fn of(values: &[u64]) -> Distribution {
    let mut counts = [0; BUCKETS];
    let mut distribution = Distribution::empty();
    for &value in values {
        counts[bucket(value)] += 1;
        distribution.add_sum(value.into());
        distribution.add_extremes(value, value);
    }
    distribution.add_counts(counts);
    distribution
}

#[test]
fn a_bucket_begins_where_the_one_before_it_ends() {
    let mut last = 0;
    // Every bound, and what lies beside it.
    for octave in FIRST_OCTAVE..42 {
        for part in PARTS {
            let bound = part.div_ceil(1 << (63 - octave));
            assert_eq!(bucket(bound), last, "{bound}");
            assert!(bucket(bound - 1) == last.saturating_sub(1), "{bound}");
            last += 1;
        }
    }
    assert_eq!(last, BUCKETS);
}

#[test]
fn what_lies_outside_counts_at_the_ends() {
    for (nanos, expected) in [(0, 0), (1, 0), (1_023, 0), (1 << 42, BUCKETS - 1), (u64::MAX, 511)] {
        assert_eq!(bucket(nanos), expected, "{nanos}");
    }
    let hours = of(&[7_200_000_000_000]);
    assert_eq!(hours.percentile(99), 7_200_000_000_000);
    assert_eq!(of(&[12]).percentile(50), 12);
}

#[test]
fn a_count_whose_extremes_are_not_told_yet_is_what_its_bucket_says() {
    for values in [&[5_000_000][..], &[1_000_000, 9_000_000], &[3_000, 70_000_000_000]] {
        let mut counted = Distribution::empty();
        for &value in values {
            let at = bucket(value);
            counted.add_counts((0..BUCKETS).map(|bucket| u64::from(bucket == at)));
        }
        // None of them is told, or only one in the middle.
        for told in [None, Some(values[0] + 1)] {
            let mut settled = counted.clone();
            if let Some(told) = told {
                settled.add_extremes(told, told);
            }
            settled.settle();
            let (least, greatest) = (values[0], values[values.len() - 1]);
            assert!(is_near(settled.min(), least), "{} for {least}", settled.min());
            assert!(is_near(settled.max(), greatest), "{} for {greatest}", settled.max());
            assert!(is_near(settled.percentile(1), least));
            assert!(is_near(settled.percentile(99), greatest));
        }
    }
    let mut told = of(&[5_000_000, 6_000_000]);
    told.settle();
    assert_eq!((told.min(), told.max()), (5_000_000, 6_000_000));
    let mut none = Distribution::empty();
    none.settle();
    assert_eq!((none.min(), none.max()), (0, 0));
}

#[test]
fn of_nothing_everything_is_zero() {
    let none = Distribution::empty();
    assert_eq!([none.count(), none.min(), none.max(), none.mean(), none.percentile(99)], [0; 5]);
}

proptest! {
    #[test]
    fn percentiles_are_within_two_point_two_percent(
        mut values in vec(
            // Of every magnitude alike.
            (10_u32..42, any::<u64>()).prop_map(|(log, low)| 1 << log | low >> (64 - log)),
            1..300,
        ),
        percent in 1_u8..=100,
    ) {
        let found = of(&values).percentile(percent.into());
        values.sort_unstable();
        let rank = (values.len() * usize::from(percent)).div_ceil(100);
        prop_assert!(is_near(found, values[rank - 1]), "{found} for {}", values[rank - 1]);
    }

    #[test]
    fn merged_is_as_if_counted_together(
        left in vec(1_u64..1 << 40, 1..50),
        right in vec(1_u64..1 << 40, 1..50),
    ) {
        let mut merged = of(&left);
        merged.merge(&of(&right));
        let together = of(&[left, right].concat());
        prop_assert_eq!(format!("{merged:?}"), format!("{together:?}"));
    }
}
