use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Something to wait for: pending while it is shut, and whoever waited is woken when it opens.
/// Clones are the same gate.
///
/// ```
/// use buttress_conformance::{Gate, Task};
///
/// let gate = Gate::shut();
/// let task = Task::new();
/// assert!(task.poll(|cx| gate.poll_open(cx)).is_pending());
/// gate.open();
/// assert_eq!(task.wakes(), 1);
/// assert!(task.poll(|cx| gate.poll_open(cx)).is_ready());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gate {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    shut: bool,
    waiting: Vec<Waker>,
}

impl Gate {
    /// A gate that is open; [`Default`] is the same.
    #[must_use]
    pub fn opened() -> Self {
        Self::default()
    }

    /// A gate that is shut.
    #[must_use]
    pub fn shut() -> Self {
        let gate = Self::default();
        gate.close();
        gate
    }

    /// Opens the gate and wakes whoever waits.
    pub fn open(&self) {
        let waiting = {
            let mut state = self.lock();
            state.shut = false;
            std::mem::take(&mut state.waiting)
        };
        for waker in waiting {
            waker.wake();
        }
    }

    /// Shuts the gate for whoever comes next.
    pub fn close(&self) {
        self.lock().shut = true;
    }

    /// Ready while the gate is open; else the task is remembered and woken by [`open`](Self::open).
    pub fn poll_open(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if !state.shut {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
