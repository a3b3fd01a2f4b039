//! The last so many calls, exactly, with no lock.
//!
//! A ticket gives each result its slot in a ring; what the slot held before slides out. A sum of
//! the ring is kept beside it: whoever changes a slot changes the sum by the difference, so that
//! once all is written they agree, in whatever order that happened.
//!
//! A good result on a slot that holds one changes nothing and writes nothing: the ring of a healthy
//! circuit is only read, and two threads share its cache lines.

use crate::sync::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::{Outcome, Totals};

#[derive(Debug)]
pub(crate) struct Ring {
    ticket: AtomicU64,
    /// Three fields of 21 bits; see [`pack`].
    sum: AtomicU64,
    /// The lap in which it was written (29 bits) and the result (3 bits).
    slots: Box<[AtomicU32]>,
    size: u64,
}

const EMPTY: u32 = 0;
const GOOD: u32 = 1;
const FAILED: u32 = 2;
const SLOW: u32 = 3;
const FAILED_SLOW: u32 = 4;

const RESULT: u32 = 7;
const LAP_SHIFT: u32 = 3;

impl Ring {
    pub(super) fn new(size: u32) -> Self {
        Self {
            ticket: AtomicU64::new(0),
            sum: AtomicU64::new(pack(0, 0, 0)),
            slots: (0..size).map(|_| AtomicU32::new(EMPTY)).collect(),
            size: u64::from(size),
        }
    }

    #[inline]
    pub(super) fn add_good(&self) -> Option<Totals> {
        let (lap, slot) = self.next()?;
        if slot.load(Relaxed) & RESULT == GOOD {
            return None;
        }
        self.write(slot, lap, GOOD)
    }

    pub(super) fn add(&self, outcome: Outcome) -> Option<Totals> {
        let (lap, slot) = self.next()?;
        let result = match (outcome.failed, outcome.slow) {
            (false, false) => GOOD,
            (true, false) => FAILED,
            (false, true) => SLOW,
            (true, true) => FAILED_SLOW,
        };
        self.write(slot, lap, result)
    }

    /// A ticket: the slot, and how often it was used before.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "less than the size, which is a u32")]
    fn next(&self) -> Option<(u64, &AtomicU32)> {
        let ticket = self.ticket.fetch_add(1, Relaxed);
        let slot = self.slots.get((ticket % self.size) as usize)?;
        Some((ticket / self.size, slot))
    }

    #[inline(never)]
    fn write(&self, slot: &AtomicU32, lap: u64, result: u32) -> Option<Totals> {
        let mut old = slot.load(Relaxed);
        #[expect(clippy::cast_possible_truncation, reason = "laps are compared within 2²⁸ of them")]
        let lap = (lap as u32) << LAP_SHIFT;
        loop {
            // A thread that was held up for a whole lap: its result has slid out already.
            if (old & !RESULT).wrapping_sub(lap).cast_signed() > 0 {
                return None;
            }
            match slot.compare_exchange_weak(old, lap | result, Relaxed, Relaxed) {
                Ok(_) => break,
                Err(now) => old = now,
            }
        }
        let change = weight(result).wrapping_sub(weight(old & RESULT));
        let sum = self.sum.fetch_add(change, Relaxed).wrapping_add(change);
        let totals = unpack(sum);
        (totals.failures > 0 || totals.slow > 0).then_some(totals)
    }

    pub(super) fn totals(&self) -> Totals {
        unpack(self.sum.load(Relaxed))
    }

    pub(super) fn reset(&self) {
        for slot in &self.slots {
            // The lap stays: what comes late is still known to be late.
            let old = slot.fetch_and(!RESULT, Relaxed);
            self.sum.fetch_sub(weight(old & RESULT), Relaxed);
        }
    }

    pub(super) fn ever(&self) -> u64 {
        self.ticket.load(Relaxed)
    }
}

const FIELD: u32 = 21;
/// Room below zero: of two threads that write one slot, the second may change the sum first.
const BIAS: u64 = 1 << 10;

const fn pack(calls: u64, failures: u64, slow: u64) -> u64 {
    (calls + BIAS) << (2 * FIELD) | (failures + BIAS) << FIELD | (slow + BIAS)
}

const fn unpack(sum: u64) -> Totals {
    const MASK: u64 = (1 << FIELD) - 1;
    Totals {
        calls: (sum >> (2 * FIELD) & MASK).saturating_sub(BIAS),
        failures: (sum >> FIELD & MASK).saturating_sub(BIAS),
        slow: (sum & MASK).saturating_sub(BIAS),
    }
}

/// What a slot that holds this adds to the sum.
const fn weight(result: u32) -> u64 {
    const CALL: u64 = 1 << (2 * FIELD);
    const FAILURE: u64 = 1 << FIELD;
    match result {
        EMPTY => 0,
        GOOD => CALL,
        FAILED => CALL + FAILURE,
        SLOW => CALL + 1,
        _ => CALL + FAILURE + 1,
    }
}
