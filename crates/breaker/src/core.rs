//! One circuit: admission, results, transitions.
//!
//! What a call has to know is in one word. Whoever is let through by a closed circuit has read it,
//! and no more; whoever comes back compares its generation and adds a result to the window. All
//! else, and every change of the word, is behind the gate's lock.

use std::sync::Arc;

mod locked;

use self::locked::{Locked, at_once, open};
use crate::{
    clock::Nanos,
    gate::Gate,
    refusal::Refused,
    settings::Settings,
    snapshot::Counts,
    state::{State, Word},
    sync::{
        AtomicU64, Mutex,
        Ordering::{Acquire, Relaxed},
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
        Self::new_in(State::Closed, settings, key)
    }

    /// One that is in this state from the start, which is no change of it.
    pub(crate) fn new_in(state: State, settings: Arc<Settings>, key: Option<Arc<str>>) -> Self {
        Self {
            record: Record::new(settings.policy.window),
            counts: Counts::default(),
            gate: Mutex::new(Gate::new(&settings.rules)),
            word: AtomicU64::new(Word::NEW.with(state).bits()),
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
                // It is the same generation after the first that would have opened it.
                State::MetricsOnly
                    if self.settings.rules.are_broken_by(self.record.totals(now)) =>
                {
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

    /// Runs this under the lock, and tells of what it has changed when that is given back.
    fn locked<R>(&self, run: impl FnOnce(&mut Locked<'_>) -> R) -> R {
        let mut locked = Locked::new(self, lock(&self.gate));
        let result = run(&mut locked);
        if let Some(change) = locked.unlock() {
            let (circuit, key) = (&*self.settings.name, self.key.as_deref());
            let transition = Transition { circuit, key, ..change };
            transition::tell(&self.settings.listeners, &transition);
        }
        result
    }
}
