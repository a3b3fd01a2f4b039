//! Units that were taken from Redis in advance, some at a time for each key.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::script::Call;
use crate::{key::Keys, meter::Nanos};

/// Keys that can have a lease at once. One that finds another's in its place asks for each unit.
const SLOTS: usize = 1 << 12;
/// How long a lease is good; what is left of it then is given back.
const GOOD: Nanos = 1_000_000_000;

/// The leases of a node.
pub(super) struct Leases {
    /// How many units are asked for at once.
    most: u32,
    slots: Box<[Mutex<Slot>]>,
}

/// Whose units they are: a request that is not like this one has none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) keys: Keys,
    pub(super) plan: u64,
    pub(super) cost: u64,
}

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Free,
    /// Somebody asks for it, since then. Nobody else does: two would take twice as much.
    Asked(Holder, Nanos),
    Held(Lease),
}

#[derive(Debug)]
struct Lease {
    holder: Holder,
    units: u32,
    unit: Unit,
    /// Gives one back.
    back: Call,
}

/// One unit that is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// When Redis was asked for it.
    pub(super) at: Nanos,
    pub(super) charged: u16,
    /// How many more there are.
    pub(super) left: u32,
}

/// What there is for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Unit(Unit),
    /// Ask for so many.
    Ask(u32),
}

impl Leases {
    /// Of so many units each; one is none.
    pub(super) fn new(most: u32) -> Self {
        let slots = if most > 1 { SLOTS } else { 0 };
        Self { most, slots: (0..slots).map(|_| Mutex::default()).collect() }
    }

    pub(super) const fn are_on(&self) -> bool {
        self.most > 1
    }

    pub(super) fn take(&self, holder: &Holder, now: Nanos) -> Taken {
        if !self.are_on() || holder.cost == 0 {
            return Taken::Ask(1);
        }
        let Some(mut slot) = self.slot(holder) else { return Taken::Ask(1) };
        match &mut *slot {
            Slot::Held(lease) if lease.is_good(now) => {
                if lease.holder != *holder {
                    return Taken::Ask(1);
                }
                lease.units -= 1;
                let unit = Unit { left: lease.units, ..lease.unit };
                if lease.units == 0 {
                    *slot = Slot::Free;
                }
                Taken::Unit(unit)
            }
            // What is left of it is given back by the next round; nobody takes its place until.
            Slot::Held(_) => Taken::Ask(1),
            Slot::Asked(_, since) if now.saturating_sub(*since) < GOOD => Taken::Ask(1),
            _ => {
                *slot = Slot::Asked(*holder, now);
                Taken::Ask(self.most)
            }
        }
    }

    /// What Redis gave beyond the unit that is used at once. Answers what nobody can use.
    pub(super) fn put(
        &self,
        holder: Holder,
        units: u32,
        unit: Unit,
        back: impl FnOnce() -> Call,
    ) -> Option<Call> {
        let slot = self.slot(&holder);
        let units = units.min(self.most.saturating_sub(1));
        match slot {
            Some(mut slot) if matches!(&*slot, Slot::Asked(asks, _) if *asks == holder) => {
                *slot = match units {
                    0 => Slot::Free,
                    _ => Slot::Held(Lease { holder, units, unit, back: back() }),
                };
                None
            }
            _ => (units > 0).then(|| back().times(units)),
        }
    }

    /// Nothing came of the question for one.
    pub(super) fn give_up(&self, holder: &Holder) {
        if let Some(mut slot) = self.slot(holder)
            && matches!(&*slot, Slot::Asked(asks, _) if asks == holder)
        {
            *slot = Slot::Free;
        }
    }

    /// Drops a key's lease: it is charged no more for what was reset.
    pub(super) fn forget(&self, keys: &Keys) {
        for mut slot in self.slots.iter().map(lock) {
            if matches!(&*slot, Slot::Held(lease) if lease.holder.keys == *keys) {
                *slot = Slot::Free;
            }
        }
    }

    /// What is left of leases that are good no more, to be given back. True where some are held.
    pub(super) fn over(&self, now: Nanos, mut each: impl FnMut(Call)) -> bool {
        let mut any = false;
        for mut slot in self.slots.iter().map(lock) {
            let Slot::Held(lease) = &*slot else { continue };
            if lease.is_good(now) {
                any = true;
                continue;
            }
            if let Slot::Held(lease) = std::mem::take(&mut *slot) {
                let ago = now.saturating_sub(lease.unit.at);
                each(lease.back.times(lease.units).ago(ago));
            }
        }
        any
    }

    fn slot(&self, holder: &Holder) -> Option<MutexGuard<'_, Slot>> {
        let slot = usize::try_from(holder.keys.first().spread()).unwrap_or(0) % SLOTS;
        self.slots.get(slot).map(lock)
    }
}

impl Lease {
    const fn is_good(&self, now: Nanos) -> bool {
        now.saturating_sub(self.unit.at) < GOOD
    }
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("most", &self.most).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{super::script::Mode, *};
    use crate::key::Secret;

    fn holder(cost: u64) -> Holder {
        Holder { keys: Keys::one(Secret::of(b"").hasher().finish()), plan: 0, cost }
    }

    const fn unit(left: u32) -> Unit {
        Unit { at: 0, charged: 1, left }
    }

    #[test]
    fn one_asks_for_all_and_the_others_find_them_or_ask_for_themselves() {
        let leases = Leases::new(3);
        let back = || Call::empty(Mode::Refund);
        assert_eq!(leases.take(&holder(1), 0), Taken::Ask(3));
        assert_eq!(leases.take(&holder(1), 0), Taken::Ask(1));
        assert!(leases.put(holder(1), 9, unit(0), back).is_none());
        assert_eq!(leases.take(&holder(2), 0), Taken::Ask(1));
        assert_eq!(leases.take(&holder(1), 0), Taken::Unit(unit(1)));
        assert_eq!(leases.take(&holder(1), 0), Taken::Unit(unit(0)));
        assert_eq!(leases.take(&holder(1), 0), Taken::Ask(3));
        leases.give_up(&holder(1));
        assert_eq!(leases.take(&holder(2), 0), Taken::Ask(3));
        // Nobody asks for it any more.
        assert!(leases.put(holder(1), 2, unit(0), back).is_some());
    }

    #[test]
    fn what_is_left_after_a_second_is_given_back() {
        let leases = Leases::new(5);
        assert_eq!(leases.take(&holder(1), 0), Taken::Ask(5));
        leases.put(holder(1), 4, unit(0), || Call::empty(Mode::Refund));
        assert_eq!(leases.take(&holder(1), GOOD - 1), Taken::Unit(unit(3)));
        assert_eq!(leases.take(&holder(1), GOOD), Taken::Ask(1));
        let mut given = Vec::new();
        assert!(leases.over(GOOD - 1, |call| given.push(call)) && given.is_empty());
        assert!(!leases.over(GOOD, |call| given.push(call)));
        let expected = Call::empty(Mode::Refund).times(3).ago(GOOD);
        assert_eq!(given, [expected]);
    }
}
