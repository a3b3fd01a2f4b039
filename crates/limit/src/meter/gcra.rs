//! The generic cell rate algorithm (ITU-T I.371, annex A), in its virtual scheduling form.

use super::{CELL_BITS, CELL_MASK, Level, Nanos, ticks::Ticks};
use crate::quota::Quota;

/// Half of what a cell can tell is the future, half the past.
const HALF: u64 = 1 << (CELL_BITS - 1);
/// As fine as the clock is read.
const FINEST: u64 = 1_000;
/// A full burst is at most so many ticks, so that the largest debt is a quarter of the range.
const MAX_TOLERANCE: u64 = 1 << 32;
/// How many bursts deep a debt may go that is charged afterwards.
const DEEPEST: u64 = 16;

/// A cell is the theoretical arrival time: the tick at which all debt is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gcra {
    ticks: Ticks,
    /// How many ticks one unit takes to come back.
    unit: u64,
    burst: u64,
}

impl Gcra {
    pub(super) fn new(quota: &Quota) -> Self {
        Self::with_finest(quota, FINEST)
    }

    /// With ticks of a nanosecond, as far as the range allows.
    #[cfg(feature = "governor")]
    pub(crate) fn to_the_nanosecond(quota: &Quota) -> Self {
        Self::with_finest(quota, 1)
    }

    fn with_finest(quota: &Quota, finest: u64) -> Self {
        let period = u64::try_from(quota.period().as_nanos()).unwrap_or(u64::MAX).max(1);
        let refill = quota.refill().max(1);
        let reset = u64::try_from(quota.reset_nanos()).unwrap_or(u64::MAX);
        let finest = reset.div_ceil(MAX_TOLERANCE).max(finest);
        let unit = Self::unit(period, refill, finest);
        let ticks = Ticks::new(refill.saturating_mul(unit), period);
        Self { ticks, unit, burst: quota.limit() }
    }

    /// Into how many ticks a unit's time is divided. Ticks that are no shorter than `finest`, and
    /// if possible a whole number of nanoseconds: then the clock is read with one division.
    fn unit(period: u64, refill: u64, finest: u64) -> u64 {
        let most = (period / refill / finest).max(1);
        if !period.is_multiple_of(refill) {
            return most;
        }
        let interval = period / refill;
        // More than are ever looked at where a burst comes back within a month.
        let mut few = (finest..=finest.saturating_mul(2)).take(10_000);
        let whole = few.find(|tick| interval.is_multiple_of(*tick));
        whole.map_or(most, |tick| (interval / tick).max(1))
    }

    pub(super) const fn limit(&self) -> u64 {
        self.burst
    }

    const fn tolerance(&self) -> u64 {
        self.burst.saturating_mul(self.unit)
    }

    /// How many ticks are owed.
    #[inline]
    fn debt(cell: Option<u64>, at: u64) -> u64 {
        match cell {
            Some(cell) => {
                let ahead = cell.wrapping_sub(at) & CELL_MASK;
                if ahead < HALF { ahead } else { 0 }
            }
            None => 0,
        }
    }

    #[inline]
    pub(super) fn is_live(&self, cell: u64, now: Nanos) -> bool {
        Self::debt(Some(cell), self.ticks.at(now)) > 0
    }

    #[inline]
    pub(super) fn charge(&self, cell: Option<u64>, cost: u64, now: Nanos) -> Option<u64> {
        if cost > self.burst {
            return None;
        }
        let at = self.ticks.at(now);
        let debt = Self::debt(cell, at).saturating_add(cost.saturating_mul(self.unit));
        (debt <= self.tolerance() || cost == 0).then_some(at.wrapping_add(debt) & CELL_MASK)
    }

    pub(super) fn force(&self, cell: Option<u64>, cost: u64, now: Nanos) -> u64 {
        let at = self.ticks.at(now);
        let debt = Self::debt(cell, at);
        let deepest = self.tolerance().saturating_mul(DEEPEST).max(debt);
        let debt = debt.saturating_add(cost.saturating_mul(self.unit)).min(deepest);
        at.wrapping_add(debt) & CELL_MASK
    }

    /// What was admitted `then` is paid a full burst's time later. What came back by itself is not
    /// given back once more: else whoever keeps answers waiting that will be good could hoard
    /// refunds, and spend them all at once.
    pub(super) fn refund(&self, cell: u64, cost: u64, then: Nanos, now: Nanos) -> u64 {
        let at = self.ticks.at(now);
        let given = cost.saturating_mul(self.unit);
        let passed = at.saturating_sub(self.ticks.at(then));
        let owed = given.max(self.tolerance()).saturating_sub(passed);
        let debt = Self::debt(Some(cell), at).saturating_sub(given.min(owed));
        at.wrapping_add(debt) & CELL_MASK
    }

    pub(super) fn level(&self, cell: Option<u64>, now: Nanos) -> Level {
        let debt = Self::debt(cell, self.ticks.at(now));
        let next_unit = match self.tolerance().checked_sub(debt) {
            _ if debt == 0 => 0,
            // Until it is a whole number of units that are owed.
            Some(_) => debt.wrapping_sub(1) % self.unit + 1,
            None => debt - self.tolerance() + self.unit,
        };
        Level {
            remaining: self.tolerance().saturating_sub(debt) / self.unit,
            next_unit: self.ticks.take(next_unit),
            reset: self.ticks.take(debt),
        }
    }

    pub(super) fn wait(&self, cell: Option<u64>, cost: u64, now: Nanos) -> Option<Nanos> {
        if cost > self.burst {
            return None;
        }
        let debt = Self::debt(cell, self.ticks.at(now)).saturating_add(cost * self.unit);
        Some(self.ticks.take(debt.saturating_sub(self.tolerance())))
    }

    pub(super) fn stale_after(&self) -> Nanos {
        self.ticks.take(HALF - 1)
    }

    pub(super) fn adopt(&self, from: &Self, cell: u64, now: Nanos) -> Option<u64> {
        let debt = from.ticks.take(Self::debt(Some(cell), from.ticks.at(now)));
        let deepest = self.tolerance().saturating_mul(DEEPEST);
        let debt = self.ticks.span(debt).min(deepest);
        (debt > 0).then(|| self.ticks.at(now).wrapping_add(debt) & CELL_MASK)
    }

    /// How long a unit takes to come back: so many nanoseconds for so many units.
    #[cfg(feature = "redis")]
    pub(crate) fn interval(&self) -> (u128, u128) {
        let (ticks, nanos) = self.ticks.ratio();
        (u128::from(self.unit) * u128::from(nanos), ticks.into())
    }

    /// The cell of a debt that is counted in such parts of a unit.
    #[cfg(feature = "redis")]
    pub(crate) fn owing(&self, debt: u64, parts: u128, now: Nanos) -> u64 {
        let debt = (u128::from(debt) * u128::from(self.unit)).div_ceil(parts.max(1));
        let deepest = self.tolerance().saturating_mul(DEEPEST);
        let debt = u64::try_from(debt).unwrap_or(deepest).min(deepest);
        self.ticks.at(now).wrapping_add(debt) & CELL_MASK
    }

    /// What a cell owes, counted in such parts of a unit.
    #[cfg(feature = "redis")]
    pub(crate) fn owed(&self, cell: Option<u64>, parts: u128, now: Nanos) -> u64 {
        let debt = u128::from(Self::debt(cell, self.ticks.at(now))) * parts;
        u64::try_from(debt.div_ceil(self.unit.into())).unwrap_or(u64::MAX)
    }

    /// When all debt is paid; `None` where it is.
    #[cfg(feature = "governor")]
    pub(crate) fn arrival(&self, cell: u64, now: Nanos) -> Option<Nanos> {
        let at = self.ticks.at(now);
        let debt = Self::debt(Some(cell), at);
        (debt > 0).then(|| self.ticks.take(at + debt))
    }

    /// The cell of a debt that is paid then.
    #[cfg(feature = "governor")]
    pub(crate) fn cell_of(&self, arrival: Nanos) -> u64 {
        self.ticks.span(arrival) & CELL_MASK
    }

    #[cfg(all(test, not(loom)))]
    pub(super) const fn unit_ticks(&self) -> u64 {
        self.unit
    }

    /// The first nanosecond of a tick.
    #[cfg(all(test, not(loom)))]
    pub(super) fn begin_of(&self, tick: u128) -> u128 {
        self.ticks.begin_of(tick)
    }
}
