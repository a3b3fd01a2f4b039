//! After Redis has lost its counts: which keys were told to it since.

use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use crate::key::Hashed;

/// 64 KiB. Where two keys share a bit, the second is forgiven what it owed.
const BITS: usize = 1 << 19;

/// The keys of which Redis has heard since it lost its counts. To the first question for any other
/// goes what the mirror says that it owes.
pub(super) struct Forgot {
    is_on: AtomicBool,
    told: Box<[AtomicU64]>,
}

impl Forgot {
    pub(super) fn new() -> Self {
        let told = (0..BITS / 64).map(|_| AtomicU64::new(0)).collect();
        Self { is_on: AtomicBool::new(false), told }
    }

    /// Redis has lost its counts.
    pub(super) fn all(&self) {
        self.told.iter().for_each(|word| word.store(0, Relaxed));
        self.is_on.store(true, Relaxed);
    }

    /// Whether Redis is to be told what this key owes.
    pub(super) fn has(&self, key: Hashed) -> bool {
        let (word, bit) = self.bit(key);
        self.is_on.load(Relaxed) && word.is_some_and(|word| word.load(Relaxed) & bit == 0)
    }

    pub(super) fn told(&self, key: Hashed) {
        if let (Some(word), bit) = self.bit(key) {
            word.fetch_or(bit, Relaxed);
        }
    }

    fn bit(&self, key: Hashed) -> (Option<&AtomicU64>, u64) {
        let [index, _] = key.lines();
        let bit = usize::try_from(index).unwrap_or(0) % BITS;
        (self.told.get(bit / 64), 1 << (bit % 64))
    }
}

impl fmt::Debug for Forgot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forgot").field("is_on", &self.is_on).finish_non_exhaustive()
    }
}
