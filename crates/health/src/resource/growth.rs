//! A warning of leaks.

mod trend;

use std::{
    fmt, io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use buttress_core::{
    source::{Check, CheckError, CheckFuture, CheckReport},
    value::Value,
};
use tokio::time::Instant;

use self::trend::Trend;
use super::memory::Memory;
use crate::error::{ConfigError, ConfigErrorKind as Kind};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Something that grows and grows: degraded while, over a whole window, it rose steadily and by a
/// tenth or more of what it was. It never fails: it says that something will, in time to look for
/// the leak while the service still works.
///
/// | | default |
/// |---|---|
/// | [`window`](Self::window) | 1 h; nothing is said before it has passed once |
/// | [`share`](Self::share) | 0.1 in each window |
///
/// The window is cut into 30 parts, and the lowest value of each counts: what is left at the
/// quietest moment is what leaks, and a busy minute is none. Of all pairs of parts nine in ten
/// must rise (Kendall's tau), so that a jump, or a cache that is filled and stays full, is no leak;
/// by how much is the median of their slopes (Theil–Sen). In the data: `used`, `perHour`, `share`
/// in a window, and, where there is a limit, `fullInSeconds` at this rate.
///
/// ```
/// use buttress_health::{Entry, Growth};
/// use std::time::Duration;
///
/// let memory = Growth::of_memory();
/// let tasks = Growth::of("tasks", || Ok(tokio_tasks()))
///     .window(Duration::from_secs(15 * 60))?
///     .share(0.5)?;
/// # fn tokio_tasks() -> u64 { 1 }
/// # let _ = [Entry::optional(memory), Entry::optional(tasks)];
/// # Ok::<(), buttress_health::ConfigError>(())
/// ```
#[must_use]
pub struct Growth {
    name: &'static str,
    read: Box<Read>,
    window: Duration,
    share: f64,
    start: Instant,
    trend: Mutex<Trend>,
}

/// The present value, and its limit if there is one.
type Read = dyn Fn() -> io::Result<(u64, Option<u64>)> + Send + Sync;

impl Growth {
    /// Of [`Memory`]'s working set, as `memory_growth`.
    pub fn of_memory() -> Self {
        let memory = Memory::new();
        Self::made("memory_growth", move || memory.usage().map(|usage| (usage.used, usage.limit)))
    }

    /// Of any number: open files, tasks, entries of a map. It is read in each look, and must not
    /// block.
    pub fn of(
        name: &'static str,
        read: impl Fn() -> io::Result<u64> + Send + Sync + 'static,
    ) -> Self {
        Self::made(name, move || Ok((read()?, None)))
    }

    fn made(
        name: &'static str,
        read: impl Fn() -> io::Result<(u64, Option<u64>)> + Send + Sync + 'static,
    ) -> Self {
        let trend = Mutex::new(Trend::new(HOUR));
        Self { name, read: Box::new(read), window: HOUR, share: 0.1, start: Instant::now(), trend }
    }

    /// How long it has to grow before that is a leak: longer than what comes and goes by itself.
    /// Nothing is said while less than half of its 30 parts were looked at, so the check's interval
    /// should be a thirtieth of it at most.
    ///
    /// # Errors
    /// If it is less than a minute, or more than a day.
    pub fn window(self, window: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_secs(60)..=DAY).contains(&window) {
            let name = self.name;
            let message =
                format!("{name}: a window is a minute at least and a day at most, not {window:?}");
            return Err(ConfigError::new(Kind::Time, message));
        }
        Ok(Self { window, trend: Mutex::new(Trend::new(window)), ..self })
    }

    /// How much of what it was at the window's beginning it has to grow: 1 is to double.
    ///
    /// # Errors
    /// If it is not above 0, or is no number.
    pub fn share(self, share: f64) -> Result<Self, ConfigError> {
        if !(share > 0.0 && share.is_finite()) {
            let message = format!("{}: a share is above 0, not {share}", self.name);
            return Err(ConfigError::new(Kind::Share, message));
        }
        Ok(Self { share, ..self })
    }

    fn look(&self) -> Result<CheckReport, CheckError> {
        let (used, limit) =
            (self.read)().map_err(|error| CheckError::degraded("unreadable").because(error))?;
        let growth = {
            let mut trend = self.trend.lock().unwrap_or_else(PoisonError::into_inner);
            trend.record(self.start.elapsed(), used);
            trend.growth()
        };
        let hours = self.window.as_secs_f64() / HOUR.as_secs_f64();
        let per_hour = growth.map(|growth| growth.by / hours);
        let share = growth.map(trend::Growth::share);
        let full_in = limit.zip(per_hour).and_then(|(limit, per_hour)| {
            let left = trend::float(limit.saturating_sub(used));
            (per_hour > 0.0).then(|| (left / per_hour * HOUR.as_secs_f64()).round())
        });
        let data: [(&str, Value); 4] = [
            ("used", used.into()),
            ("perHour", per_hour.map(f64::round).into()),
            ("share", share.into()),
            ("fullInSeconds", full_in.into()),
        ];
        if growth.is_some_and(|growth| growth.is_steady && growth.share() >= self.share) {
            let error = CheckError::degraded("growing");
            return Err(data
                .into_iter()
                .fold(error, |error, (name, value)| error.with(name, value)));
        }
        let report = CheckReport::ok();
        Ok(data.into_iter().fold(report, |report, (name, value)| report.with(name, value)))
    }
}

impl Check for Growth {
    fn name(&self) -> &str {
        self.name
    }

    fn check(&self) -> CheckFuture<'_> {
        Box::pin(async { self.look() })
    }
}

impl fmt::Debug for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Growth")
            .field("name", &self.name)
            .field("window", &self.window)
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}
