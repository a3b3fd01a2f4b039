//! One circuit: admission, results, transitions.
//!
//! What a call has to know is in one word. Whoever is let through by a closed circuit has read it,
//! and no more; whoever comes back compares its generation and adds a result to the window. All
//! else, and every change of the word, is behind the gate's lock.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Nanos,
    gate::Gate,
    refusal::{Reason, Refused},
    settings::Settings,
    snapshot::Counts,
    state::{State, Word},
    sync::{
        AtomicU64, Mutex, MutexGuard,
        Ordering::{Acquire, Relaxed, Release},
        lock,
    },
    transition::{self, Transition},
    window::{Outcome, Record, Totals},
};

/// The first field is what a closed circuit writes with each call: it shares its cache line with
/// the count of references, which is written then too. The word of state, which is read with each
/// call, is further away.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Core {
    pub(crate) record: Record,
    pub(crate) counts: Counts,
    pub(crate) settings: Arc<Settings>,
    pub(crate) key: Option<Arc<str>>,
    gate: Mutex<Gate>,
    word: AtomicU64,
}

/// What a call was let through by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    generation: u32,
    /// 0 is none; the largest number is never one.
    probe: u32,
}

impl Entry {
    const fn of(word: Word) -> Self {
        Self { generation: word.generation(), probe: 0 }
    }

    /// Of a call whose result is of no interest.
    pub(crate) const NONE: Self = Self { generation: 0, probe: u32::MAX };

    pub(crate) const fn is_none(self) -> bool {
        self.probe == u32::MAX
    }

    pub(crate) const fn is_probe(self) -> bool {
        self.probe != 0
    }
}

impl Core {
    pub(crate) fn new(settings: Arc<Settings>, key: Option<Arc<str>>) -> Self {
        Self {
            record: Record::new(settings.policy.window),
            counts: Counts::default(),
            gate: Mutex::new(Gate::new(&settings.rules)),
            word: AtomicU64::new(Word::NEW.bits()),
            settings,
            key,
        }
    }

    #[inline]
    pub(crate) fn word(&self) -> Word {
        Word::of(self.word.load(Acquire))
    }

    pub(crate) fn now(&self) -> Nanos {
        self.settings.clock.now()
    }

    /// Lets a call through, or not.
    #[inline]
    pub(crate) fn admit(&self, may_probe: impl FnOnce() -> bool) -> Result<Entry, Refused> {
        let word = self.word();
        if word.is_closed() {
            return Ok(Entry::of(word));
        }
        self.admit_slowly(word, may_probe)
    }

    #[cold]
    #[inline(never)]
    fn admit_slowly(&self, word: Word, may_probe: impl FnOnce() -> bool) -> Result<Entry, Refused> {
        let admitted = match at_once(word) {
            Some(admitted) => admitted,
            None => {
                let now = self.now();
                if word.state() == State::Open && now < word.until() {
                    Err(open(word, now))
                } else {
                    let may_probe = may_probe();
                    self.locked(|locked| locked.admit(may_probe, now))
                }
            }
        };
        if let Err(refused) = admitted {
            self.counts.refused(refused.why()).fetch_add(1, Relaxed);
        }
        admitted
    }

    /// A good call is over. False where there is more to it.
    #[inline]
    pub(crate) fn record_good(&self, entry: Entry, now: Option<Nanos>) -> bool {
        let word = self.word();
        if entry.is_probe() || word.generation() != entry.generation {
            return false;
        }
        if let Some(totals) = self.record.add_good(|| now.unwrap_or_else(|| self.now())) {
            self.judge(word, totals);
        }
        true
    }

    /// A call is over. `None`: its outcome says nothing.
    #[inline(never)]
    pub(crate) fn record(&self, entry: Entry, outcome: Option<Outcome>, now: Option<Nanos>) {
        let word = self.word();
        let now = || now.unwrap_or_else(|| self.now());
        if entry.is_probe() {
            let now = now();
            return self.locked(|locked| locked.record_probe(entry, outcome, now));
        }
        let Some(outcome) = outcome else {
            self.counts.ignored.fetch_add(1, Relaxed);
            return;
        };
        // A thread that stops between here and the window for the whole of an open time adds its
        // result to the next generation: one result, and its age is nobody's but its own.
        if word.generation() != entry.generation {
            self.counts.stragglers.fetch_add(1, Relaxed);
            return;
        }
        if !outcome.is_good() {
            self.counts.count_bad(outcome);
        }
        if let Some(totals) = self.record.add(outcome, now) {
            self.judge(word, totals);
        }
    }

    /// Opens it, if that is what its window comes to.
    #[cold]
    fn judge(&self, word: Word, totals: Totals) {
        if self.settings.rules.are_broken_by(totals) && word.state() != State::ForcedClosed {
            self.trip(word.generation());
        }
    }

    #[cold]
    #[inline(never)]
    fn trip(&self, generation: u32) {
        let now = self.now();
        self.locked(|locked| {
            let word = locked.core.word();
            // Another has been first.
            if word.generation() != generation {
                return;
            }
            match word.state() {
                State::Closed | State::Ramp => {
                    locked.open(now, true);
                }
                State::MetricsOnly => {
                    self.counts.would_have_opened.fetch_add(1, Relaxed);
                    self.record.reset();
                }
                _ => {}
            }
        });
    }

    /// Puts it into this state by hand; `Closed` is as new.
    pub(crate) fn force(&self, state: State) {
        let now = self.now();
        self.locked(|locked| {
            self.record.reset();
            if state == State::Closed {
                locked.gate.forget(now);
            }
            locked.change(state, 0);
        });
    }

    /// Probes under way, and good ones.
    pub(crate) fn probes(&self) -> (usize, usize) {
        lock(&self.gate).probes()
    }

    fn locked<R>(&self, run: impl FnOnce(&mut Locked<'_>) -> R) -> R {
        let gate = lock(&self.gate);
        let mut locked = Locked { core: self, gate, change: None };
        let result = run(&mut locked);
        let Locked { gate, change, .. } = locked;
        drop(gate);
        if let Some(change) = change {
            let (circuit, key) = (&*self.settings.name, self.key.as_deref());
            let transition = Transition { circuit, key, ..change };
            transition::tell(&self.settings.listeners, &transition);
        }
        result
    }
}

/// What needs neither the time nor the lock.
fn at_once(word: Word) -> Option<Result<Entry, Refused>> {
    match word.state() {
        State::Closed | State::ForcedClosed | State::MetricsOnly => Some(Ok(Entry::of(word))),
        State::Disabled => Some(Ok(Entry::NONE)),
        State::ForcedOpen => Some(Err(Refused::new(Reason::ForcedOpen, None))),
        State::Open | State::HalfOpen | State::Ramp => None,
    }
}

fn open(word: Word, now: Nanos) -> Refused {
    let left = Duration::from_nanos(word.until().saturating_sub(now));
    Refused::new(Reason::Open, Some(left))
}

/// A circuit whose lock is held.
struct Locked<'a> {
    core: &'a Core,
    gate: MutexGuard<'a, Gate>,
    change: Option<Transition<'static>>,
}

impl Locked<'_> {
    fn admit(&mut self, may_probe: bool, now: Nanos) -> Result<Entry, Refused> {
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

    fn record_probe(&mut self, entry: Entry, outcome: Option<Outcome>, now: Nanos) {
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

    fn open(&mut self, now: Nanos, was_closed: bool) -> Word {
        self.core.counts.opened.fetch_add(1, Relaxed);
        let until = self.gate.open(&self.core.settings.rules, now, was_closed);
        let word = self.change(State::Open, until);
        if let Some(change) = &mut self.change {
            change.open_for = Some(Duration::from_nanos(until.saturating_sub(now)));
        }
        word
    }

    /// Begins the next generation.
    fn change(&mut self, state: State, until: Nanos) -> Word {
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
