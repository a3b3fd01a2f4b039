//! Where a service is between its start and its end.
//!
//! Whoever shuts down moves the [`Lifecycle`] on; whoever answers a readiness probe, or holds a
//! long stream, reads it or waits for it. It is the one thing that they share.
//!
//! ```
//! use buttress_core::lifecycle::{Lifecycle, State};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let lifecycle = Lifecycle::new();
//! let mut draining = lifecycle.reached(State::Draining);
//!
//! lifecycle.advance(State::Running);
//! assert_eq!(lifecycle.state(), State::Running);
//!
//! lifecycle.advance(State::Draining);
//! draining.await;
//! assert!(!lifecycle.advance(State::Running), "there is no way back");
//! # }
//! ```

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// A stage of a service's life. They are passed in this order; some may be left out.
///
/// ```
/// use buttress_core::lifecycle::{Lifecycle, State};
/// use http::StatusCode;
///
/// /// The answer to a readiness probe.
/// fn ready(lifecycle: &Lifecycle) -> StatusCode {
///     match lifecycle.state() {
///         State::Running => StatusCode::OK,
///         _ => StatusCode::SERVICE_UNAVAILABLE,
///     }
/// }
/// # assert_eq!(ready(&Lifecycle::new()), 503);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum State {
    /// Not yet ready for requests.
    Starting = 0,
    /// Serving.
    Running = 1,
    /// Finishing what is in flight; new work should go elsewhere.
    Draining = 2,
    /// Letting go of what the service holds.
    Stopping = 3,
}

impl State {
    const fn from_u8(state: u8) -> Self {
        match state {
            0 => Self::Starting,
            1 => Self::Running,
            2 => Self::Draining,
            _ => Self::Stopping,
        }
    }
}

/// The one place that says how far a service is. A clone is another handle to it.
///
/// ```
/// use buttress_core::lifecycle::{Lifecycle, State};
///
/// let lifecycle = Lifecycle::new();
/// let handle = lifecycle.clone();
/// std::thread::spawn(move || handle.advance(State::Draining)).join().unwrap();
/// assert_eq!(lifecycle.state(), State::Draining);
/// assert!(lifecycle.state() > State::Running);
/// ```
#[derive(Clone, Default)]
pub struct Lifecycle(Arc<Shared>);

#[derive(Default)]
struct Shared {
    // Written under the lock of `waiting` only, so that nobody misses the change it waits for.
    state: AtomicU8,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Lifecycle {
    /// A service that is starting.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The present state.
    #[must_use]
    pub fn state(&self) -> State {
        State::from_u8(self.0.state.load(Ordering::Acquire))
    }

    /// Moves on to `state` and wakes who waits for it. Answers false, and changes nothing, if the
    /// service is there or further already.
    pub fn advance(&self, state: State) -> bool {
        let mut waiting = self.0.waiting();
        if self.state() >= state {
            return false;
        }
        self.0.state.store(state as u8, Ordering::Release);
        let wakers = std::mem::take(&mut waiting.wakers);
        // A waker is someone else's code: it runs outside the lock, and its panic wakes the rest.
        drop(waiting);
        let panics: Vec<_> = wakers
            .into_values()
            .filter_map(|waker| catch_unwind(AssertUnwindSafe(|| waker.wake())).err())
            .collect();
        if let Some(panic) = panics.into_iter().next() {
            resume_unwind(panic);
        }
        true
    }

    /// Resolves once the service has reached `state` or gone past it.
    pub fn reached(&self, state: State) -> Reached {
        Reached { shared: Arc::clone(&self.0), target: state, id: None }
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lifecycle").field(&self.state()).finish()
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_reached(&self, target: State) -> bool {
        State::from_u8(self.state.load(Ordering::Acquire)) >= target
    }
}

/// The future of [`Lifecycle::reached`]. It may be dropped at any time.
///
/// ```
/// use buttress_core::lifecycle::Reached;
/// use tokio::sync::mpsc::Receiver;
///
/// /// A stream without an end of its own.
/// async fn send(mut events: Receiver<String>, mut draining: Reached) {
///     loop {
///         tokio::select! {
///             () = &mut draining => break, // the client connects again, elsewhere
///             Some(event) = events.recv() => println!("{event}"),
///         }
///     }
/// }
/// # use buttress_core::lifecycle::{Lifecycle, State};
/// # let lifecycle = Lifecycle::new();
/// # lifecycle.advance(State::Draining);
/// # let (_sender, events) = tokio::sync::mpsc::channel(1);
/// # tokio::runtime::Builder::new_current_thread()
/// #     .build()
/// #     .unwrap()
/// #     .block_on(send(events, lifecycle.reached(State::Draining)));
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct Reached {
    shared: Arc<Shared>,
    target: State,
    id: Option<u64>,
}

impl Future for Reached {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.shared.has_reached(this.target) {
            return Poll::Ready(());
        }
        // To clone and to drop a waker runs someone else's code, so neither is done under the lock.
        let waker = cx.waker().clone();
        let mut waiting = this.shared.waiting();
        if this.shared.has_reached(this.target) {
            return Poll::Ready(());
        }
        let id = *this.id.get_or_insert_with(|| {
            waiting.next += 1;
            waiting.next
        });
        let before = waiting.wakers.insert(id, waker);
        drop(waiting);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Reached {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let waker = self.shared.waiting().wakers.remove(&id);
        drop(waker);
    }
}

impl fmt::Debug for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reached").field("target", &self.target).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Barrier, atomic::AtomicUsize},
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn states_are_passed_in_order_only() {
        let lifecycle = Lifecycle::new();
        assert_eq!(lifecycle.state(), State::Starting);
        assert!(lifecycle.advance(State::Draining));
        assert!(!lifecycle.advance(State::Draining));
        assert!(!lifecycle.advance(State::Running));
        assert!(lifecycle.advance(State::Stopping));
        assert_eq!(lifecycle.state(), State::Stopping);
    }

    #[test]
    fn polling_again_and_dropping_leave_one_waker_and_none() {
        let lifecycle = Lifecycle::new();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);

        let mut waits = lifecycle.reached(State::Running);
        let mut dropped = lifecycle.reached(State::Running);
        for _ in 0..3 {
            assert!(Pin::new(&mut waits).poll(&mut cx).is_pending());
            assert!(Pin::new(&mut dropped).poll(&mut cx).is_pending());
        }
        drop(dropped);
        assert_eq!(lifecycle.0.waiting().wakers.len(), 1);
        lifecycle.advance(State::Running);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(Pin::new(&mut waits).poll(&mut cx).is_ready());
        drop(waits);
        assert_eq!(lifecycle.0.waiting().wakers.len(), 0);
    }

    /// Holds a wait of its own, as a task does.
    struct Owner {
        _wait: Mutex<Reached>,
    }

    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_waker_that_owns_a_wait_is_dropped_outside_the_lock() {
        let lifecycle = Lifecycle::new();
        let mut waits = lifecycle.reached(State::Running);
        let mut owned = lifecycle.reached(State::Running);
        assert!(Pin::new(&mut owned).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let owner = Waker::from(Arc::new(Owner { _wait: Mutex::new(owned) }));
        assert!(Pin::new(&mut waits).poll(&mut Context::from_waker(&owner)).is_pending());
        drop(owner);
        // The last handle of the owner goes here, and its own wait with it.
        assert!(Pin::new(&mut waits).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(lifecycle.0.waiting().wakers.len(), 1);
    }

    struct PanickingWaker;

    impl Wake for PanickingWaker {
        fn wake(self: Arc<Self>) {
            panic!("a waker's own mistake");
        }
    }

    #[test]
    fn a_waker_that_panics_does_not_keep_the_others_asleep() {
        let lifecycle = Lifecycle::new();
        let count = Arc::new(Count::default());
        let panicking = Waker::from(Arc::new(PanickingWaker));
        let counting = Waker::from(Arc::clone(&count));
        let mut waits: Vec<Reached> = (0..3).map(|_| lifecycle.reached(State::Running)).collect();
        for (wait, waker) in waits.iter_mut().zip([&counting, &panicking, &counting]) {
            assert!(Pin::new(wait).poll(&mut Context::from_waker(waker)).is_pending());
        }
        let moved = catch_unwind(AssertUnwindSafe(|| lifecycle.advance(State::Running)));
        assert!(moved.is_err(), "the panic is not swallowed");
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
        assert_eq!(lifecycle.state(), State::Running);
    }

    #[test]
    fn nobody_misses_a_change_that_races_with_waiting_for_it() {
        for _ in 0..200 {
            let lifecycle = Lifecycle::new();
            let start = Arc::new(Barrier::new(2));
            let (other, go) = (lifecycle.clone(), Arc::clone(&start));
            let mover = std::thread::spawn(move || {
                go.wait();
                other.advance(State::Draining);
            });
            start.wait();
            tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(lifecycle.reached(State::Draining));
            mover.join().unwrap();
        }
    }
}
