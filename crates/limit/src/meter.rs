//! The arithmetic of a count, with the time passed in: what a cell says, and what a charge makes
//! of it.
//!
//! A cell is 38 bits. It tells by itself, with the time, whether there is anything left in it to
//! remember: a cell whose time has passed is as good as none.

pub(crate) use self::gcra::Gcra;
use self::{fixed::Fixed, sliding::Sliding};
use crate::quota::Algorithm;

mod fixed;
mod gcra;
mod sliding;
#[cfg(all(test, not(loom)))]
mod tests;
mod ticks;

/// How many bits a cell has.
pub(crate) const CELL_BITS: u32 = 38;
const CELL_MASK: u64 = (1 << CELL_BITS) - 1;

/// Nanoseconds since some beginning.
pub(crate) type Nanos = u64;

/// Where a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// Units that are left.
    pub(crate) remaining: u64,
    /// Until there is one unit more; 0 where none is missing.
    pub(crate) next_unit: Nanos,
    /// Until all are back.
    pub(crate) reset: Nanos,
}

/// How a rule's cells are read and charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meter {
    Gcra(Gcra),
    Fixed(Fixed),
    Sliding(Sliding),
}

macro_rules! each {
    ($meter:expr, $one:ident => $do:expr) => {
        match $meter {
            Meter::Gcra($one) => $do,
            Meter::Fixed($one) => $do,
            Meter::Sliding($one) => $do,
        }
    };
}

impl Meter {
    /// Of what was found right, or is known to be.
    pub(crate) fn new(algorithm: &Algorithm) -> Self {
        let quota = algorithm.quota();
        match algorithm {
            Algorithm::Gcra(_) => Self::Gcra(Gcra::new(quota)),
            Algorithm::FixedWindow(_) => Self::Fixed(Fixed::new(quota)),
            Algorithm::SlidingCounter(_) => Self::Sliding(Sliding::new(quota)),
        }
    }

    /// The most that can be left.
    pub(crate) const fn limit(&self) -> u64 {
        each!(self, one => one.limit())
    }

    /// Whether the cell still says anything.
    #[inline]
    pub(crate) fn is_live(&self, cell: u64, now: Nanos) -> bool {
        each!(self, one => one.is_live(cell, now))
    }

    /// The cell after a charge, or `None` where there is not so much left. There is always enough
    /// for what costs nothing, however deep the debt.
    #[inline]
    pub(crate) fn charge(&self, cell: Option<u64>, cost: u64, now: Nanos) -> Option<u64> {
        each!(self, one => one.charge(cell, cost, now))
    }

    /// The cell after a charge that is not asked about, for what is done already. A debt ends at
    /// sixteen bursts, that of a window at its limit.
    pub(crate) fn force(&self, cell: Option<u64>, cost: u64, now: Nanos) -> u64 {
        each!(self, one => one.force(cell, cost, now))
    }

    /// The cell after what was charged `then` is given back: as much of it as time has not given
    /// back already, and never more than there was.
    pub(crate) fn refund(&self, cell: u64, cost: u64, then: Nanos, now: Nanos) -> u64 {
        each!(self, one => one.refund(cell, cost, then, now))
    }

    /// Where the cell stands.
    pub(crate) fn level(&self, cell: Option<u64>, now: Nanos) -> Level {
        each!(self, one => one.level(cell, now))
    }

    /// How long until so much can be charged; `None` for more than there can ever be.
    pub(crate) fn wait(&self, cell: Option<u64>, cost: u64, now: Nanos) -> Option<Nanos> {
        if cost == 0 {
            return Some(0);
        }
        each!(self, one => one.wait(cell, cost, now))
    }

    /// How old a cell may become, past its time, before it could be taken for a live one.
    pub(crate) fn stale_after(&self) -> Nanos {
        each!(self, one => one.stale_after())
    }

    /// The cell of this meter for one of another, of which the client has changed the tier: the
    /// time at which its debt is paid stays, and in a window its count.
    pub(crate) fn adopt(&self, other: &Self, cell: u64, now: Nanos) -> Option<u64> {
        match (self, other) {
            (Self::Gcra(to), Self::Gcra(from)) => to.adopt(from, cell, now),
            (Self::Fixed(to), Self::Fixed(from)) => to.adopt(from, cell, now),
            (Self::Sliding(to), Self::Sliding(from)) => to.adopt(from, cell, now),
            _ => None,
        }
    }

    /// Whether a cell of the one can become one of the other.
    pub(crate) fn can_adopt(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Gcra(_), Self::Gcra(_)) => true,
            (Self::Fixed(to), Self::Fixed(from)) => to.period() == from.period(),
            (Self::Sliding(to), Self::Sliding(from)) => to.period() == from.period(),
            _ => false,
        }
    }
}
