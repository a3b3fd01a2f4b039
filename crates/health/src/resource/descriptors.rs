//! Open file descriptors.

use std::{fs, io};

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport};

use super::Thresholds;
use crate::error::ConfigError;

/// The process's open file descriptors beside its soft limit: at the limit, nothing is accepted
/// and nothing connected to any more. Degraded from 80 %, failed from 95 %.
///
/// Linux; elsewhere each look is degraded as `unreadable`.
///
/// ```
/// use buttress_health::{Descriptors, Entry};
///
/// let entry = Entry::optional(Descriptors::new());
/// # let _ = entry;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Descriptors {
    thresholds: Thresholds,
}

impl Default for Descriptors {
    fn default() -> Self {
        Self::new()
    }
}

impl Descriptors {
    /// Of this process.
    pub const fn new() -> Self {
        Self { thresholds: Thresholds::DEFAULT }
    }

    /// The shares from which on it is degraded, and has failed.
    ///
    /// # Errors
    /// If one is not above 0 and at most 1, or the warning is above the failure.
    pub fn thresholds(self, warn: f64, fail: f64) -> Result<Self, ConfigError> {
        Ok(Self { thresholds: Thresholds::new(warn, fail)? })
    }

    fn look(&self) -> Result<CheckReport, CheckError> {
        let (used, limit) =
            usage().map_err(|error| CheckError::degraded("unreadable").because(error))?;
        self.thresholds.judge(used, limit, "process")
    }
}

impl Check for Descriptors {
    fn name(&self) -> &str {
        "file_descriptors"
    }

    fn check(&self) -> CheckFuture<'_> {
        Box::pin(async { self.look() })
    }
}

fn usage() -> io::Result<(u64, Option<u64>)> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let soft = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().next());
    // One of them is the listing's own.
    let open = fs::read_dir("/proc/self/fd")?.count().saturating_sub(1);
    Ok((open as u64, soft.and_then(|soft| soft.parse().ok())))
}
