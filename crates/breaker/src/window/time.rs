//! The calls of the last so long.
//!
//! Time is cut into epochs from the circuit's beginning on; a window is the last so many of them.
//! Each has a bucket of three words, and each word says of which epoch it is, so that there is
//! nobody who has to empty a bucket in time: the first one who comes in a new epoch does.

use crate::{
    clock::Nanos,
    sync::{AtomicU64, Ordering::Relaxed},
};

use super::{Outcome, Totals};

#[derive(Debug)]
pub(crate) struct Buckets {
    /// How long an epoch is.
    epoch: Nanos,
    buckets: Box<[Bucket]>,
    /// The epoch of the last failure or slow call, and one more; 0 where there was none.
    last_bad: AtomicU64,
    /// Calls of buckets that are used again.
    retired: AtomicU64,
}

/// The epoch in the upper half of each word, the count in the lower.
#[derive(Debug)]
struct Bucket {
    calls: AtomicU64,
    failures: AtomicU64,
    slow: AtomicU64,
}

const COUNT: u64 = u32::MAX as u64;
/// Counts stop here, with room for threads that are between looking and adding.
const FULL: u64 = COUNT - (1 << 16);

impl Buckets {
    pub(super) fn new(window: Nanos, buckets: u32) -> Self {
        let bucket = |_| Bucket {
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            slow: AtomicU64::new(0),
        };
        Self {
            epoch: window.div_ceil(u64::from(buckets)),
            buckets: (0..buckets).map(bucket).collect(),
            last_bad: AtomicU64::new(0),
            retired: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(super) fn add_good(&self, now: Nanos) -> Option<Totals> {
        let epoch = now / self.epoch;
        self.count_call(epoch)?;
        let last_bad = self.last_bad.load(Relaxed);
        // A window with nothing bad in it opens no circuit.
        if last_bad == 0 || last_bad + self.buckets.len() as u64 <= epoch + 1 {
            return None;
        }
        Some(self.sum(epoch))
    }

    pub(super) fn add(&self, outcome: Outcome, now: Nanos) -> Option<Totals> {
        let epoch = now / self.epoch;
        let bucket = self.count_call(epoch)?;
        if outcome.failed {
            bump(&bucket.failures, epoch);
        }
        if outcome.slow {
            bump(&bucket.slow, epoch);
        }
        self.last_bad.fetch_max(epoch + 1, Relaxed);
        Some(self.sum(epoch))
    }

    /// The epoch's bucket, unless that is of a later one by now.
    #[inline]
    fn count_call(&self, epoch: u64) -> Option<&Bucket> {
        #[expect(clippy::cast_possible_truncation, reason = "less than the number of buckets")]
        let bucket = self.buckets.get((epoch % self.buckets.len() as u64) as usize)?;
        let (is_current, retired) = bump(&bucket.calls, epoch);
        if retired > 0 {
            self.retired.fetch_add(retired, Relaxed);
        }
        is_current.then_some(bucket)
    }

    pub(super) fn totals(&self, now: Nanos) -> Totals {
        self.sum(now / self.epoch)
    }

    fn sum(&self, epoch: u64) -> Totals {
        let mut totals = Totals::default();
        for bucket in &self.buckets {
            let counted = |word: &AtomicU64| {
                let word = word.load(Relaxed);
                let age = low(epoch).wrapping_sub(low(word >> 32));
                if (age as usize) < self.buckets.len() { word & COUNT } else { 0 }
            };
            totals.calls += counted(&bucket.calls);
            totals.failures += counted(&bucket.failures);
            totals.slow += counted(&bucket.slow);
        }
        totals
    }

    pub(super) fn reset(&self) {
        for bucket in &self.buckets {
            let calls = bucket.calls.fetch_and(!COUNT, Relaxed);
            self.retired.fetch_add(calls & COUNT, Relaxed);
            bucket.failures.fetch_and(!COUNT, Relaxed);
            bucket.slow.fetch_and(!COUNT, Relaxed);
        }
        self.last_bad.store(0, Relaxed);
    }

    pub(super) fn ever(&self) -> u64 {
        let live: u64 = self.buckets.iter().map(|b| b.calls.load(Relaxed) & COUNT).sum();
        self.retired.load(Relaxed) + live
    }
}

/// One more in this epoch: whether the word was not of a later one, and what was counted in an
/// earlier one.
#[inline]
fn bump(word: &AtomicU64, epoch: u64) -> (bool, u64) {
    let mut old = word.load(Relaxed);
    loop {
        let ahead = low(old >> 32).wrapping_sub(low(epoch)).cast_signed();
        if ahead == 0 {
            if old & COUNT < FULL {
                // Should the next epoch have begun just now, this is its first.
                word.fetch_add(1, Relaxed);
            }
            return (true, 0);
        }
        if ahead > 0 {
            return (false, 0);
        }
        let new = u64::from(low(epoch)) << 32 | 1;
        match word.compare_exchange_weak(old, new, Relaxed, Relaxed) {
            Ok(_) => return (true, old & COUNT),
            Err(now) => old = now,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "epochs are compared within 2³¹ of them")]
const fn low(epoch: u64) -> u32 {
    epoch as u32
}
