//! Windows that begin with the first request.

use super::{CELL_BITS, Level, Nanos, ticks::Ticks};
use crate::quota::Quota;

/// As fine as the clock is read.
const FINEST: u64 = 1_000;
/// A window has at most a 1,024th of the range of ticks, so that a cell long past is told from one
/// to come.
const MARGIN_BITS: u32 = 10;

/// A cell is the tick at which the window ends, and the count below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed {
    ticks: Ticks,
    /// The window in ticks.
    window: u64,
    period: Nanos,
    limit: u64,
    count_bits: u32,
}

/// A window that is not over.
struct Open {
    /// Ticks until its end.
    left: u64,
    count: u64,
}

impl Fixed {
    pub(super) fn new(quota: &Quota) -> Self {
        let period = u64::try_from(quota.period().as_nanos()).unwrap_or(u64::MAX).max(1);
        let limit = quota.requests();
        let count_bits = (u64::BITS - limit.leading_zeros()).min(CELL_BITS - MARGIN_BITS);
        let most = 1 << (CELL_BITS - count_bits - MARGIN_BITS);
        let window = (period / FINEST).clamp(1, most);
        Self { ticks: Ticks::new(window, period), window, period, limit, count_bits }
    }

    pub(super) const fn limit(&self) -> u64 {
        self.limit
    }

    /// The cell of a window with such a count, which ends in so long.
    #[cfg(feature = "redis")]
    pub(crate) fn counted(&self, count: u64, left: Nanos, now: Nanos) -> u64 {
        let left = self.ticks.span(left).min(self.window);
        self.cell(self.ticks.at(now), &Open { left, count: count.min(self.limit) })
    }

    /// A cell's count, and how long its window is still open.
    #[cfg(feature = "redis")]
    pub(crate) fn count(&self, cell: Option<u64>, now: Nanos) -> (u64, Nanos) {
        let open = self.open(cell, self.ticks.at(now));
        open.map_or((0, 0), |open| (open.count, self.ticks.take(open.left)))
    }

    pub(crate) const fn period(&self) -> Nanos {
        self.period
    }

    /// Of the ticks that a cell can tell apart.
    const fn mask(&self) -> u64 {
        (1 << (CELL_BITS - self.count_bits)) - 1
    }

    fn open(&self, cell: Option<u64>, at: u64) -> Option<Open> {
        let cell = cell?;
        let left = (cell >> self.count_bits).wrapping_sub(at) & self.mask();
        let count = cell & ((1 << self.count_bits) - 1);
        // A window of which all was given back is none: it must be as good as a slot that is free.
        (count > 0 && left > 0 && left <= self.mask() / 2).then_some(Open { left, count })
    }

    /// The window that is open, or the one that begins now.
    fn now(&self, cell: Option<u64>, at: u64) -> Open {
        self.open(cell, at).unwrap_or(Open { left: self.window, count: 0 })
    }

    const fn cell(&self, at: u64, open: &Open) -> u64 {
        ((at.wrapping_add(open.left) & self.mask()) << self.count_bits) | open.count
    }

    pub(super) fn is_live(&self, cell: u64, now: Nanos) -> bool {
        self.open(Some(cell), self.ticks.at(now)).is_some()
    }

    pub(super) fn charge(&self, cell: Option<u64>, cost: u64, now: Nanos) -> Option<u64> {
        let at = self.ticks.at(now);
        let mut open = self.now(cell, at);
        open.count = open.count.checked_add(cost).filter(|count| *count <= self.limit)?;
        Some(self.cell(at, &open))
    }

    pub(super) fn force(&self, cell: Option<u64>, cost: u64, now: Nanos) -> u64 {
        let at = self.ticks.at(now);
        let mut open = self.now(cell, at);
        open.count = open.count.saturating_add(cost).min(self.limit);
        self.cell(at, &open)
    }

    pub(super) fn refund(&self, cell: u64, cost: u64, then: Nanos, now: Nanos) -> u64 {
        let at = self.ticks.at(now);
        let Some(mut open) = self.open(Some(cell), at) else { return cell };
        // What was charged before this window began is not in it.
        let began = at.saturating_add(open.left).saturating_sub(self.window);
        if self.ticks.at(then) >= began {
            open.count = open.count.saturating_sub(cost);
        }
        self.cell(at, &open)
    }

    pub(super) fn level(&self, cell: Option<u64>, now: Nanos) -> Level {
        let Some(open) = self.open(cell, self.ticks.at(now)) else {
            return Level { remaining: self.limit, next_unit: 0, reset: 0 };
        };
        let left = self.ticks.take(open.left);
        Level { remaining: self.limit.saturating_sub(open.count), next_unit: left, reset: left }
    }

    pub(super) fn wait(&self, cell: Option<u64>, cost: u64, now: Nanos) -> Option<Nanos> {
        if cost > self.limit {
            return None;
        }
        let level = self.level(cell, now);
        Some(if cost <= level.remaining { 0 } else { level.reset })
    }

    pub(super) fn stale_after(&self) -> Nanos {
        self.ticks.take(self.mask() / 2)
    }

    pub(super) fn adopt(&self, from: &Self, cell: u64, now: Nanos) -> Option<u64> {
        let open = from.open(Some(cell), from.ticks.at(now))?;
        let left = self.ticks.span(from.ticks.take(open.left)).min(self.window);
        let open = Open { left, count: open.count.min(self.limit) };
        Some(self.cell(self.ticks.at(now), &open))
    }
}
