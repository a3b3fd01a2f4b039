//! How long a body has kept its reader waiting.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// Counts only the time in which the client has sent nothing: no clock is read for a body that is
/// there, and a handler that takes its time is not the client's fault.
pub(crate) struct Clock {
    left: Duration,
    since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    pub(crate) const fn new(most: Duration) -> Option<Self> {
        Some(Self { left: most, since: None, sleep: None })
    }

    /// Nothing has come; ready when the time is over.
    pub(crate) fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.since.is_none() {
            let now = Instant::now();
            self.since = Some(now);
            // A duration beyond the clock's end is no limit.
            let Some(end) = now.checked_add(self.left) else { return Poll::Pending };
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(end),
                None => self.sleep = Some(Box::pin(tokio::time::sleep_until(end))),
            }
        }
        self.sleep.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(cx))
    }

    /// Something has come.
    pub(crate) fn stop(&mut self) {
        if let Some(since) = self.since.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("left", &self.left).finish_non_exhaustive()
    }
}
