//! Taking a slot for a key that is new, and what becomes of it where there is none.

use std::sync::PoisonError;

use super::{SHARED, STRIPES, Table};
use crate::{
    memory::{
        Full,
        claim::{Claim, Commit, Place},
        line::{Tag, Word, load, swap},
    },
    meter::Nanos,
    sync::Ordering,
};

impl Table {
    /// Takes a slot for a key that has none.
    ///
    /// Two threads that did so for one key in two slots would admit it twice. So those who take a
    /// slot for the same key do it one after the other, and look once more before; whoever only
    /// charges a slot, or takes one for another key, is not kept from it.
    #[cold]
    pub(super) fn insert<'a>(&'a self, claim: &mut Claim<'a>, next: u64, now: Nanos) -> Commit {
        let stripe = usize::try_from(claim.key.spread()).unwrap_or(0) % STRIPES;
        let Some(stripe) = self.stripes.get(stripe) else { return Commit::Again };
        let guard = stripe.lock().unwrap_or_else(PoisonError::into_inner);
        if self.find(claim.key, claim.tag()).is_some() || self.find_kin(claim).is_some() {
            return Commit::Again;
        }
        let word = claim.tag().with(next);
        while let Some(free) = self.free(claim, now) {
            if swap(free.slot, free.word, word) {
                claim.place = Some(Place { word, ..free });
                return Commit::Done;
            }
        }
        drop(guard);
        self.overflow(claim, now)
    }

    /// A slot that is empty or whose time has passed, in the line that has more of them.
    fn free(&self, claim: &Claim<'_>, now: Nanos) -> Option<Place<'_>> {
        let [first, second] = self.lines_of(claim.key).map(|line| {
            let (mut count, mut free) = (0, None);
            for slot in line.map_or(&[][..], |line| &line.0) {
                let word = load(slot);
                if self.is_free(word, now) {
                    count += 1;
                    free = free.or(Some(Place { slot, word }));
                }
            }
            (count, free)
        });
        if second.0 > first.0 { second.1 } else { first.1 }
    }

    fn is_free(&self, word: Word, now: Nanos) -> bool {
        word == Word::EMPTY
            || self
                .variants
                .meter(word.variant())
                .is_none_or(|meter| !meter.is_live(word.cell(), now))
    }

    /// Both lines are full of what must not be forgotten.
    #[cold]
    fn overflow<'a>(&'a self, claim: &mut Claim<'a>, now: Nanos) -> Commit {
        claim.full = true;
        self.times_full.fetch_add(1, Ordering::Relaxed);
        let full = self.full.load(Ordering::Relaxed);
        if full == Full::Allow as u8 {
            return Commit::Done;
        }
        if full == Full::Deny as u8 {
            // As one who has used all of it.
            claim.cell = claim.meter.charge(None, claim.meter.limit(), now);
            return Commit::Refused;
        }
        let shared = usize::try_from(claim.key.spread()).unwrap_or(0) % SHARED;
        let Some(slot) = self.shared.get(claim.variant.index() * SHARED + shared) else {
            return Commit::Refused;
        };
        loop {
            let old = load(slot);
            let cell = (old != Word::EMPTY).then(|| old.cell());
            claim.cell = cell;
            claim.next = claim.meter.charge(cell, claim.cost, now);
            let Some(next) = claim.next else { return Commit::Refused };
            let word = Tag::new(claim.variant.number(), 0).with(next);
            if swap(slot, old, word) {
                claim.place = Some(Place { slot, word });
                return Commit::Done;
            }
        }
    }
}
