//! Memory of the cgroup that the process lives in.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport};

use super::{
    Thresholds,
    cgroup::{Groups, number, stat},
    share,
};
use crate::error::ConfigError;

/// The memory that counts against the limit at which the kernel kills: the working set (what is
/// in use, without the file cache that can be dropped) beside the limit of the cgroup.
///
/// Of cgroup v2 it is the limit, of the group or of one above it, of which the largest share is
/// used; of v1 the hierarchical one; only where there is neither, or one above all that the host
/// has, it is the host's memory. `source` in its data says which. It is degraded from 80 % and has
/// failed from 95 %; put in as [`optional`](crate::Entry::optional) it makes the whole degraded at
/// most.
///
/// Linux; elsewhere each look is degraded as `unreadable`.
///
/// ```
/// use buttress_health::{Entry, Memory};
///
/// let entry = Entry::optional(Memory::new().thresholds(0.7, 0.9)?);
/// # let _ = entry;
/// # Ok::<(), buttress_health::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Memory {
    root: PathBuf,
    thresholds: Thresholds,
}

pub(super) struct Usage {
    pub(super) used: u64,
    pub(super) limit: Option<u64>,
    source: &'static str,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// Of this process.
    pub fn new() -> Self {
        Self::below("/")
    }

    /// Reads `proc` and `sys` below another root: where the host's are mounted.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), thresholds: Thresholds::DEFAULT }
    }

    /// The shares from which on it is degraded, and has failed.
    ///
    /// # Errors
    /// If one is not above 0 and at most 1, or the warning is above the failure.
    pub fn thresholds(self, warn: f64, fail: f64) -> Result<Self, ConfigError> {
        Ok(Self { thresholds: Thresholds::new(warn, fail)?, ..self })
    }

    fn look(&self) -> Result<CheckReport, CheckError> {
        let usage =
            self.usage().map_err(|error| CheckError::degraded("unreadable").because(error))?;
        self.thresholds.judge(usage.used, usage.limit, usage.source)
    }

    pub(super) fn usage(&self) -> io::Result<Usage> {
        let groups = Groups::below(&self.root);
        let (group, host) = (v1(&groups).or_else(|| v2(&groups)), self.host());
        let total = host.as_ref().ok().and_then(|host| host.limit);
        match group {
            // Without a limit of its own, or with one above all that there is, it is the host's
            // memory that ends first.
            Some(group) if group.limit.is_some_and(|limit| total.is_none_or(|all| limit < all)) => {
                Ok(group)
            }
            _ => host,
        }
    }

    fn host(&self) -> io::Result<Usage> {
        let text = fs::read_to_string(self.root.join("proc/meminfo"))?;
        let kib = |name: &str| {
            let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
        };
        match (kib("MemTotal"), kib("MemAvailable")) {
            (Some(total), Some(free)) => {
                let used = total.saturating_sub(free);
                Ok(Usage { used, limit: Some(total), source: "host" })
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl Check for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    /// The files are the kernel's memory: reading them waits for no device.
    fn check(&self) -> CheckFuture<'_> {
        Box::pin(async { self.look() })
    }
}

/// The limit of any group above counts as well: of them all, the one of which the largest share is
/// used.
fn v2(groups: &Groups) -> Option<Usage> {
    let of = |usage: &Usage| usage.limit.map_or(0.0, |limit| share(usage.used, limit));
    let limited = groups.v2().filter_map(|dir| {
        let limit = Some(number(&dir.join("memory.max"))?);
        let used = working_set(&dir, "memory.current", "inactive_file")?;
        Some(Usage { used, limit, source: "cgroup v2" })
    });
    limited.max_by(|one, other| of(one).total_cmp(&of(other)))
}

fn v1(groups: &Groups) -> Option<Usage> {
    /// No limit is written as the largest number of whole pages.
    const UNLIMITED: u64 = 1 << 60;
    let dir = groups.v1("memory", "memory.usage_in_bytes")?;
    let used = working_set(&dir, "memory.usage_in_bytes", "total_inactive_file")?;
    let limit = stat(&dir.join("memory.stat"), "hierarchical_memory_limit")
        .into_iter()
        .chain(number(&dir.join("memory.limit_in_bytes")))
        .min()
        .filter(|limit| *limit < UNLIMITED);
    Some(Usage { used, limit, source: "cgroup v1" })
}

/// As the kubelet has it: what is in use, without the file cache that was not used of late.
fn working_set(dir: &Path, current: &str, inactive: &str) -> Option<u64> {
    let current = number(&dir.join(current))?;
    let inactive = stat(&dir.join("memory.stat"), inactive).unwrap_or(0);
    Some(current.saturating_sub(inactive))
}
