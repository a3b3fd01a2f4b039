//! Slots, eight to a cache line.

use crate::{
    meter::CELL_BITS,
    sync::{AtomicU64, Ordering},
};

/// How many slots share a line. Under loom, as few as show every race.
pub(super) const SLOTS: usize = if cfg!(loom) { 2 } else { 8 };

/// Bits of the key's hash in a slot.
pub(super) const PRINT_BITS: u32 = 21;
const CELL: u64 = (1 << CELL_BITS) - 1;

/// As long as a cache line of x86-64 and most of ARM.
#[repr(align(64))]
pub(super) struct Line(pub(super) [AtomicU64; SLOTS]);

impl Default for Line {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

/// What a slot holds: variant, fingerprint and cell. 0 is empty, since no variant is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(super) u64);

/// The half of a word that says whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u64);

impl Tag {
    #[inline]
    pub(super) const fn new(variant: u8, print: u64) -> Self {
        Self(((variant as u64) << PRINT_BITS) | print)
    }

    #[inline]
    pub(super) const fn with(self, cell: u64) -> Word {
        Word((self.0 << CELL_BITS) | cell)
    }
}

impl Word {
    pub(super) const EMPTY: Self = Self(0);

    #[inline]
    pub(super) const fn tag(self) -> Tag {
        Tag(self.0 >> CELL_BITS)
    }

    #[inline]
    pub(super) const fn cell(self) -> u64 {
        self.0 & CELL
    }

    pub(super) const fn variant(self) -> usize {
        (self.0 >> (CELL_BITS + PRINT_BITS)) as usize
    }

    pub(super) const fn print(self) -> u64 {
        (self.0 >> CELL_BITS) & ((1 << PRINT_BITS) - 1)
    }
}

/// Each slot is a world of its own: nothing else is read because of what it says, so that no order
/// with other memory is asked for.
#[inline]
pub(super) fn load(slot: &AtomicU64) -> Word {
    Word(slot.load(Ordering::Relaxed))
}

#[inline]
pub(super) fn swap(slot: &AtomicU64, old: Word, new: Word) -> bool {
    slot.compare_exchange(old.0, new.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}
