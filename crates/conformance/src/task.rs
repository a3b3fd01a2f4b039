use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Enough for any honest future that is never held back; the bound ends a test of a layer that
/// wakes itself for ever.
pub(crate) const MAX_POLLS: usize = 1_000;

/// A task that is polled by hand and counts how often it is woken. No runtime stands behind it.
///
/// ```
/// use buttress_conformance::Task;
/// use std::task::Poll;
///
/// let task = Task::new();
/// let pending: Poll<()> = task.poll(|cx| {
///     cx.waker().wake_by_ref();
///     Poll::Pending
/// });
/// assert!(pending.is_pending());
/// assert_eq!(task.wakes(), 1);
/// ```
#[derive(Debug)]
pub struct Task {
    wakes: Arc<Wakes>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Wakes(AtomicUsize);

impl Task {
    /// A task that was not woken yet.
    #[must_use]
    pub fn new() -> Self {
        let wakes = Arc::<Wakes>::default();
        let waker = Waker::from(Arc::clone(&wakes));
        Self { wakes, waker }
    }

    /// How often the task was woken.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }

    /// Polls once.
    pub fn poll<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        poll(&mut Context::from_waker(&self.waker))
    }

    /// Polls for as long as each poll that was pending also woke the task, as an executor would,
    /// and at most a thousand times. `Pending` means that nobody woke it.
    pub fn run<T>(&self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        for _ in 0..MAX_POLLS {
            let before = self.wakes();
            let polled = self.poll(&mut poll);
            if polled.is_ready() || self.wakes() == before {
                return polled;
            }
        }
        Poll::Pending
    }
}

impl Default for Task {
    fn default() -> Self {
        Self::new()
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
