//! Time in ticks that are an exact fraction of what is counted by them.

use super::Nanos;

/// A tick is `nanos / ticks` nanoseconds, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    ticks: u64,
    nanos: u64,
}

impl Ticks {
    /// So many ticks in so many nanoseconds, neither of them 0.
    pub(super) const fn new(ticks: u64, nanos: u64) -> Self {
        let common = gcd(ticks, nanos);
        Self { ticks: ticks / common, nanos: nanos / common }
    }

    /// How many ticks have passed, the last one in full.
    #[inline]
    pub(super) fn at(self, now: Nanos) -> u64 {
        if self.ticks == 1 {
            return now / self.nanos;
        }
        narrow(u128::from(now) * u128::from(self.ticks) / u128::from(self.nanos))
    }

    /// How long so many ticks take, rounded up to the nanosecond.
    #[inline]
    pub(super) fn take(self, ticks: u64) -> Nanos {
        if self.ticks == 1 {
            return ticks.saturating_mul(self.nanos);
        }
        narrow((u128::from(ticks) * u128::from(self.nanos)).div_ceil(u128::from(self.ticks)))
    }

    /// How many ticks there are in how many nanoseconds.
    #[cfg(feature = "redis")]
    pub(super) const fn ratio(self) -> (u64, u64) {
        (self.ticks, self.nanos)
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn begin_of(self, tick: u128) -> u128 {
        (tick * u128::from(self.nanos)).div_ceil(u128::from(self.ticks))
    }

    /// So long a time in ticks, rounded up.
    pub(super) fn span(self, nanos: Nanos) -> u64 {
        narrow((u128::from(nanos) * u128::from(self.ticks)).div_ceil(u128::from(self.nanos)))
    }
}

/// Nothing that is counted here comes near.
#[inline]
fn narrow(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}
