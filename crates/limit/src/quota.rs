//! How many in how long.

use std::{fmt, time::Duration};

use crate::error::{ConfigError, ConfigErrorKind as Kind};

mod parse;

/// The shortest period.
const MIN_PERIOD: Duration = Duration::from_millis(1);
/// The longest period: a leap year.
const MAX_PERIOD: Duration = days(366);
/// The most requests: the largest integer that a structured field can tell (RFC 9651 §3.3.1).
const MAX_REQUESTS: u64 = 999_999_999_999_999;
/// The largest burst: a cell keeps time in 2³²ths of what a full burst takes to come back.
pub(crate) const MAX_BURST: u64 = 1 << 32;
/// The longest time in which a full burst comes back. Sixteen times as much, the largest debt
/// there is, is still counted in nanoseconds.
const MAX_RESET: Duration = days(3_653);

/// So many seconds.
#[must_use]
pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// So many minutes.
///
/// ```
/// assert_eq!(buttress_limit::minutes(15), std::time::Duration::from_secs(900));
/// ```
#[must_use]
pub const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(60))
}

/// So many hours.
#[must_use]
pub const fn hours(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(3_600))
}

/// So many days of 24 hours.
#[must_use]
pub const fn days(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(86_400))
}

/// Begins a [`Quota`]: `requests(100).per(minutes(15))`.
pub const fn requests(n: u64) -> Requests {
    Requests(n)
}

/// A number of requests, of which the period is yet to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Requests(u64);

impl Requests {
    /// In this time: 1 ms to 366 days.
    pub const fn per(self, period: Duration) -> Quota {
        Quota { requests: self.0, refill: self.0, period, burst: self.0, burst_given: false }
    }
}

/// So many requests in such a time.
///
/// It is kept by the generic cell rate algorithm: a client has `burst` units, each request takes
/// one (or its cost), and one comes back each `period / requests`. There is no edge of a window at
/// which everyone may come at once. Note what that admits: a client that has its burst left and
/// uses all that comes back gets up to `burst + requests - 1` through in one period, 199 for
/// 100 per 15 minutes. [`strict`](Self::strict) never lets a period see more than `requests`.
///
/// The arithmetic is in integers and exact: the time between two units is a fraction, and not cut
/// to nanoseconds. The clock is read to two microseconds or better (or to a 2³²th of the time in
/// which a full burst comes back, whichever is longer).
///
/// ```
/// use buttress_limit::{Quota, minutes, requests, seconds};
///
/// let general = requests(100).per(minutes(15));
/// assert_eq!("100/15m".parse::<Quota>()?, general);
/// assert_eq!(general.to_string(), "100/15m");
///
/// let steady = requests(100).per(minutes(15)).burst(10);
/// assert_eq!(steady.limit(), 10);
/// # Ok::<(), buttress_limit::ConfigError>(())
/// ```
///
/// What cannot be right (0 requests, a period of 0) is refused where a quota is put to use: by
/// [`Rule::new`](crate::Rule::new) and when it is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct Quota {
    requests: u64,
    /// How many units come back in a period; fewer than `requests` where it is strict.
    refill: u64,
    period: Duration,
    burst: u64,
    burst_given: bool,
}

impl Quota {
    /// How many may come at once: 1 to 2³². The default is as many as the period has requests.
    pub const fn burst(mut self, burst: u64) -> Self {
        self.burst = burst;
        self.burst_given = true;
        self
    }

    /// Lets no window of the period's length, wherever it begins, see more than `requests`: half
    /// of them may come at once, and the other half comes back over the period.
    ///
    /// A quota of one request is strict as it is. A burst that is set after this must leave that
    /// true: with what comes back in a period, no more than `requests`.
    ///
    /// ```
    /// use buttress_limit::{minutes, requests};
    ///
    /// let quota = requests(100).per(minutes(15)).strict();
    /// assert_eq!(quota.limit(), 50);
    /// ```
    pub const fn strict(mut self) -> Self {
        let burst = self.requests.div_ceil(2);
        if self.requests > 1 {
            self.refill = self.requests - burst;
            self.burst = burst;
        }
        self
    }

    /// In windows of the period's length, of which each begins with a client's first request.
    pub const fn fixed_window(self) -> FixedWindow {
        FixedWindow(self)
    }

    /// In windows of the period's length, of which the last one counts as far as it reaches into
    /// the period before now.
    pub const fn sliding_counter(self) -> SlidingCounter {
        SlidingCounter(self)
    }

    /// How many requests a period allows.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// How many units come back in a period: [`requests`](Self::requests), and less where the
    /// quota is [`strict`](Self::strict).
    #[must_use]
    pub const fn refill(&self) -> u64 {
        self.refill
    }

    /// The period.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// How many may come at once.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.burst
    }

    /// So many times as much in the same period.
    const fn times(mut self, times: u64) -> Self {
        self.requests = self.requests.saturating_mul(times);
        self.refill = self.refill.saturating_mul(times);
        self.burst = self.burst.saturating_mul(times);
        self
    }

    /// How long it takes until all of the burst is back.
    pub(crate) fn reset_nanos(&self) -> u128 {
        (u128::from(self.burst) * self.period.as_nanos()).div_ceil(u128::from(self.refill.max(1)))
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.requests == 0 {
            return Err(ConfigError::new(Kind::Requests, "the quota must be at least 1 request"));
        }
        if self.period < MIN_PERIOD {
            return Err(ConfigError::new(Kind::Period, "the period must be at least 1ms"));
        }
        if self.period > MAX_PERIOD {
            return Err(ConfigError::new(Kind::Period, "the period must be at most 366d"));
        }
        if u128::from(self.requests) > self.period.as_nanos() {
            return Err(ConfigError::new(
                Kind::Requests,
                "the quota is more than one request a ns",
            ));
        }
        if self.requests > MAX_REQUESTS {
            let message = format!("the quota must be at most {MAX_REQUESTS} requests");
            return Err(ConfigError::new(Kind::Requests, message));
        }
        if self.burst == 0 {
            return Err(ConfigError::new(Kind::Burst, "the burst must be at least 1"));
        }
        let is_strict = self.refill < self.requests;
        if is_strict && self.burst.saturating_add(self.refill) > self.requests {
            let message = "a strict quota's burst and refill must be no more than its requests";
            return Err(ConfigError::new(Kind::Burst, message));
        }
        if self.burst > MAX_BURST {
            let message = format!("the burst must be at most {MAX_BURST}");
            return Err(ConfigError::new(Kind::Burst, message));
        }
        if self.reset_nanos() > MAX_RESET.as_nanos() {
            let message = "the burst would take longer than 10 years to come back";
            return Err(ConfigError::new(Kind::Overflow, message));
        }
        Ok(())
    }

    /// For a window, which holds at most so many.
    fn check_window(&self, most: u64) -> Result<(), ConfigError> {
        if self.burst_given || self.refill != self.requests {
            return Err(ConfigError::new(Kind::Burst, "a window has no burst: leave it out"));
        }
        self.check()?;
        if self.requests > most {
            let message = format!("such a window counts to {most}");
            return Err(ConfigError::new(Kind::Requests, message));
        }
        Ok(())
    }
}

/// `N/period`, and the burst where one was given.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requests, parse::Period(self.period))?;
        if self.refill != self.requests {
            return f.write_str(" strict");
        }
        if self.burst_given {
            write!(f, " burst {}", self.burst)?;
        }
        Ok(())
    }
}

/// A quota that is counted in windows, each beginning with a client's first request.
///
/// Simple to explain, and what most say that they do. It admits up to twice the quota around the
/// end of a window, and everybody who waited comes at its end: prefer the [`Quota`] itself.
/// It counts to 1,048,575.
///
/// ```
/// use buttress_limit::{Rule, hours, requests};
///
/// let rule = Rule::new("exports", requests(5).per(hours(1)).fixed_window())?;
/// # Ok::<(), buttress_limit::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct FixedWindow(Quota);

/// A quota that is counted in two windows, of which the last one fades.
///
/// The last window's count is weighted by how much of it lies in the period before now. Close to
/// an exact count over any period where clients come evenly. It counts to 16,383.
///
/// ```
/// use buttress_limit::{Rule, minutes, requests};
///
/// let rule = Rule::new("search", requests(30).per(minutes(1)).sliding_counter())?;
/// # Ok::<(), buttress_limit::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct SlidingCounter(Quota);

/// How a [`Rule`](crate::Rule) counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// The generic cell rate algorithm.
    Gcra(Quota),
    /// Windows that begin with the first request.
    FixedWindow(FixedWindow),
    /// Two windows, of which the last one fades.
    SlidingCounter(SlidingCounter),
}

impl Algorithm {
    /// The numbers.
    pub const fn quota(&self) -> &Quota {
        match self {
            Self::Gcra(quota)
            | Self::FixedWindow(FixedWindow(quota))
            | Self::SlidingCounter(SlidingCounter(quota)) => quota,
        }
    }

    /// So many times as much in the same period.
    pub(crate) const fn times(&self, times: u64) -> Self {
        match self {
            Self::Gcra(quota) => Self::Gcra(quota.times(times)),
            Self::FixedWindow(FixedWindow(quota)) => {
                Self::FixedWindow(FixedWindow(quota.times(times)))
            }
            Self::SlidingCounter(SlidingCounter(quota)) => {
                Self::SlidingCounter(SlidingCounter(quota.times(times)))
            }
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Gcra(quota) => quota.check(),
            Self::FixedWindow(FixedWindow(quota)) => quota.check_window((1 << 20) - 1),
            Self::SlidingCounter(SlidingCounter(quota)) => quota.check_window((1 << 14) - 1),
        }
    }
}

impl From<Quota> for Algorithm {
    fn from(quota: Quota) -> Self {
        Self::Gcra(quota)
    }
}

impl From<FixedWindow> for Algorithm {
    fn from(window: FixedWindow) -> Self {
        Self::FixedWindow(window)
    }
}

impl From<SlidingCounter> for Algorithm {
    fn from(counter: SlidingCounter) -> Self {
        Self::SlidingCounter(counter)
    }
}
