//! What a pool says of itself.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport};

/// A pool's present numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// The most connections it may have; 0 once it is closed.
    pub max: usize,
    /// Connections that lie unused.
    pub idle: usize,
    /// Connections that are out.
    pub out: usize,
    /// Calls that wait for a connection, or for one to be made.
    pub waiting: usize,
    /// Calls so far that have waited in vain.
    pub wait_timeouts: u64,
}

pub(crate) trait Gauge: Send + Sync {
    fn status(&self) -> Status;
}

/// A [`Check`] that is degraded while all connections are out and more are wanted, or when a call
/// has waited in vain since it was asked last. It never fails: a pool that is used to its limit is
/// no reason to take the service out.
#[derive(Clone)]
pub struct Saturation {
    pub(crate) name: Arc<str>,
    pub(crate) gauge: Arc<dyn Gauge>,
    pub(crate) seen: Arc<AtomicU64>,
}

impl Check for Saturation {
    fn name(&self) -> &str {
        &self.name
    }

    fn check(&self) -> CheckFuture<'_> {
        Box::pin(async {
            let Status { max, out, waiting, wait_timeouts, .. } = self.gauge.status();
            let since = wait_timeouts.saturating_sub(self.seen.swap(wait_timeouts, Relaxed));
            if since > 0 || (waiting > 0 && out >= max) {
                return Err(CheckError::degraded("all connections are out")
                    .with("max", max)
                    .with("out", out)
                    .with("waiting", waiting)
                    .with("timeouts", since));
            }
            Ok(CheckReport::ok().with("max", max).with("out", out).with("waiting", waiting))
        })
    }
}

impl fmt::Debug for Saturation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saturation").field("name", &self.name).finish_non_exhaustive()
    }
}
