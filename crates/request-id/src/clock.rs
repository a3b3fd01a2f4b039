//! The time part of an id, strictly increasing whatever the system's clock does.

/// 48 bits of milliseconds last until the year 10889.
const MAX_MILLIS: u64 = (1 << 48) - 1;

/// 18 bits: 12 in `rand_a` and the top 6 of `rand_b` (RFC 9562 §6.2, method 1).
pub(crate) const MAX_COUNT: u32 = (1 << 18) - 1;

/// The top bit of a new count is 0, so that at least 2^17 ids fit into any millisecond.
const SEED: u32 = MAX_COUNT >> 1;

/// The latest tick that was given out.
pub(crate) struct Clock {
    last: Tick,
}

/// A millisecond, and the place within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick {
    pub(crate) millis: u64,
    pub(crate) count: u32,
}

impl Clock {
    pub(crate) const fn new() -> Self {
        // Used up, so that the first tick is seeded even where the clock says 1970.
        Self { last: Tick { millis: 0, count: MAX_COUNT } }
    }

    /// The next tick: greater than every one before it, and at `now` unless the latest is later or
    /// has used its millisecond up.
    pub(crate) fn tick(&mut self, now: u64, seed: impl FnOnce() -> u32) -> Tick {
        let Tick { millis, count } = self.last;
        self.last = if now > millis {
            Tick { millis: now.min(MAX_MILLIS), count: seed() & SEED }
        } else if count < MAX_COUNT {
            Tick { millis, count: count + 1 }
        } else {
            Tick { millis: (millis + 1).min(MAX_MILLIS), count: seed() & SEED }
        };
        self.last
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Clock, MAX_COUNT, SEED, Tick};

    #[test]
    fn a_new_millisecond_begins_at_a_seed_with_its_top_bit_clear() {
        let mut clock = Clock::new();
        assert_eq!(clock.tick(7, || u32::MAX), Tick { millis: 7, count: SEED });
        assert_eq!(clock.tick(8, || 5), Tick { millis: 8, count: 5 });
        assert_eq!(clock.tick(8, || 99), Tick { millis: 8, count: 6 });
    }

    #[test]
    fn a_count_used_up_borrows_the_next_millisecond() {
        let mut clock = Clock { last: Tick { millis: 7, count: MAX_COUNT } };
        assert_eq!(clock.tick(7, || 3), Tick { millis: 8, count: 3 });
        assert_eq!(clock.tick(8, || 0), Tick { millis: 8, count: 4 });
    }

    #[test]
    fn the_first_tick_is_seeded_even_in_1970() {
        assert_eq!(Clock::new().tick(0, || 3), Tick { millis: 1, count: 3 });
    }

    proptest! {
        #[test]
        fn ticks_increase_strictly_whatever_the_clock_says(
            start in 0_u32..=MAX_COUNT,
            steps in prop::collection::vec((0_u64..20, any::<u32>()), 1..200),
        ) {
            let mut clock = Clock { last: Tick { millis: 10, count: start } };
            let mut before = clock.last;
            for (now, seed) in steps {
                let tick = clock.tick(now, || seed);
                prop_assert!(tick > before, "{tick:?} after {before:?}");
                before = tick;
            }
        }
    }
}
