//! Which calls are looked at, and what they came to.

use std::time::Duration;

use crate::{
    clock::{Nanos, nanos},
    error::{ConfigError, ConfigErrorKind as Kind},
};

mod count;
mod row;
mod time;

/// The largest window of calls, 400 kB.
const MAX_COUNT: u32 = 100_000;
/// The most parts of a window of time.
const MAX_BUCKETS: u32 = 1_000;
/// The shortest part of a window of time: its numbers come again after 497 days.
const MIN_BUCKET: Duration = Duration::from_millis(10);
const MAX_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Which calls a circuit looks at.
///
/// ```
/// use buttress_breaker::Window;
/// use std::time::Duration;
///
/// let the_last_hundred = Window::count(100);
/// let the_last_half_minute = Window::time(Duration::from_secs(30)).buckets(10);
/// let five_failures_in_a_row = Window::consecutive(5);
/// # let _ = (the_last_hundred, the_last_half_minute, five_failures_in_a_row);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Window(Kept);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Count(u32),
    Time(Duration, u32),
    Consecutive(u32),
}

impl Window {
    /// The last so many calls, 1 to 100,000. It slides: a hundred thousand good calls weigh no more
    /// than those among the last so many.
    pub const fn count(calls: u32) -> Self {
        Self(Kept::Count(calls))
    }

    /// The calls of the last so long, up to a day, in ten [`buckets`](Self::buckets). They begin
    /// when the circuit is made, and the last one is not over: with ten buckets, the window is
    /// never shorter than nine tenths of the time.
    ///
    /// The clock is read once for each call.
    pub const fn time(time: Duration) -> Self {
        Self(Kept::Time(time, 10))
    }

    /// In how many parts a window of time slides: 2 to 1,000, of at least 10 ms each.
    pub const fn buckets(self, buckets: u32) -> Self {
        match self.0 {
            Kept::Time(time, _) => Self(Kept::Time(time, buckets)),
            _ => self,
        }
    }

    /// Opens after so many failures with no success between them.
    pub const fn consecutive(failures: u32) -> Self {
        Self(Kept::Consecutive(failures))
    }

    pub(crate) fn check(self) -> Result<(), ConfigError> {
        let message = match self.0 {
            Kept::Count(1..=MAX_COUNT) => return Ok(()),
            Kept::Count(calls) => {
                format!("a window of {calls} calls: there must be from 1 to {MAX_COUNT}")
            }
            Kept::Consecutive(1..) => return Ok(()),
            Kept::Consecutive(_) => "no failure in a row is enough to open".to_owned(),
            Kept::Time(_, buckets) if !(2..=MAX_BUCKETS).contains(&buckets) => {
                format!("{buckets} buckets: there must be from 2 to {MAX_BUCKETS}")
            }
            Kept::Time(time, _) if time > MAX_TIME => {
                format!("a window of {time:?} is longer than a day")
            }
            Kept::Time(time, buckets) if time / buckets < MIN_BUCKET => {
                format!("a bucket of {:?} is shorter than {MIN_BUCKET:?}", time / buckets)
            }
            Kept::Time(..) => return Ok(()),
        };
        Err(ConfigError::new(Kind::Window, message))
    }

    pub(crate) const fn size(self) -> Option<u32> {
        match self.0 {
            Kept::Count(calls) => Some(calls),
            _ => None,
        }
    }

    pub(crate) const fn in_a_row(self) -> Option<u32> {
        match self.0 {
            Kept::Consecutive(failures) => Some(failures),
            _ => None,
        }
    }
}

/// How a call ended that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

impl Outcome {
    pub(crate) const FAILED: Self = Self { failed: true, slow: false };

    #[inline]
    pub(crate) const fn is_good(self) -> bool {
        !self.failed && !self.slow
    }
}

/// What a window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    pub(crate) slow: u64,
}

/// The results of a circuit, as its window keeps them.
#[derive(Debug)]
pub(crate) enum Record {
    Count(count::Ring),
    Time(time::Buckets),
    Row(row::Row),
}

impl Record {
    pub(crate) fn new(window: Window) -> Self {
        match window.0 {
            Kept::Count(calls) => Self::Count(count::Ring::new(calls)),
            Kept::Time(time, buckets) => Self::Time(time::Buckets::new(nanos(time), buckets)),
            Kept::Consecutive(_) => Self::Row(row::Row::default()),
        }
    }

    /// Adds a good result. Where it may change what is thought of the window, that is told.
    #[inline]
    pub(crate) fn add_good(&self, now: impl FnOnce() -> Nanos) -> Option<Totals> {
        match self {
            Self::Count(ring) => ring.add_good(),
            Self::Time(buckets) => buckets.add_good(now()),
            Self::Row(row) => row.add_good(),
        }
    }

    /// Adds a result, as the other does.
    pub(crate) fn add(&self, outcome: Outcome, now: impl FnOnce() -> Nanos) -> Option<Totals> {
        if outcome.is_good() {
            return self.add_good(now);
        }
        match self {
            Self::Count(ring) => ring.add(outcome),
            Self::Time(buckets) => buckets.add(outcome, now()),
            Self::Row(row) => row.add(),
        }
    }

    pub(crate) fn totals(&self, now: Nanos) -> Totals {
        match self {
            Self::Count(ring) => ring.totals(),
            Self::Time(buckets) => buckets.totals(now),
            Self::Row(row) => row.totals(),
        }
    }

    /// Forgets all that it holds.
    pub(crate) fn reset(&self) {
        match self {
            Self::Count(ring) => ring.reset(),
            Self::Time(buckets) => buckets.reset(),
            Self::Row(row) => row.reset(),
        }
    }

    /// How many results it was ever given.
    pub(crate) fn ever(&self) -> u64 {
        match self {
            Self::Count(ring) => ring.ever(),
            Self::Time(buckets) => buckets.ever(),
            Self::Row(row) => row.ever(),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
