//! How a layer has decided.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::key::Keys;

/// Counters of admissions, so that threads do not wait for one another's cache line.
const SHARDS: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Counts {
    admitted: [Padded; SHARDS],
    pub(crate) allowed: AtomicU64,
    pub(crate) denied: AtomicU64,
    pub(crate) missing: AtomicU64,
    pub(crate) too_many_waiting: AtomicU64,
    pub(crate) foreign_refused: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Padded(AtomicU64);

impl Counts {
    #[inline]
    pub(super) fn admit(&self, keys: &Keys) {
        let shard = usize::try_from(keys.first().spread()).unwrap_or(0) % SHARDS;
        if let Some(Padded(count)) = self.admitted.get(shard) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn admitted(&self) -> u64 {
        self.admitted.iter().map(|Padded(count)| count.load(Relaxed)).sum()
    }
}
