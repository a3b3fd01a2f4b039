//! How long the requests to one place took.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use crate::{
    exemplar::Ids,
    exponential::{BUCKETS, Distribution, bucket},
    shard::{Sharded, Sum},
    window::{SLICES, Slice},
};

/// The durations since the start and in each slice of the window.
///
/// Only running totals are counted. When the first request of a slice comes in, it notes how far
/// they had got; what a window holds is the difference, so nothing is ever cleared, lost or
/// counted twice.
pub(crate) struct Latency {
    cells: Sharded<Cells>,
    /// Whoever sees a slice here sees what was noted when it began.
    slice: AtomicU64,
    /// The extremes of the present slice: what lies between them needs no lock.
    low: AtomicU64,
    high: AtomicU64,
    history: Mutex<History>,
}

#[repr(align(64))]
struct Cells {
    counts: [AtomicU64; BUCKETS],
    sum: Sum,
}

impl Default for Cells {
    fn default() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; BUCKETS], sum: Sum::default() }
    }
}

struct History {
    whole: Extremes,
    slices: [Begun; SLICES],
}

/// How far the totals had got when a slice began, and what came in it.
struct Begun {
    slice: Slice,
    /// Modulo 2³²: as many come in a day if one bucket takes 49,000 a second.
    counts: Box<[u32]>,
    sum: u128,
    extremes: Extremes,
}

#[derive(Clone, Copy)]
struct Extremes {
    low: u64,
    high: u64,
    slowest: Ids,
}

impl Extremes {
    const NONE: Self = Self { low: u64::MAX, high: 0, slowest: Ids::NONE };

    fn take(&mut self, nanos: u64, ids: &Ids) {
        self.low = self.low.min(nanos);
        if nanos >= self.high {
            self.high = nanos;
            self.slowest = *ids;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.low = self.low.min(other.low);
        if other.high > self.high {
            self.high = other.high;
            self.slowest = other.slowest;
        }
    }
}

impl Latency {
    pub(crate) fn new() -> Self {
        let slices = [(); SLICES].map(|()| Begun {
            slice: Slice::default(),
            counts: Box::new([0; BUCKETS]),
            sum: 0,
            extremes: Extremes::NONE,
        });
        Self {
            cells: Sharded::new(),
            slice: AtomicU64::new(0),
            low: AtomicU64::new(u64::MAX),
            high: AtomicU64::new(0),
            history: Mutex::new(History { whole: Extremes::NONE, slices }),
        }
    }

    #[inline]
    pub(crate) fn record(&self, nanos: u64, slice: Slice, ids: impl FnOnce() -> Ids) {
        if self.slice.load(Acquire) < slice.0 {
            self.begin(slice);
        }
        let Some(cells) = self.cells.own() else { return };
        if let Some(count) = cells.counts.get(bucket(nanos)) {
            count.fetch_add(1, Relaxed);
        }
        cells.sum.add(nanos);
        if nanos < self.low.load(Relaxed) || nanos > self.high.load(Relaxed) {
            self.stretch(nanos, &ids());
        }
    }

    #[cold]
    fn begin(&self, slice: Slice) {
        let mut history = self.lock();
        if self.slice.load(Relaxed) >= slice.0 {
            return;
        }
        let Some(begun) = history.slices.get_mut(slice.place()) else { return };
        begun.slice = slice;
        begun.extremes = Extremes::NONE;
        begun.sum = self.sum();
        begun.counts.fill(0);
        for cells in self.cells.iter() {
            for (total, count) in begun.counts.iter_mut().zip(&cells.counts) {
                *total = total.wrapping_add(low_half(count.load(Relaxed)));
            }
        }
        self.low.store(u64::MAX, Relaxed);
        self.high.store(0, Relaxed);
        self.slice.store(slice.0, Release);
    }

    /// A new extreme: it becomes rare as a slice goes on.
    #[cold]
    fn stretch(&self, nanos: u64, ids: &Ids) {
        let mut history = self.lock();
        history.whole.take(nanos, ids);
        let present = Slice(self.slice.load(Relaxed));
        let Some(begun) = history.slices.get_mut(present.place()) else { return };
        begun.extremes.take(nanos, ids);
        self.low.store(begun.extremes.low, Relaxed);
        self.high.store(begun.extremes.high, Relaxed);
    }

    fn sum(&self) -> u128 {
        self.cells.iter().map(|cells| cells.sum.get()).sum()
    }

    fn totals(&self) -> Distribution {
        let mut totals = Distribution::empty();
        for cells in self.cells.iter() {
            totals.add_counts(cells.counts.iter().map(|count| count.load(Relaxed)));
        }
        totals.add_sum(self.sum());
        totals
    }

    /// All of it, and the ids of the slowest request.
    pub(crate) fn since_start(&self) -> (Distribution, Ids) {
        let mut totals = self.totals();
        let Extremes { low, high, slowest } = self.lock().whole;
        totals.add_extremes(low, high);
        totals.settle();
        (totals, slowest)
    }

    /// What came since `first` began.
    pub(crate) fn since(&self, first: Slice) -> (Distribution, Ids) {
        let history = self.lock();
        let mut found = Distribution::empty();
        let within = || history.slices.iter().filter(|begun| begun.slice >= first);
        let Some(oldest) = within().min_by_key(|begun| begun.slice) else {
            return (found, Ids::NONE);
        };
        let totals = self.totals();
        let counts = totals.counts().iter().zip(&oldest.counts);
        found.add_counts(
            counts.map(|(&now, &before)| u64::from(low_half(now).wrapping_sub(before))),
        );
        found.add_sum(totals.sum().saturating_sub(oldest.sum));
        let mut extremes = Extremes::NONE;
        for begun in within() {
            extremes.merge(&begun.extremes);
        }
        found.add_extremes(extremes.low, extremes.high);
        found.settle();
        (found, extremes.slowest)
    }

    fn lock(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is what is asked for")]
const fn low_half(count: u64) -> u32 {
    count as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_counted_and_has_not_told_its_extremes_yet_is_no_zero() {
        let latency = Latency::new();
        let slice = Slice(1);
        latency.begin(slice);
        // Where `record` is between its count and what may wait for the lock that a report holds.
        let nanos = 5_000_000;
        latency.cells.own().unwrap().counts[bucket(nanos)].fetch_add(1, Relaxed);
        for (found, _) in [latency.since_start(), latency.since(slice)] {
            for value in [found.min(), found.percentile(50), found.max()] {
                assert!(value.abs_diff(nanos) < nanos / 40, "{value}");
            }
        }
    }
}
