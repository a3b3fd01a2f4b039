//! Processor time beside the quota of the cgroup.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport};
use tokio::time::Instant;

use super::{
    Thresholds,
    cgroup::{Groups, number, stat},
};
use crate::error::ConfigError;

/// The processor time since the look before, beside what the process may have: the quota of its
/// cgroup, and only where there is none all processors of the host. Degraded from 80 %, failed
/// from 95 %.
///
/// At its quota a group stands still for the rest of each period (100 ms as a rule), however idle
/// the host is: latencies grow in steps, and nothing else shows why. `throttled` in the data is
/// the share of periods in which that happened; `used` and `limit` are processors. The first look
/// has nothing to compare with, and passes.
///
/// Of cgroup v2 it is the quota (`cpu.max`), of the group or of one above it, of which the largest
/// share is used; of v1 that of the group (`cpu.cfs_quota_us`). `source` says which. Put it in as
/// [`optional`](crate::Entry::optional): a busy service works.
///
/// Linux; elsewhere each look is degraded as `unreadable`.
///
/// ```
/// use buttress_health::{Cpu, Entry};
///
/// let entry = Entry::optional(Cpu::new().thresholds(0.7, 0.9)?);
/// # let _ = entry;
/// # Ok::<(), buttress_health::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Cpu {
    root: PathBuf,
    thresholds: Thresholds,
    before: Mutex<Option<(Instant, Vec<Usage>)>>,
}

/// What was used up to a moment, of one of the limits.
#[derive(Clone, Debug)]
struct Usage {
    /// Which: a group's directory, or the host's file.
    of: PathBuf,
    used: Duration,
    processors: f64,
    /// Periods, and those in which the group stood still.
    periods: (u64, u64),
    source: &'static str,
}

/// What was used from one look to the next.
struct Spent {
    processors: f64,
    limit: f64,
    throttled: Option<f64>,
    source: &'static str,
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

impl Cpu {
    /// Of this process.
    pub fn new() -> Self {
        Self::below("/")
    }

    /// Reads `proc` and `sys` below another root: where the host's are mounted.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), thresholds: Thresholds::DEFAULT, before: Mutex::new(None) }
    }

    /// The shares from which on it is degraded, and has failed.
    ///
    /// # Errors
    /// If one is not above 0 and at most 1, or the warning is above the failure.
    pub fn thresholds(self, warn: f64, fail: f64) -> Result<Self, ConfigError> {
        Ok(Self { thresholds: Thresholds::new(warn, fail)?, ..self })
    }

    fn look(&self) -> Result<CheckReport, CheckError> {
        let unreadable = |error| CheckError::degraded("unreadable").because(error);
        let (now, present) = (Instant::now(), usages(&self.root).map_err(unreadable)?);
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let before = before.replace((now, present.clone()));
        let spent = before.and_then(|(then, before)| {
            let elapsed = now.saturating_duration_since(then);
            present
                .iter()
                .filter_map(|usage| usage.since(&before, elapsed))
                .max_by(|one, other| one.share().total_cmp(&other.share()))
        });
        let share = spent.as_ref().map(Spent::share);
        self.thresholds.judge_share(
            share,
            "nearly used up",
            "running low",
            [
                ("used", spent.as_ref().map(|spent| spent.processors).into()),
                ("limit", spent.as_ref().map(|spent| spent.limit).into()),
                ("share", share.into()),
                ("throttled", spent.as_ref().and_then(|spent| spent.throttled).into()),
                ("source", spent.as_ref().map(|spent| spent.source).into()),
            ],
        )
    }
}

impl Usage {
    fn since(&self, before: &[Self], elapsed: Duration) -> Option<Spent> {
        // The process may have been moved to another group.
        let before = before.iter().find(|usage| usage.of == self.of)?;
        let used = self.used.checked_sub(before.used)?.as_secs_f64();
        let (periods, throttled) = (
            self.periods.0.saturating_sub(before.periods.0),
            self.periods.1.saturating_sub(before.periods.1),
        );
        (!elapsed.is_zero()).then(|| Spent {
            processors: used / elapsed.as_secs_f64(),
            limit: self.processors,
            throttled: (periods > 0).then(|| super::share(throttled, periods)),
            source: self.source,
        })
    }
}

impl Spent {
    fn share(&self) -> f64 {
        self.processors / self.limit
    }
}

/// All limits that bind the process.
fn usages(root: &Path) -> io::Result<Vec<Usage>> {
    let host = host(root)?;
    let groups = Groups::below(root);
    let mut usages: Vec<Usage> = groups.v2().filter_map(v2).chain(v1(&groups)).collect();
    // A quota above all that there is binds nobody.
    usages.retain(|usage| usage.processors < host.processors);
    if usages.is_empty() {
        usages.push(host);
    }
    Ok(usages)
}

/// `200000 100000`: so many µs in each period.
fn v2(dir: PathBuf) -> Option<Usage> {
    let max = fs::read_to_string(dir.join("cpu.max")).ok()?;
    let (quota, period) = max.trim().split_once(' ')?;
    let file = dir.join("cpu.stat");
    Some(Usage {
        used: Duration::from_micros(stat(&file, "usage_usec")?),
        processors: processors(quota.parse().ok()?, period.parse().ok()?)?,
        periods: periods(&file),
        source: "cgroup v2",
        of: dir,
    })
}

fn v1(groups: &Groups) -> Option<Usage> {
    let dir = groups.v1("cpu", "cpu.cfs_quota_us")?;
    // -1 is none.
    let quota = number(&dir.join("cpu.cfs_quota_us"))?;
    let period = number(&dir.join("cpu.cfs_period_us"))?;
    let used = number(&groups.v1("cpuacct", "cpuacct.usage")?.join("cpuacct.usage"))?;
    Some(Usage {
        used: Duration::from_nanos(used),
        processors: processors(quota, period)?,
        periods: periods(&dir.join("cpu.stat")),
        source: "cgroup v1",
        of: dir,
    })
}

fn processors(quota: u64, period: u64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| super::share(quota, period))
}

fn periods(file: &Path) -> (u64, u64) {
    (stat(file, "nr_periods").unwrap_or(0), stat(file, "nr_throttled").unwrap_or(0))
}

/// The first line of `/proc/stat` sums all processors up, in ticks (`proc_stat(5)`).
fn host(root: &Path) -> io::Result<Usage> {
    /// `USER_HZ` is 100 on the architectures that services run on.
    const TICK_MILLIS: u64 = 10;
    let of = root.join("proc/stat");
    let text = fs::read_to_string(&of)?;
    let ticks = text.lines().find_map(|line| line.strip_prefix("cpu ")).and_then(|line| {
        let mut ticks = line.split_whitespace().map(str::parse::<u64>);
        let mut next = || ticks.next()?.ok();
        let (user, nice, system) = (next()?, next()?, next()?);
        let (_idle, _iowait) = (next()?, next()?);
        let (irq, softirq, steal) = (next()?, next()?, next().unwrap_or(0));
        // Guests' time is in the user's already.
        [user, nice, system, irq, softirq, steal].into_iter().try_fold(0_u64, u64::checked_add)
    });
    let processors = processors_of(&text);
    match ticks {
        Some(ticks) if processors > 0.0 => Ok(Usage {
            of,
            used: Duration::from_millis(ticks.saturating_mul(TICK_MILLIS)),
            processors,
            periods: (0, 0),
            source: "host",
        }),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The lines `cpu0`, `cpu1`, … of `/proc/stat`.
pub(super) fn processors_of(stat: &str) -> f64 {
    let has_number = |line: &str| {
        let rest = line.strip_prefix("cpu").and_then(|rest| rest.bytes().next());
        rest.is_some_and(|byte| byte.is_ascii_digit())
    };
    stat.lines().filter(|line| has_number(line)).fold(0.0, |count, _| count + 1.0)
}

impl Check for Cpu {
    fn name(&self) -> &str {
        "cpu"
    }

    /// The files are the kernel's memory: reading them waits for no device.
    fn check(&self) -> CheckFuture<'_> {
        Box::pin(async { self.look() })
    }
}
