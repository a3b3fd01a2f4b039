//! Clearing what is long past, before it could be taken for what is to come.
//!
//! A cell tells time modulo its range: hours to years, by its rule. One that nobody touches again
//! is cleared well before the range has gone round, a few lines at a time.

use std::sync::{PoisonError, TryLockError};

use super::{
    line::{Line, Word, load, swap},
    variants::Variants,
};
use crate::{
    meter::{Meter, Nanos},
    sync::{AtomicU64, Mutex, Ordering},
};

/// Lines in one go: 64 KiB, some ten microseconds.
const CHUNK: usize = 1_024;

pub(super) struct Sweep {
    chunks: u64,
    due: AtomicU64,
    /// The time between two chunks.
    every: AtomicU64,
    /// The chunk that is next.
    next: Mutex<u64>,
}

impl Sweep {
    pub(super) fn new(lines: usize) -> Self {
        Self {
            chunks: lines.div_ceil(CHUNK) as u64,
            due: AtomicU64::new(u64::MAX),
            every: AtomicU64::new(u64::MAX),
            next: Mutex::new(0),
        }
    }

    /// Sees every line four times within the shortest of the rules' ranges.
    pub(super) fn plan(&self, variants: &Variants) {
        let Some(stale) = variants.meters().map(Meter::stale_after).min() else { return };
        let every = (stale / 4 / self.chunks).max(1);
        let before = self.every.swap(every, Ordering::Relaxed);
        // Counted from the last chunk, or from the beginning: what was charged since is not late.
        let last = self.due.load(Ordering::Relaxed).saturating_sub(before);
        self.due.fetch_min(last.saturating_add(every), Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_due(&self, now: Nanos) -> bool {
        now >= self.due.load(Ordering::Relaxed)
    }

    #[cold]
    pub(super) fn run(
        &self,
        lines: &[Line],
        shared: &[AtomicU64],
        variants: &Variants,
        now: Nanos,
    ) {
        let every = self.every.load(Ordering::Relaxed);
        let behind = now.saturating_sub(self.due.load(Ordering::Relaxed)) / every;
        // One thread is enough; but who comes after a time so long that a cell cannot tell it must
        // not read one before it is cleared.
        let next = if behind < self.chunks {
            match self.next.try_lock() {
                Ok(next) => next,
                Err(TryLockError::Poisoned(next)) => next.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            }
        } else {
            self.next.lock().unwrap_or_else(PoisonError::into_inner)
        };
        let mut next = next;
        let late = now.saturating_sub(self.due.load(Ordering::Relaxed));
        if !self.is_due(now) {
            return;
        }
        let chunks = (late / every).saturating_add(1).min(self.chunks);
        for _ in 0..chunks {
            let begin = usize::try_from(*next).unwrap_or(0) * CHUNK;
            for line in lines.iter().skip(begin).take(CHUNK) {
                clear(&line.0, variants, late, now);
            }
            *next = (*next + 1) % self.chunks;
        }
        clear(shared, variants, late, now);
        self.due.store(now.saturating_add(every), Ordering::Relaxed);
    }
}

/// `late` is how long nothing at all was charged: what takes half of a range to be paid does not
/// exist.
fn clear(slots: &[AtomicU64], variants: &Variants, late: Nanos, now: Nanos) {
    for slot in slots {
        let word = load(slot);
        let Some(meter) = variants.meter(word.variant()) else { continue };
        if late > meter.stale_after() / 2 || !meter.is_live(word.cell(), now) {
            // Whoever has charged it meanwhile keeps it.
            swap(slot, word, Word::EMPTY);
        }
    }
}
