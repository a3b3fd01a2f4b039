//! How a meter counts in Redis, and what its counts are here.

use super::script::WHOLE;
use crate::{
    memory::Claim,
    meter::{Meter, Nanos},
};

/// How many bursts deep a debt may go that is charged afterwards.
pub(super) const DEEPEST: u64 = 16;
/// A sliding window that is longer is counted in milliseconds: so its length times its largest
/// count stays a number that Lua knows.
const LONG: u64 = 1 << 38;

/// How a meter counts in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counting {
    pub(super) kind: &'static str,
    pub(super) one: u128,
    pub(super) two: u128,
}

/// Where a count stands, as the script says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stands {
    pub(super) stands: i64,
    /// The time to a window's end; of a sliding one, since it began.
    pub(super) time: i64,
    pub(super) last: i64,
}

/// What is owed here, as the script takes it: how much, and in a window for how many microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Owed {
    pub(super) much: u64,
    pub(super) left: u64,
}

impl Counting {
    /// A debt is counted in such parts that a microsecond pays a whole number of them, and a unit
    /// is a whole number of them.
    pub(super) fn of(meter: &Meter) -> Self {
        match meter {
            Meter::Gcra(gcra) => {
                let (nanos, units) = gcra.interval();
                let (mut unit, mut paid) = reduced(nanos, units * 1_000);
                let deepest = u128::from(meter.limit() * DEEPEST);
                // Too fine for Lua: in coarser parts, of which a unit is rounded up.
                let most = (WHOLE - 1) / deepest.max(1);
                if unit > most && paid > 1 {
                    let coarse = (most * paid / unit).max(1);
                    (unit, paid) = ((unit * coarse).div_ceil(paid), coarse);
                }
                Self { kind: "g", one: unit, two: paid }
            }
            Meter::Fixed(fixed) => {
                Self { kind: "w", one: fixed.period().div_ceil(1_000).into(), two: 0 }
            }
            Meter::Sliding(sliding) => {
                let micros = sliding.period().div_ceil(1_000);
                let tick = if micros < LONG { 1 } else { 1_000 };
                Self { kind: "s", one: micros.div_ceil(tick).into(), two: tick.into() }
            }
        }
    }

    /// Gives the claim the cell of where its count stands; none where nothing is owed.
    pub(super) fn tell(self, claim: &mut Claim<'_>, told: Stands, now: Nanos) {
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        let (stands, last) = (number(told.stands), number(told.last));
        let nanos = number(told.time).saturating_mul(1_000);
        if stands == 0 && last == 0 {
            claim.cell = None;
            return;
        }
        claim.cell = Some(match claim.meter {
            Meter::Gcra(gcra) => gcra.owing(stands, self.one, now),
            Meter::Fixed(fixed) => fixed.counted(stands, nanos, now),
            Meter::Sliding(sliding) => {
                let tick = u64::try_from(self.two).unwrap_or(1);
                let into = nanos.saturating_mul(tick);
                let (cell, shift) = sliding.told((last, stands), into, now);
                claim.shift = shift;
                cell
            }
        });
    }

    /// What a cell of the table owes.
    pub(super) fn owed(self, meter: &Meter, cell: Option<u64>, now: Nanos) -> Owed {
        match meter {
            Meter::Gcra(gcra) => Owed { much: gcra.owed(cell, self.one, now), left: 0 },
            Meter::Fixed(fixed) => {
                let (much, left) = fixed.count(cell, now);
                Owed { much, left: left.div_ceil(1_000) }
            }
            Meter::Sliding(sliding) => Owed { much: sliding.used(cell, now), left: 0 },
        }
    }
}

/// In lowest terms.
fn reduced(a: u128, b: u128) -> (u128, u128) {
    let (mut common, mut rest) = (a, b);
    while rest != 0 {
        (common, rest) = (rest, common % rest);
    }
    let common = common.max(1);
    (a / common, b / common)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::quota::{days, requests};

    #[test]
    fn what_is_too_fine_for_lua_is_hardly_slower_and_never_faster() {
        for (n, period) in [(19, days(366)), (29, days(366)), (401, days(30)), (1_009, days(7))] {
            let meter = Meter::new(&requests(n).per(period).into());
            let Meter::Gcra(gcra) = &meter else { continue };
            let (nanos, units) = gcra.interval();
            let counting = Counting::of(&meter);
            let deepest = u128::from(meter.limit() * DEEPEST) * counting.one;
            assert!(deepest < WHOLE, "{n}");
            // Nanoseconds for a unit, times the same number.
            let (exact, there) = (nanos * counting.two, counting.one * units * 1_000);
            assert!(there >= exact && there - exact <= exact / 1_000_000, "{n} {exact} {there}");
        }
    }
}
