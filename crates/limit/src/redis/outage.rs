//! What the fall-back has charged, to be told to Redis when it is back.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{
    counting::{Counting, Owed},
    script::{Call, Claimed, Mode},
};
use crate::meter::{Meter, Nanos};

/// The counts of an outage that are remembered; what is charged to others, Redis does not learn.
const MOST: usize = 1 << 14;

/// What the fall-back has charged.
pub(super) struct Outage {
    debts: Mutex<HashMap<(u128, u8), Debt>>,
}

/// Of one count, in the table's cells.
struct Debt {
    key: String,
    meter: Meter,
    before: Option<u64>,
    after: u64,
    /// How many times as much was charged here as will be there.
    share: u32,
}

impl Outage {
    pub(super) fn new() -> Self {
        Self { debts: Mutex::default() }
    }

    /// The table has charged this claim.
    pub(super) fn charged(&self, claimed: &Claimed<'_>, share: u32) {
        let claim = claimed.claim;
        let Some(after) = claim.next.filter(|_| claim.cost > 0 && !claim.full) else { return };
        let mut debts = self.debts();
        let is_full = debts.len() >= MOST;
        match debts.entry(claimed.number()) {
            Entry::Occupied(mut debt) => debt.get_mut().after = after,
            Entry::Vacant(_) if is_full => {}
            Entry::Vacant(place) => {
                let (key, meter) = (claimed.key(), *claim.meter);
                place.insert(Debt { key, meter, before: claim.cell, after, share });
            }
        }
    }

    /// The table has given back what was charged to this claim. False where Redis knows of it.
    pub(super) fn refunded(&self, claimed: &Claimed<'_>, then: Nanos, now: Nanos) -> bool {
        let mut debts = self.debts();
        let Some(debt) = debts.get_mut(&claimed.number()) else { return false };
        debt.after = debt.meter.refund(debt.after, claimed.claim.cost, then, now);
        true
    }

    pub(super) fn forget(&self, claimed: &Claimed<'_>) {
        self.debts().remove(&claimed.number());
    }

    /// Of how many counts.
    pub(super) fn len(&self) -> usize {
        self.debts().len()
    }

    /// At most so many of them, in calls; each is told once, and then forgotten.
    pub(super) fn take(&self, most: usize, now: Nanos) -> Vec<Call> {
        let taken: Vec<Debt> =
            self.debts().extract_if(|_, _| true).take(most).map(|(_, debt)| debt).collect();
        taken.into_iter().filter_map(|debt| debt.call(now)).collect()
    }

    fn debts(&self) -> MutexGuard<'_, HashMap<(u128, u8), Debt>> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debt {
    /// What was charged, as far as time has not given it back: it is what is owed now, less what
    /// would be owed without the outage.
    fn call(self, now: Nanos) -> Option<Call> {
        let counting = Counting::of(&self.meter);
        let owed = |cell| counting.owed(&self.meter, cell, now);
        let (before, after) = (owed(self.before), owed(Some(self.after)));
        let more = after.much.saturating_sub(before.much).div_ceil(self.share.max(1).into());
        let mut call = Call::empty(Mode::Owe);
        let base = Owed { left: after.left, ..before };
        call.push(self.key, &self.meter, more, false, base);
        (more > 0).then_some(call)
    }
}

impl fmt::Debug for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outage").field("debts", &self.debts().len()).finish()
    }
}
