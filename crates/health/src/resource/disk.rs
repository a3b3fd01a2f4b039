//! Space on a file system.

use std::path::PathBuf;

use buttress_core::source::{Check, CheckError, CheckFuture};
use rustix::fs::statvfs;

use super::Thresholds;
use crate::{blocking::BlockingCheck, error::ConfigError};

/// The space that is used of the file system that a path is on, as an unprivileged process sees
/// it. Degraded from 80 %, failed from 95 %.
///
/// A mount whose server is gone hangs whoever asks. At most one thread does; see
/// [`BlockingCheck`].
///
/// ```
/// use buttress_health::{Disk, Entry};
///
/// let entry = Entry::optional(Disk::of("data", "/var/lib/app"));
/// # let _ = entry;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Disk {
    name: &'static str,
    path: PathBuf,
    check: BlockingCheck,
}

impl Disk {
    /// Of the file system that `path` is on.
    pub fn of(name: &'static str, path: impl Into<PathBuf>) -> Self {
        Self::made(name, path.into(), Thresholds::DEFAULT)
    }

    /// The shares from which on it is degraded, and has failed.
    ///
    /// # Errors
    /// If one is not above 0 and at most 1, or the warning is above the failure.
    pub fn thresholds(self, warn: f64, fail: f64) -> Result<Self, ConfigError> {
        Ok(Self::made(self.name, self.path, Thresholds::new(warn, fail)?))
    }

    fn made(name: &'static str, path: PathBuf, thresholds: Thresholds) -> Self {
        let asked = path.clone();
        let check = BlockingCheck::new(name, move || {
            let found =
                statvfs(&asked).map_err(|error| CheckError::failed("unreadable").because(error))?;
            let unit = found.f_frsize;
            let used = found.f_blocks.saturating_sub(found.f_bfree);
            // What is kept back for root is no space for us, and was not used by anyone.
            let usable = used.saturating_add(found.f_bavail);
            let bytes = |blocks: u64| blocks.saturating_mul(unit);
            // Some file systems have none at all, so that there is nothing to use up.
            let limit = (usable > 0).then(|| bytes(usable));
            thresholds.judge(bytes(used), limit, "statvfs")
        });
        Self { name, path, check }
    }
}

impl Check for Disk {
    fn name(&self) -> &str {
        self.name
    }

    fn check(&self) -> CheckFuture<'_> {
        self.check.check()
    }
}
