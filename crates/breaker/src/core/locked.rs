//! A circuit whose lock is held: where its state is changed.

use std::time::Duration;

use super::{Core, Entry};
use crate::{
    clock::Nanos,
    gate::Gate,
    refusal::{Reason, Refused},
    state::{State, Word},
    sync::{
        MutexGuard,
        Ordering::{Relaxed, Release},
    },
    transition::Transition,
    window::Outcome,
};

/// What needs neither the time nor the lock.
pub(super) fn at_once(word: Word) -> Option<Result<Entry, Refused>> {
    match word.state() {
        State::Closed | State::ForcedClosed | State::MetricsOnly => Some(Ok(Entry::of(word))),
        State::Disabled => Some(Ok(Entry::NONE)),
        State::ForcedOpen => Some(Err(Refused::new(Reason::ForcedOpen, None))),
        State::Open | State::HalfOpen | State::Ramp => None,
    }
}

pub(super) fn open(word: Word, now: Nanos) -> Refused {
    let left = Duration::from_nanos(word.until().saturating_sub(now));
    Refused::new(Reason::Open, Some(left))
}

/// A circuit whose lock is held.
pub(super) struct Locked<'a> {
    pub(super) core: &'a Core,
    pub(super) gate: MutexGuard<'a, Gate>,
    change: Option<Transition<'static>>,
}

impl<'a> Locked<'a> {
    pub(super) const fn new(core: &'a Core, gate: MutexGuard<'a, Gate>) -> Self {
        Self { core, gate, change: None }
    }

    /// Gives the lock back; answers what has changed.
    pub(super) fn unlock(self) -> Option<Transition<'static>> {
        self.change
    }

    pub(super) fn admit(&mut self, may_probe: bool, now: Nanos) -> Result<Entry, Refused> {
        let word = self.core.word();
        if let Some(admitted) = at_once(word) {
            return admitted;
        }
        match word.state() {
            State::Open if now < word.until() => Err(open(word, now)),
            State::Open if may_probe => {
                self.gate.half_open();
                self.change(State::HalfOpen, 0);
                self.lease(now)
            }
            State::HalfOpen if self.gate.has_expired(now) => Err(open(self.open(now, false), now)),
            State::HalfOpen if may_probe => self.lease(now),
            State::Ramp => self.climb(word, now),
            _ => Err(Refused::soon(Reason::HalfOpen)),
        }
    }

    fn lease(&mut self, now: Nanos) -> Result<Entry, Refused> {
        match self.gate.lease(&self.core.settings.rules, now) {
            Some(probe) => Ok(Entry { probe, ..Entry::of(self.core.word()) }),
            None => Err(Refused::soon(Reason::HalfOpen)),
        }
    }

    fn climb(&mut self, word: Word, now: Nanos) -> Result<Entry, Refused> {
        let ramp = self.core.settings.rules.ramp.unwrap_or(0);
        match self.gate.climb(ramp, now) {
            Some(true) => Ok(Entry::of(word)),
            Some(false) => Err(Refused::soon(Reason::Ramp)),
            None => {
                // What the ramp has counted counts on.
                self.set(State::Closed, word.with(State::Closed), None);
                Ok(Entry::of(word))
            }
        }
    }

    pub(super) fn record_probe(&mut self, entry: Entry, outcome: Option<Outcome>, now: Nanos) {
        let (core, counts) = (self.core, &self.core.counts);
        let is_current = core.word().generation() == entry.generation;
        let Some(in_time) = self.gate.give_back(entry.probe, now).filter(|_| is_current) else {
            counts.stragglers.fetch_add(1, Relaxed);
            return;
        };
        let Some(outcome) = outcome.or((!in_time).then_some(Outcome::FAILED)) else {
            counts.ignored.fetch_add(1, Relaxed);
            return;
        };
        counts.probes.fetch_add(1, Relaxed);
        if !outcome.is_good() {
            counts.count_bad(outcome);
        }
        if !in_time || !outcome.is_good() {
            self.open(now, false);
        } else if self.gate.count_good(&core.settings.rules) {
            core.record.reset();
            self.gate.close(now);
            let ramp = core.settings.rules.ramp;
            self.change(if ramp.is_some() { State::Ramp } else { State::Closed }, 0);
        }
    }

    pub(super) fn open(&mut self, now: Nanos, was_closed: bool) -> Word {
        self.core.counts.opened.fetch_add(1, Relaxed);
        let until = self.gate.open(&self.core.settings.rules, now, was_closed);
        let word = self.change(State::Open, until);
        if let Some(change) = &mut self.change {
            change.open_for = Some(Duration::from_nanos(until.saturating_sub(now)));
        }
        word
    }

    /// Begins the next generation.
    pub(super) fn change(&mut self, state: State, until: Nanos) -> Word {
        let word = self.core.word().next(state, until);
        self.set(state, word, None);
        word
    }

    fn set(&mut self, to: State, word: Word, open_for: Option<Duration>) {
        let from = self.core.word().state();
        // What was written before, the window's emptiness above all, is seen by who reads it.
        self.core.word.store(word.bits(), Release);
        if from != to {
            let generation = word.generation();
            self.change =
                Some(Transition { circuit: "", key: None, from, to, open_for, generation });
        }
    }
}
