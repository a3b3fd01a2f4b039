//! What can be seen of a circuit.

use std::time::Duration;

use crate::{
    core::Core,
    refusal::Reason,
    state::State,
    sync::{AtomicU64, Ordering::Relaxed},
    window::Outcome,
};

/// What a circuit has seen, beside its window. None of these is written for a good call.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) failed: AtomicU64,
    pub(crate) slow: AtomicU64,
    pub(crate) probes: AtomicU64,
    pub(crate) ignored: AtomicU64,
    pub(crate) stragglers: AtomicU64,
    pub(crate) opened: AtomicU64,
    pub(crate) would_have_opened: AtomicU64,
    refused: [AtomicU64; 4],
}

impl Default for Counts {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            failed: zero(),
            slow: zero(),
            probes: zero(),
            ignored: zero(),
            stragglers: zero(),
            opened: zero(),
            would_have_opened: zero(),
            refused: [zero(), zero(), zero(), zero()],
        }
    }
}

impl Counts {
    pub(crate) const fn refused(&self, reason: Reason) -> &AtomicU64 {
        let [open, half_open, ramp, forced_open] = &self.refused;
        match reason {
            Reason::HalfOpen => half_open,
            Reason::Ramp => ramp,
            Reason::ForcedOpen => forced_open,
            _ => open,
        }
    }

    #[cold]
    pub(crate) fn count_bad(&self, outcome: Outcome) {
        let count = if outcome.failed { &self.failed } else { &self.slow };
        count.fetch_add(1, Relaxed);
    }
}

/// A circuit at one moment.
///
/// Its numbers are read one after the other, while calls go on.
///
/// ```
/// use buttress_breaker::{Circuit, Policy, State};
///
/// let circuit = Circuit::new("smtp", Policy::new())?;
/// circuit.acquire()?.failure();
/// let snapshot = circuit.snapshot();
/// assert_eq!((snapshot.state, snapshot.window.calls), (State::Closed, 1));
/// assert_eq!(snapshot.window.failure_rate(), 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// What it does with calls. A circuit that is open stays so until the next call comes.
    pub state: State,
    /// How long it is still open.
    pub open_for: Option<Duration>,
    /// What the window holds.
    pub window: WindowTotals,
    /// Probes that are under way.
    pub probes_in_flight: usize,
    /// Probes that were good, of those that it takes to close.
    pub good_probes: usize,
    /// What it has seen since it was made.
    pub totals: CircuitTotals,
}

/// What a window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WindowTotals {
    /// Calls, or of [`Window::consecutive`](crate::Window::consecutive) the failures in a row.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
    /// Those that were slow, whether they failed or not.
    pub slow: u64,
}

/// What a circuit has seen since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CircuitTotals {
    /// Calls that were good.
    pub successes: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls that did not fail, but were slow.
    pub slow: u64,
    /// Calls whose result said nothing.
    pub ignored: u64,
    /// Results of calls that began before the circuit changed its state.
    pub stragglers: u64,
    /// Calls that were refused because it was open.
    pub refused_open: u64,
    /// Calls that were refused because it was half-open.
    pub refused_half_open: u64,
    /// Calls that were refused by the ramp.
    pub refused_ramp: u64,
    /// Calls that were refused by hand.
    pub refused_forced_open: u64,
    /// How often it has opened.
    pub opened: u64,
    /// How often it would have opened, had it not been told to
    /// [count only](crate::Circuit::metrics_only).
    pub would_have_opened: u64,
}

impl WindowTotals {
    /// The share of calls that failed, 0 to 1; 0 of no calls.
    #[must_use]
    pub fn failure_rate(&self) -> f64 {
        share(self.failures, self.calls)
    }

    /// The share of calls that were slow, 0 to 1; 0 of no calls.
    #[must_use]
    pub fn slow_rate(&self) -> f64 {
        share(self.slow, self.calls)
    }
}

fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

impl CircuitTotals {
    /// Calls that were refused, for whatever reason.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused_open + self.refused_half_open + self.refused_ramp + self.refused_forced_open
    }

    pub(crate) const fn refused_for(&self, reason: Reason) -> u64 {
        match reason {
            Reason::HalfOpen => self.refused_half_open,
            Reason::Ramp => self.refused_ramp,
            Reason::ForcedOpen => self.refused_forced_open,
            _ => self.refused_open,
        }
    }

    pub(crate) const fn add(&mut self, other: Self) {
        self.successes += other.successes;
        self.failures += other.failures;
        self.slow += other.slow;
        self.ignored += other.ignored;
        self.stragglers += other.stragglers;
        self.refused_open += other.refused_open;
        self.refused_half_open += other.refused_half_open;
        self.refused_ramp += other.refused_ramp;
        self.refused_forced_open += other.refused_forced_open;
        self.opened += other.opened;
        self.would_have_opened += other.would_have_opened;
    }
}

impl Core {
    pub(crate) fn totals(&self) -> CircuitTotals {
        let counts = &self.counts;
        let (failures, slow) = (counts.failed.load(Relaxed), counts.slow.load(Relaxed));
        let results = self.record.ever() + counts.probes.load(Relaxed);
        CircuitTotals {
            successes: results.saturating_sub(failures + slow),
            failures,
            slow,
            ignored: counts.ignored.load(Relaxed),
            stragglers: counts.stragglers.load(Relaxed),
            refused_open: counts.refused(Reason::Open).load(Relaxed),
            refused_half_open: counts.refused(Reason::HalfOpen).load(Relaxed),
            refused_ramp: counts.refused(Reason::Ramp).load(Relaxed),
            refused_forced_open: counts.refused(Reason::ForcedOpen).load(Relaxed),
            opened: counts.opened.load(Relaxed),
            would_have_opened: counts.would_have_opened.load(Relaxed),
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let now = self.now();
        let word = self.word();
        let window = self.record.totals(now);
        let (probes_in_flight, good_probes) = match word.state() {
            State::HalfOpen => self.probes(),
            _ => (0, 0),
        };
        let left = || Duration::from_nanos(word.until().saturating_sub(now));
        Snapshot {
            state: word.state(),
            open_for: (word.state() == State::Open).then(left),
            window: WindowTotals {
                calls: window.calls,
                failures: window.failures,
                slow: window.slow,
            },
            probes_in_flight,
            good_probes,
            totals: self.totals(),
        }
    }
}
