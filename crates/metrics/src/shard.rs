//! Each thread's own share of what is counted, so that threads do not wait for one cache line.

use std::{
    cell::Cell,
    sync::{
        OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

/// More shards than this cost memory, and threads hardly meet.
const MAX_SHARDS: usize = 8;

const UNKNOWN: usize = usize::MAX;

thread_local! {
    static THREAD: Cell<usize> = const { Cell::new(UNKNOWN) };
}

/// As many as threads run at once, rounded up to a power of two, and at most [`MAX_SHARDS`].
pub(crate) fn count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        thread::available_parallelism().map_or(1, usize::from).next_power_of_two().min(MAX_SHARDS)
    })
}

/// The calling thread's shard: below [`count`].
#[inline]
pub(crate) fn of_thread() -> usize {
    THREAD.with(|thread| match thread.get() {
        UNKNOWN => {
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            let next = NEXT.fetch_add(1, Relaxed) % count();
            thread.set(next);
            next
        }
        known => known,
    })
}

/// One `T` for each shard, made when a thread of it first asks.
pub(crate) struct Sharded<T>([OnceLock<Box<T>>; MAX_SHARDS]);

impl<T: Default> Sharded<T> {
    pub(crate) fn new() -> Self {
        Self([const { OnceLock::new() }; MAX_SHARDS])
    }

    /// The calling thread's.
    #[inline]
    pub(crate) fn own(&self) -> Option<&T> {
        let shard = self.0.get(of_thread() % MAX_SHARDS)?;
        Some(shard.get_or_init(Box::default))
    }

    /// Those that were made.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(OnceLock::get).map(AsRef::as_ref)
    }
}

/// A sum of numbers that may pass 2⁶⁴: ten thousand streams that are open at once add 10¹³
/// nanoseconds a second, and would come round in three weeks.
#[derive(Default)]
pub(crate) struct Sum {
    low: AtomicU64,
    high: AtomicU64,
}

impl Sum {
    #[inline]
    pub(crate) fn add(&self, number: u64) {
        let before = self.low.fetch_add(number, Relaxed);
        if before.checked_add(number).is_none() {
            self.high.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn get(&self) -> u128 {
        u128::from(self.high.load(Relaxed)) << 64 | u128::from(self.low.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_goes_on_past_64_bits() {
        let sum = Sum::default();
        for _ in 0..3 {
            sum.add(u64::MAX);
        }
        assert_eq!(sum.get(), 3 * u128::from(u64::MAX));
    }

    #[test]
    fn each_thread_keeps_its_shard() {
        let shards = Sharded::<AtomicU64>::new();
        shards.own().unwrap().fetch_add(1, Relaxed);
        thread::scope(|scope| {
            scope.spawn(|| shards.own().unwrap().fetch_add(1, Relaxed));
        });
        shards.own().unwrap().fetch_add(1, Relaxed);
        assert_eq!(shards.iter().map(|shard| shard.load(Relaxed)).sum::<u64>(), 3);
    }
}
