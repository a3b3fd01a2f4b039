//! What is counted for one set of labels.

use std::sync::{
    Mutex, PoisonError,
    atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use crate::{
    exemplar::{Exemplar, ExemplarSlot, Ids},
    labels::Labels,
    otel::Exported,
    shard::{Sharded, Sum},
    window::{SLICES, Slice},
};

/// Upper bounds of `http.*.request.duration`, in nanoseconds: the semantic conventions' advice.
pub(crate) const DURATION_BOUNDS: [u64; 14] = [
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    75_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    750_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    7_500_000_000,
    10_000_000_000,
];

/// Upper bounds of body sizes, in bytes. The conventions advise none; these go by fours from
/// 256 B to 64 MiB, with a bucket for no body at all.
pub(crate) const SIZE_BOUNDS: [u64; 11] =
    [0, 256, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26];

const DURATION_BUCKETS: usize = DURATION_BOUNDS.len() + 1;
const SIZE_BUCKETS: usize = SIZE_BOUNDS.len() + 1;

/// One exchange, measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) nanos: u64,
    pub(crate) request_bytes: Option<u64>,
    pub(crate) response_bytes: u64,
}

pub(crate) struct Series {
    /// `None` for the one that takes what would be one series too many.
    pub(crate) labels: Option<Labels>,
    pub(crate) exported: Exported,
    cells: Sharded<Cells>,
    exemplars: Option<Box<[ExemplarSlot; DURATION_BUCKETS]>>,
    /// The slice of time that was last counted in, and one more.
    slice: AtomicU64,
    /// How many there were when a slice began.
    history: Mutex<[(Slice, u64); SLICES]>,
}

/// One shard's. Its own cache lines, so that two shards' do not share one.
#[derive(Default)]
#[repr(align(64))]
struct Cells {
    duration: [AtomicU64; DURATION_BUCKETS],
    duration_sum: Sum,
    request: [AtomicU64; SIZE_BUCKETS],
    request_sum: Sum,
    response: [AtomicU64; SIZE_BUCKETS],
    response_sum: Sum,
}

impl Series {
    pub(crate) fn new(labels: Option<Labels>, exemplars: bool) -> Self {
        Self {
            labels,
            exported: Exported::default(),
            cells: Sharded::new(),
            exemplars: exemplars.then(Box::default),
            slice: AtomicU64::new(0),
            history: Mutex::default(),
        }
    }

    /// `now` is the recorder's time in seconds.
    #[inline]
    pub(crate) fn record(&self, of: Measured, slice: Slice, now: u64, ids: impl FnOnce() -> Ids) {
        if self.slice.load(Acquire) < slice.0 {
            self.begin(slice);
        }
        let Some(cells) = self.cells.own() else { return };
        let bucket = duration_bucket(of.nanos);
        if let Some(count) = cells.duration.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        cells.duration_sum.add(of.nanos);
        if let Some(bytes) = of.request_bytes {
            add_size(&cells.request, &cells.request_sum, bytes);
        }
        add_size(&cells.response, &cells.response_sum, of.response_bytes);
        if let Some(exemplars) = &self.exemplars
            && let Some(slot) = exemplars.get(bucket)
        {
            slot.offer(of.nanos, now, ids);
        }
    }

    #[cold]
    fn begin(&self, slice: Slice) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        if self.slice.load(Relaxed) < slice.0 {
            if let Some(place) = history.get_mut(slice.place()) {
                *place = (slice, self.count());
            }
            self.slice.store(slice.0, Release);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        let counts = self.cells.iter().flat_map(|cells| &cells.duration);
        counts.map(|count| count.load(Relaxed)).sum()
    }

    /// How many came since `first` began.
    pub(crate) fn count_since(&self, first: Slice) -> u64 {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let since = history.iter().filter(|(slice, _)| *slice >= first);
        let before = since.min_by_key(|(slice, _)| *slice).map(|(_, before)| *before);
        before.map_or(0, |before| self.count().saturating_sub(before))
    }

    pub(crate) fn durations(&self) -> Counted {
        self.counted(|cells| (&cells.duration, &cells.duration_sum))
    }

    pub(crate) fn request_sizes(&self) -> Counted {
        self.counted(|cells| (&cells.request, &cells.request_sum))
    }

    pub(crate) fn response_sizes(&self) -> Counted {
        self.counted(|cells| (&cells.response, &cells.response_sum))
    }

    pub(crate) fn exemplar(&self, bucket: usize) -> Option<Exemplar> {
        self.exemplars.as_ref()?.get(bucket)?.get()
    }

    fn counted(&self, of: impl Fn(&Cells) -> (&[AtomicU64], &Sum)) -> Counted {
        let mut counted = Counted::default();
        for cells in self.cells.iter() {
            let (buckets, sum) = of(cells);
            counted.buckets.resize(buckets.len(), 0);
            for (total, count) in counted.buckets.iter_mut().zip(buckets) {
                *total += count.load(Relaxed);
            }
            counted.sum += sum.get();
        }
        counted
    }
}

#[inline]
fn add_size(buckets: &[AtomicU64; SIZE_BUCKETS], sum: &Sum, bytes: u64) {
    if let Some(count) = buckets.get(size_bucket(bytes)) {
        count.fetch_add(1, Relaxed);
    }
    sum.add(bytes);
}

/// The first of [`SIZE_BOUNDS`] that is not less: from 2⁸ on, each has two bits more.
#[inline]
fn size_bucket(bytes: u64) -> usize {
    let Some(last) = bytes.checked_sub(1) else { return 0 };
    let bits = (u64::BITS - last.leading_zeros()) as usize;
    (bits.saturating_sub(7) / 2 + 1).min(SIZE_BOUNDS.len())
}

/// The first of [`DURATION_BOUNDS`] that is not less.
#[inline]
fn duration_bucket(nanos: u64) -> usize {
    let [first, ..] = DURATION_BOUNDS;
    // Most are.
    if nanos <= first { 0 } else { DURATION_BOUNDS.partition_point(|&bound| bound < nanos) }
}

/// A histogram as it is now: each bucket's own count, and the sum.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) buckets: Vec<u64>,
    pub(crate) sum: u128,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_buckets(bounds: &[u64], bucket: fn(u64) -> usize, value: u64) {
        assert_eq!(bucket(value), bounds.partition_point(|&bound| bound < value), "{value}");
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_below_it() {
        for bound in SIZE_BOUNDS.into_iter().chain([u64::MAX - 1]) {
            for value in [bound.saturating_sub(1), bound, bound + 1] {
                assert_buckets(&SIZE_BOUNDS, size_bucket, value);
            }
        }
        for bound in DURATION_BOUNDS {
            for value in [bound - 1, bound, bound + 1] {
                assert_buckets(&DURATION_BOUNDS, duration_bucket, value);
            }
        }
    }

    proptest! {
        #[test]
        fn every_size_is_in_its_bucket(bits in 0_u32..64, value: u64) {
            assert_buckets(&SIZE_BOUNDS, size_bucket, value >> bits);
        }
    }
}
