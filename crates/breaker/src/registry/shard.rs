//! A part of a registry, behind a lock of its own.

use std::{collections::HashMap, sync::Arc};

use crate::{clock::Nanos, core::Core, snapshot::CircuitTotals, state::State};

/// How many circuits are looked at to find the one that was not used for longest.
const SAMPLE: usize = 16;

#[derive(Debug)]
pub(super) struct Shard {
    places: HashMap<Arc<str>, usize>,
    circuits: Vec<Kept>,
    capacity: usize,
    /// Where the next look begins.
    hand: usize,
    retired: CircuitTotals,
}

#[derive(Debug)]
struct Kept {
    key: Arc<str>,
    core: Arc<Core>,
    used: Nanos,
}

impl Shard {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            places: HashMap::new(),
            circuits: Vec::new(),
            capacity,
            hand: 0,
            retired: CircuitTotals::default(),
        }
    }

    pub(super) fn get(&mut self, key: &str, now: Nanos) -> Option<Arc<Core>> {
        let kept = self.circuits.get_mut(*self.places.get(key)?)?;
        kept.used = now;
        Some(Arc::clone(&kept.core))
    }

    pub(super) fn peek(&self, key: &str) -> Option<Arc<Core>> {
        let kept = self.circuits.get(*self.places.get(key)?)?;
        Some(Arc::clone(&kept.core))
    }

    pub(super) fn insert(&mut self, key: Arc<str>, core: Arc<Core>, used: Nanos) {
        self.places.insert(Arc::clone(&key), self.circuits.len());
        self.circuits.push(Kept { key, core, used });
    }

    /// Looks at a few circuits and lets those go that are idle; where there is no room all the
    /// same, looks on until one may go. False where none may. `mode` is the state of new ones.
    pub(super) fn make_room(&mut self, mode: State, now: Nanos, idle: Nanos) -> bool {
        let mut looked_at = 0;
        let mut oldest: Option<(usize, Nanos)> = None;
        let all = self.circuits.len();
        while looked_at < all && (looked_at < SAMPLE || self.is_full() && oldest.is_none()) {
            looked_at += 1;
            self.hand = if self.hand + 1 < self.circuits.len() { self.hand + 1 } else { 0 };
            let Some(kept) = self.circuits.get(self.hand) else { break };
            if kept.may_be_forgotten(mode, now, idle) {
                // The last one comes to this place, and is looked at next.
                let at = self.hand;
                self.hand = at.checked_sub(1).unwrap_or(self.circuits.len());
                self.remove(at);
                oldest = None;
            } else if kept.is_as_new(mode, now) && oldest.is_none_or(|(_, used)| kept.used < used) {
                oldest = Some((self.hand, kept.used));
            }
        }
        if self.is_full()
            && let Some((at, _)) = oldest
        {
            self.remove(at);
        }
        !self.is_full()
    }

    fn is_full(&self) -> bool {
        self.circuits.len() >= self.capacity
    }

    fn remove(&mut self, at: usize) {
        let Kept { key, core, .. } = self.circuits.swap_remove(at);
        self.retired.add(core.totals());
        self.places.remove(&key);
        if let Some(moved) = self.circuits.get(at)
            && let Some(place) = self.places.get_mut(&moved.key)
        {
            *place = at;
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Core>> {
        self.circuits.iter().map(|kept| Arc::clone(&kept.core)).collect()
    }

    pub(super) const fn retired(&self) -> CircuitTotals {
        self.retired
    }
}

impl Kept {
    /// Closed, or as good as closed: a ramp that is over. Where all are put into another state by
    /// hand, one that is in it: a new one would be as well.
    fn is_as_new(&self, mode: State, now: Nanos) -> bool {
        match self.core.word().state() {
            State::Closed => true,
            State::Ramp => {
                self.core.settings.rules.ramp.is_some_and(|r| now.saturating_sub(self.used) > r)
            }
            state => state == mode,
        }
    }

    fn may_be_forgotten(&self, mode: State, now: Nanos, idle: Nanos) -> bool {
        let unused_for = now.saturating_sub(self.used);
        if unused_for < idle {
            return false;
        }
        let word = self.core.word();
        match word.state() {
            State::Closed | State::Ramp => true,
            // It would do no more than begin anew.
            State::Open => word.until() < now,
            // No probe is under way that its lease would wait for.
            State::HalfOpen => unused_for >= self.core.settings.rules.probes.time,
            // What was done by hand stays.
            state => state == mode,
        }
    }
}
