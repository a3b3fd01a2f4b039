//! What a circuit knows when it is not closed. It is small, and sits behind one lock.

use std::hash::{BuildHasher, RandomState};

use crate::{clock::Nanos, policy::Rules};

/// The least share of the calls that a ramp lets pass, in thousandths.
const RAMP_FROM: u64 = 100;
const WHOLE: u64 = 1_000;

#[derive(Debug)]
pub(crate) struct Gate {
    /// How many steps its time has grown by.
    level: u32,
    /// How long it was open last.
    opened_for: Nanos,
    closed_since: Nanos,
    /// Probes under way, by their numbers, and until when.
    leases: Vec<(u32, Nanos)>,
    /// The number of the next probe; 0 is no probe.
    next_probe: u32,
    good_probes: usize,
    /// What calls have saved up towards the next one that passes, in thousandths.
    ramp_credit: u64,
    random: u64,
}

impl Gate {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            level: 0,
            opened_for: 0,
            closed_since: 0,
            leases: Vec::with_capacity(rules.probes.count),
            next_probe: 1,
            good_probes: 0,
            ramp_credit: 0,
            // Keys of its own for each one that is made; xorshift must not begin with 0.
            random: RandomState::new().hash_one(0) | 1,
        }
    }

    /// Until when it is open, if it opens now.
    pub(crate) fn open(&mut self, rules: &Rules, now: Nanos, was_closed: bool) -> Nanos {
        if was_closed {
            let steps = (now - self.closed_since.min(now)).checked_div(self.opened_for);
            let steps = u32::try_from(steps.unwrap_or(u64::MAX)).unwrap_or(u32::MAX);
            self.level = self.level.saturating_sub(steps);
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.opened_for = rules.open.time(self.level, self.random);
        // A long outage is not held against it for longer than it takes to come down from the
        // longest time.
        if rules.open.grows_after(self.level) {
            self.level = self.level.saturating_add(1);
        }
        now.saturating_add(self.opened_for)
    }

    /// Its time is over.
    pub(crate) fn half_open(&mut self) {
        self.leases.clear();
        self.good_probes = 0;
    }

    pub(crate) fn close(&mut self, now: Nanos) {
        self.closed_since = now;
        self.ramp_credit = WHOLE;
    }

    /// As new.
    pub(crate) fn forget(&mut self, now: Nanos) {
        self.level = 0;
        self.opened_for = 0;
        self.close(now);
    }

    pub(crate) fn has_expired(&self, now: Nanos) -> bool {
        self.leases.iter().any(|(_, until)| *until <= now)
    }

    /// A probe's number, if there is room.
    pub(crate) fn lease(&mut self, rules: &Rules, now: Nanos) -> Option<u32> {
        if self.leases.len() + self.good_probes >= rules.probes.count {
            return None;
        }
        let probe = self.next_probe;
        self.next_probe = if probe < u32::MAX - 1 { probe + 1 } else { 1 };
        self.leases.push((probe, now.saturating_add(rules.probes.time)));
        Some(probe)
    }

    /// A probe is back: whether it was in time. `None` where there is none of this number.
    pub(crate) fn give_back(&mut self, probe: u32, now: Nanos) -> Option<bool> {
        let at = self.leases.iter().position(|(number, _)| *number == probe)?;
        let (_, until) = self.leases.swap_remove(at);
        Some(now < until)
    }

    /// A good one: whether it was the last that was asked for.
    pub(crate) fn count_good(&mut self, rules: &Rules) -> bool {
        self.good_probes += 1;
        self.good_probes >= rules.probes.count
    }

    /// Probes under way, and good ones.
    pub(crate) fn probes(&self) -> (usize, usize) {
        (self.leases.len(), self.good_probes)
    }

    /// Whether a call passes on the ramp; `None` when that is over.
    pub(crate) fn climb(&mut self, ramp: Nanos, now: Nanos) -> Option<bool> {
        let past = now.saturating_sub(self.closed_since);
        if past >= ramp {
            return None;
        }
        let share = u64::try_from(u128::from(past) * u128::from(WHOLE) / u128::from(ramp));
        self.ramp_credit += share.unwrap_or(WHOLE).max(RAMP_FROM);
        let passes = self.ramp_credit >= WHOLE;
        if passes {
            self.ramp_credit -= WHOLE;
        }
        Some(passes)
    }
}
