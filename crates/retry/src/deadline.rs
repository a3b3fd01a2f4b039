//! Until when an answer is of use.

use std::{cell::Cell, future::Future, time::Duration};

use tokio::time::Instant;

pub use self::{
    future::{DeadlineFuture, WithDeadline},
    header::DeadlineHeader,
    layer::DeadlineLayer,
    service::DeadlineService,
};

mod future;
mod header;
pub(crate) mod layer;
mod service;

thread_local! {
    /// Of the code that is being polled.
    static CURRENT: Cell<Option<Deadline>> = const { Cell::new(None) };
}

/// The time at which nobody waits for the answer any more.
///
/// [`DeadlineLayer`] finds it out, puts it among the request's extensions, and lets everything
/// inside be polled with it as the [current](Self::current) one. [`Retry`](crate::Retry) takes it
/// from either place: no attempt begins, or goes on, after it.
///
/// ```
/// use buttress_retry::Deadline;
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let work = async { Deadline::current().map(Deadline::left) };
/// let left = Deadline::within(Duration::from_secs(2)).scope(work).await.unwrap();
/// assert!(left <= Duration::from_secs(2));
/// assert_eq!(Deadline::current(), None);
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// At this time.
    #[must_use]
    pub const fn at(time: Instant) -> Self {
        Self(time)
    }

    /// In so long, from now.
    #[must_use]
    pub fn within(time: Duration) -> Self {
        let now = Instant::now();
        // What is further away than a clock can count is as good as never.
        const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);
        Self(now.checked_add(time.min(FAR)).unwrap_or(now))
    }

    /// When.
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// How long it is until then; nothing when it has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    pub(crate) fn has_passed(self) -> bool {
        self.left().is_zero()
    }

    /// That of the code that is being polled, if it has one.
    #[inline]
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.get()
    }

    /// Lets a future run with this as the current deadline, or an earlier one where there is one
    /// already. It does not end the future.
    pub fn scope<F: Future>(self, future: F) -> WithDeadline<F> {
        WithDeadline::new(Self::earliest([Some(self), Self::current()]), future)
    }

    #[inline]
    pub(crate) fn earliest<const N: usize>(of: [Option<Self>; N]) -> Option<Self> {
        of.into_iter().flatten().min()
    }
}

/// While it lives, a deadline is the current one.
struct Entered(Option<Deadline>);

impl Entered {
    fn new(deadline: Option<Deadline>) -> Self {
        Self(CURRENT.replace(deadline))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}
