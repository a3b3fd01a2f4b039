//! Memory of the cgroup that the process lives in.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport};

use super::Thresholds;
use crate::error::ConfigError;

/// The memory that counts against the limit at which the kernel kills: the working set (what is
/// in use, without the file cache that can be dropped) beside the limit of the cgroup.
///
/// Of cgroup v2 it is the nearest limit on the way up, of v1 the hierarchical one; only where
/// there is neither it is the host's memory. `source` in its data says which. It is degraded from
/// 80 % and has failed from 95 %; put in as [`optional`](crate::Entry::optional) it makes the
/// whole degraded at most.
///
/// Linux; elsewhere each look fails as `unreadable`.
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

struct Usage {
    used: u64,
    limit: Option<u64>,
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

    fn usage(&self) -> io::Result<Usage> {
        let cgroups = fs::read_to_string(self.root.join("proc/self/cgroup")).unwrap_or_default();
        let usage = self.v1(&cgroups).or_else(|| self.v2(&cgroups));
        match usage {
            Some(usage) if usage.limit.is_some() => Ok(usage),
            // Without a limit of its own, it is the host's that ends first.
            _ => self.host(),
        }
    }

    /// `0::/path`. The limit of any group above counts as well; the tightest is the one that is
    /// nearest to being used up.
    fn v2(&self, cgroups: &str) -> Option<Usage> {
        let path = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
        let top = self.root.join("sys/fs/cgroup");
        let mut tightest: Option<Usage> = None;
        for dir in up_from(&top, path) {
            let Some(limit) = number(&dir.join("memory.max")) else { continue };
            let Some(used) = working_set(&dir, "memory.current", "inactive_file") else { continue };
            let is_tighter = tightest.as_ref().is_none_or(|other| {
                other.limit.is_none_or(|other_limit| {
                    limit.saturating_sub(used) < other_limit.saturating_sub(other.used)
                })
            });
            if is_tighter {
                tightest = Some(Usage { used, limit: Some(limit), source: "cgroup v2" });
            }
        }
        tightest
    }

    /// `4:memory:/path`. Inside a container the path may be the host's, which is not to be seen;
    /// what is, is the top.
    fn v1(&self, cgroups: &str) -> Option<Usage> {
        /// No limit is written as the largest number of whole pages.
        const UNLIMITED: u64 = 1 << 60;
        let path = cgroups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|name| name == "memory").then_some(path)
        })?;
        let top = self.root.join("sys/fs/cgroup/memory");
        let dir = up_from(&top, path).find(|dir| dir.join("memory.usage_in_bytes").exists())?;
        let used = working_set(&dir, "memory.usage_in_bytes", "total_inactive_file")?;
        let limit = stat(&dir.join("memory.stat"), "hierarchical_memory_limit")
            .into_iter()
            .chain(number(&dir.join("memory.limit_in_bytes")))
            .min()
            .filter(|limit| *limit < UNLIMITED);
        Some(Usage { used, limit, source: "cgroup v1" })
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

/// The group's directory and those above it, up to `top`.
fn up_from(top: &Path, path: &str) -> impl Iterator<Item = PathBuf> {
    let parts: Vec<&str> =
        path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    let top = top.to_owned();
    (0..=parts.len()).rev().map(move |length| {
        let mut dir = top.clone();
        dir.extend(parts.iter().take(length));
        dir
    })
}

/// As the kubelet has it: what is in use, without the file cache that was not used of late.
fn working_set(dir: &Path, current: &str, inactive: &str) -> Option<u64> {
    let current = number(&dir.join(current))?;
    let inactive = stat(&dir.join("memory.stat"), inactive).unwrap_or(0);
    Some(current.saturating_sub(inactive))
}

/// `None` also for `max`.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn stat(path: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}
