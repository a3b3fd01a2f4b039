//! What one rule is asked of a request, and how its charge goes.

use super::{
    line::{PRINT_BITS, Tag, Word},
    variants::Variant,
};
use crate::{
    key::Hashed,
    meter::{Level, Meter, Nanos},
    sync::AtomicU64,
};

/// What one rule is asked, and what it says.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) variant: Variant,
    pub(crate) meter: &'a Meter,
    pub(crate) key: Hashed,
    pub(crate) cost: u64,
    /// It never refuses.
    pub(crate) shadow: bool,
    /// Its rule's place in the plan.
    pub(crate) owner: u8,
    /// The cell as it was found.
    pub(crate) cell: Option<u64>,
    /// The cell after the charge; `None` where there is not so much left.
    pub(crate) next: Option<u64>,
    /// How much later than now its cells are to be read.
    pub(crate) shift: Nanos,
    /// It found no slot.
    pub(crate) full: bool,
    pub(super) place: Option<Place<'a>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) slot: &'a AtomicU64,
    pub(super) word: Word,
}

/// How the charge of one rule went.
pub(super) enum Commit {
    Done,
    /// Somebody else was faster: look again.
    Again,
    Refused,
}

impl<'a> Claim<'a> {
    #[inline]
    pub(crate) const fn new(variant: Variant, meter: &'a Meter, key: Hashed, cost: u64) -> Self {
        Self {
            variant,
            meter,
            key,
            cost,
            shadow: false,
            owner: 0,
            cell: None,
            next: None,
            shift: 0,
            full: false,
            place: None,
        }
    }

    pub(crate) const fn refuses(&self) -> bool {
        self.next.is_none() && !self.shadow
    }

    /// Where its rule stands now: as it was found, where all was refused.
    #[inline]
    pub(crate) fn level(&self, refused: bool, now: Nanos) -> Level {
        let cell = if refused { self.cell } else { self.next.or(self.cell) };
        self.meter.level(cell, now.wrapping_add(self.shift))
    }

    /// How long until it would be admitted; `None` for what can never pass.
    pub(crate) fn wait(&self, now: Nanos) -> Option<Nanos> {
        self.meter.wait(self.cell, self.cost, now.wrapping_add(self.shift))
    }

    #[inline]
    pub(super) const fn tag(&self) -> Tag {
        Tag::new(self.variant.number(), self.key.print(PRINT_BITS))
    }
}
