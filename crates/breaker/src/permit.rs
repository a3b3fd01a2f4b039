//! A call that was let through.

use std::{fmt, sync::Arc, thread};

use crate::{
    class::Class,
    clock::Nanos,
    core::{Core, Entry},
    window::Outcome,
};

/// A call that was let through, and whose result is owed.
///
/// Dropped without one: with a panic under way it is a failure; after the time of a
/// [slow call](crate::Policy::slow_calls) it is a slow one, as the other side hangs; and else it
/// says nothing, as somebody lost interest. A probe that says nothing gives its place back. The
/// result of a call that began before the circuit last changed its state is counted, and ignored.
///
/// ```
/// use buttress_breaker::{Circuit, Policy, State, Window};
///
/// let circuit = Circuit::new("smtp", Policy::new().window(Window::consecutive(1)))?;
/// circuit.acquire()?.success();
/// circuit.acquire()?.failure();
/// assert_eq!(circuit.state(), State::Open);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropped at once, it says nothing of the call"]
pub struct Permit {
    /// Empty when the result is given, or is of no interest.
    owed: Option<(Arc<Core>, Entry)>,
    started: Nanos,
    /// Whether the code of the call runs now: a drop then is its panic's, whoever catches that.
    is_running: bool,
}

impl Permit {
    /// Of a circuit that is not there.
    pub(crate) const UNTRACKED: Self = Self { owed: None, started: 0, is_running: false };

    #[inline]
    pub(crate) fn new(core: &Arc<Core>, entry: Entry) -> Self {
        if entry.is_none() {
            return Self::UNTRACKED;
        }
        let is_timed = core.settings.rules.slow_after().is_some();
        let started = if is_timed { core.now() } else { 0 };
        Self { owed: Some((Arc::clone(core), entry)), started, is_running: false }
    }

    /// Whether it is a probe of a circuit that is half-open.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.owed.as_ref().is_some_and(|(_, entry)| entry.is_probe())
    }

    /// The other side works.
    pub fn success(self) {
        self.finish(Class::Success);
    }

    /// It does not.
    pub fn failure(self) {
        self.finish(Class::Failure);
    }

    /// This says nothing about it, however long it took.
    pub fn ignore(self) {
        self.finish(Class::Ignore);
    }

    /// The call's result, as it was classified.
    #[inline]
    pub fn finish(mut self, class: Class) {
        self.settle(class);
    }

    #[inline]
    pub(crate) fn settle(&mut self, class: Class) {
        let Some((core, entry)) = self.owed.take() else { return };
        let (now, slow) = self.look(&core);
        if class == Class::Success && !slow && core.record_good(entry, now) {
            return;
        }
        let outcome = match class {
            Class::Success => Some(Outcome { failed: false, slow }),
            Class::Failure => Some(Outcome { failed: true, slow }),
            Class::Ignore => None,
        };
        core.record(entry, outcome, now);
    }

    pub(crate) fn core(&self) -> Option<&Arc<Core>> {
        self.owed.as_ref().map(|(core, _)| core)
    }

    /// Runs a piece of the call's code.
    #[inline]
    pub(crate) fn run<R>(&mut self, run: impl FnOnce() -> R) -> R {
        self.is_running = true;
        let result = run();
        self.is_running = false;
        result
    }

    /// The time, where it matters, and whether the call is slow.
    #[inline]
    fn look(&self, core: &Core) -> (Option<Nanos>, bool) {
        let Some(after) = core.settings.rules.slow_after() else { return (None, false) };
        let now = core.now();
        (Some(now), now.saturating_sub(self.started) >= after)
    }

    #[cold]
    #[inline(never)]
    fn abandon(&mut self) {
        let Some((core, entry)) = self.owed.take() else { return };
        let failed = self.is_running || thread::panicking();
        let (now, slow) = self.look(&core);
        let outcome = Outcome { failed, slow };
        core.record(entry, (!outcome.is_good()).then_some(outcome), now);
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if self.owed.is_some() {
            self.abandon();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("is_probe", &self.is_probe()).finish_non_exhaustive()
    }
}
