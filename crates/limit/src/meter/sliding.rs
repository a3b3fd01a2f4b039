//! Two windows, of which the last one fades.

use super::{CELL_BITS, Level, Nanos};
use crate::quota::Quota;

/// A cell is the number of the window, the last one's count and this one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sliding {
    period: Nanos,
    limit: u64,
    count_bits: u32,
}

#[derive(Clone, Copy)]
struct Counts {
    /// The number of the present window.
    window: u64,
    /// How much of it has passed.
    into: Nanos,
    last: u64,
    this: u64,
}

impl Sliding {
    pub(super) fn new(quota: &Quota) -> Self {
        let period = u64::try_from(quota.period().as_nanos()).unwrap_or(u64::MAX).max(1);
        let limit = quota.requests();
        // Ten bits at least are the window's number.
        let count_bits = (u64::BITS - limit.leading_zeros()).min((CELL_BITS - 10) / 2);
        Self { period, limit, count_bits }
    }

    pub(super) const fn limit(&self) -> u64 {
        self.limit
    }

    /// The cell of two windows' counts, of which this one began so long ago; and how much later
    /// than now it is to be read, where windows begin at other times than here.
    #[cfg(feature = "redis")]
    pub(crate) fn told(&self, (last, this): (u64, u64), into: Nanos, now: Nanos) -> (u64, Nanos) {
        let here = self.counts(None, now);
        let into = into.min(self.period - 1);
        let (last, this) = (last.min(self.limit), this.min(self.limit));
        (self.cell(Counts { last, this, into, ..here }), into.wrapping_sub(here.into))
    }

    /// The cell, by windows that begin as they do here, of one that is to be read so much later:
    /// as if each window's requests had come evenly.
    #[cfg(feature = "redis")]
    pub(crate) fn aligned(&self, cell: u64, shift: Nanos, now: Nanos) -> u64 {
        let there = self.counts(Some(cell), now.wrapping_add(shift));
        let here = self.counts(None, now);
        let part = |count: u64, of: Nanos, whole: Nanos| {
            let part = u128::from(count) * u128::from(of);
            u64::try_from(part.div_ceil(u128::from(whole.max(1)))).unwrap_or(self.limit)
        };
        let (this, last) = if here.into >= there.into {
            let more = part(there.last, here.into - there.into, self.period);
            (there.this + more, there.last - more)
        } else {
            let less = part(there.this, there.into - here.into, there.into);
            let kept = part(there.last, self.period - (there.into - here.into), self.period);
            (there.this - less, kept + less)
        };
        self.cell(Counts { this: this.min(self.limit), last: last.min(self.limit), ..here })
    }

    /// What counts as used, rounded up.
    #[cfg(feature = "redis")]
    pub(crate) fn used(&self, cell: Option<u64>, now: Nanos) -> u64 {
        let counts = self.counts(cell, now);
        let faded = u128::from(counts.last) * u128::from(self.period - counts.into);
        counts.this + u64::try_from(faded.div_ceil(self.period.into())).unwrap_or(counts.last)
    }

    pub(crate) const fn period(&self) -> Nanos {
        self.period
    }

    /// Of the windows that a cell can tell apart.
    const fn mask(&self) -> u64 {
        (1 << (CELL_BITS - 2 * self.count_bits)) - 1
    }

    /// How many windows a cell may be ahead of the clock, and not long past.
    const fn ahead(&self) -> u64 {
        self.mask() / 4
    }

    fn counts(&self, cell: Option<u64>, now: Nanos) -> Counts {
        let (window, into) = (now / self.period, now % self.period);
        let none = Counts { window, into, last: 0, this: 0 };
        let Some(cell) = cell else { return none };
        let count = (1 << self.count_bits) - 1;
        let (last, this) = ((cell >> self.count_bits) & count, cell & count);
        let age = window.wrapping_sub(cell >> (2 * self.count_bits)) & self.mask();
        match age {
            0 => Counts { last, this, ..none },
            1 => Counts { last: this, ..none },
            // Other threads have begun later windows while this one was held up.
            age if age > self.mask() - self.ahead() => {
                let ahead = self.mask() - age + 1;
                Counts { window: window.wrapping_add(ahead), into: 0, last, this }
            }
            _ => none,
        }
    }

    const fn cell(&self, counts: Counts) -> u64 {
        ((counts.window & self.mask()) << (2 * self.count_bits))
            | (counts.last << self.count_bits)
            | counts.this
    }

    /// What is left, in units times the period.
    fn left(&self, counts: Counts) -> i128 {
        let of = |count: u64, nanos: Nanos| i128::from(count) * i128::from(nanos);
        of(self.limit, self.period)
            - of(counts.last, self.period - counts.into)
            - of(counts.this, self.period)
    }

    pub(super) fn is_live(&self, cell: u64, now: Nanos) -> bool {
        let counts = self.counts(Some(cell), now);
        counts.last > 0 || counts.this > 0
    }

    pub(super) fn charge(&self, cell: Option<u64>, cost: u64, now: Nanos) -> Option<u64> {
        let mut counts = self.counts(cell, now);
        let fits = || self.left(counts) >= i128::from(cost) * i128::from(self.period);
        if cost > 0 && (cost > self.limit || !fits()) {
            return None;
        }
        counts.this += cost;
        Some(self.cell(counts))
    }

    pub(super) fn force(&self, cell: Option<u64>, cost: u64, now: Nanos) -> u64 {
        let mut counts = self.counts(cell, now);
        counts.this = counts.this.saturating_add(cost).min(self.limit);
        self.cell(counts)
    }

    pub(super) fn refund(&self, cell: u64, cost: u64, then: Nanos, now: Nanos) -> u64 {
        let mut counts = self.counts(Some(cell), now);
        match counts.window.saturating_sub(then / self.period) {
            0 => counts.this = counts.this.saturating_sub(cost),
            1 => counts.last = counts.last.saturating_sub(cost),
            _ => {}
        }
        self.cell(counts)
    }

    pub(super) fn level(&self, cell: Option<u64>, now: Nanos) -> Level {
        let counts = self.counts(cell, now);
        let remaining = u64::try_from(self.left(counts).max(0) / i128::from(self.period));
        let remaining = remaining.unwrap_or(0);
        let to_end = self.period - counts.into;
        let reset = match counts {
            Counts { this: 1.., .. } => to_end + self.period,
            Counts { last: 1.., .. } => to_end,
            _ => 0,
        };
        let next_unit = if reset == 0 { 0 } else { self.until(counts, remaining + 1) };
        Level { remaining, next_unit, reset }
    }

    pub(super) fn wait(&self, cell: Option<u64>, cost: u64, now: Nanos) -> Option<Nanos> {
        (cost <= self.limit).then(|| self.until(self.counts(cell, now), cost))
    }

    /// How long until so many, no more than the limit, are left.
    fn until(&self, counts: Counts, cost: u64) -> Nanos {
        let to_end = self.period - counts.into;
        if counts.this + cost <= self.limit {
            let at = self.faded(counts.last, self.limit - counts.this - cost);
            return at.saturating_sub(counts.into);
        }
        // In the next window, where this one fades.
        to_end + self.faded(counts.this, self.limit.saturating_sub(cost))
    }

    /// How far into a window the last one's count is worth no more than `worth`.
    fn faded(&self, last: u64, worth: u64) -> Nanos {
        if last <= worth {
            return 0;
        }
        let kept = u128::from(worth) * u128::from(self.period) / u128::from(last);
        self.period - u64::try_from(kept).unwrap_or(self.period).min(self.period)
    }

    pub(super) fn stale_after(&self) -> Nanos {
        // From the window after the last in which a cell counts, to the one that it is ahead of.
        self.period.saturating_mul(self.mask() - self.ahead() - 2)
    }

    pub(super) fn adopt(&self, from: &Self, cell: u64, now: Nanos) -> Option<u64> {
        let counts = from.counts(Some(cell), now);
        let (last, this) = (counts.last.min(self.limit), counts.this.min(self.limit));
        (last > 0 || this > 0).then(|| self.cell(Counts { last, this, ..counts }))
    }
}
