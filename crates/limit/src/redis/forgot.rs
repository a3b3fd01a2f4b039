//! After Redis has lost its counts: which of them were told to it since.

use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use crate::memory::Claim;

/// 64 KiB. Where two counts share a bit, the second is forgiven what it owed.
const BITS: usize = 1 << 19;
/// Between the bits of a key's counts.
const OWN: usize = 40_503;

/// The counts of which Redis has heard since it lost them. With the first question for any other
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

    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Relaxed)
    }

    /// Whether Redis is to be told what this count is here.
    pub(super) fn has(&self, claim: &Claim<'_>) -> bool {
        let (word, bit) = self.bit(claim);
        self.is_on() && word.is_some_and(|word| word.load(Relaxed) & bit == 0)
    }

    pub(super) fn told(&self, claim: &Claim<'_>) {
        if let (Some(word), bit) = self.bit(claim) {
            word.fetch_or(bit, Relaxed);
        }
    }

    /// Rules that were not asked together have one each, of one key too.
    fn bit(&self, claim: &Claim<'_>) -> (Option<&AtomicU64>, u64) {
        let [index, _] = claim.key.lines();
        let own = usize::from(claim.variant.number()).wrapping_mul(OWN);
        let bit = usize::try_from(index).unwrap_or(0).wrapping_add(own) % BITS;
        (self.told.get(bit / 64), 1 << (bit % 64))
    }
}

impl fmt::Debug for Forgot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forgot").field("is_on", &self.is_on).finish_non_exhaustive()
    }
}
