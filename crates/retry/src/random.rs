//! Numbers for the jitter: fast, and the same again for the same seed. Nothing secret hangs on
//! them.

use std::hash::{BuildHasher, Hasher, RandomState};

/// `SplitMix64` (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// From the keys of the standard library's hash maps, which differ each time.
    pub(crate) fn fresh() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From `low` to `high`, both included; `low` where the two are the wrong way round.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        let width = u128::from(high.saturating_sub(low)) + 1;
        // The upper 64 bits of a product of two 64-bit numbers, less than `width`.
        let offset = (u128::from(self.next()) * width) >> 64;
        low.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX))
    }
}
