//! The way from open to closed: how long, by which probes, how fast.

use std::time::Duration;

use super::time;
use crate::{
    clock::Nanos,
    error::{ConfigError, ConfigErrorKind as Kind},
};

/// How long a circuit stays open.
///
/// It grows with each opening, and forgives: whenever the circuit has stayed closed for as long as
/// it was open last, it takes one step back.
///
/// ```
/// use buttress_breaker::OpenFor;
/// use std::time::Duration;
///
/// // 5 s, 10 s, 20 s, 40 s, 80 s, 120 s, 120 s; each up to a tenth shorter.
/// let open = OpenFor::exponential(Duration::from_secs(5), Duration::from_secs(120)).jitter(0.1);
/// # let _ = open;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct OpenFor {
    first: Duration,
    max: Duration,
    jitter: f64,
}

impl OpenFor {
    /// So long the first time, twice as long each time that follows, never longer than the maximum.
    pub const fn exponential(first: Duration, max: Duration) -> Self {
        Self { first, max, jitter: 0.0 }
    }

    /// Always so long.
    pub const fn constant(time: Duration) -> Self {
        Self::exponential(time, time)
    }

    /// Takes off a random part, up to this share, so that many nodes do not come back at once.
    pub const fn jitter(mut self, share: f64) -> Self {
        self.jitter = share;
        self
    }

    pub(super) fn check(&self) -> Result<Open, ConfigError> {
        let first = time("the open time", self.first)?;
        let max = time("the longest open time", self.max)?;
        if first > max {
            let message =
                format!("open for {:?} is longer than the longest, {:?}", self.first, self.max);
            return Err(ConfigError::new(Kind::Time, message));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            let message = format!("a jitter of {} is none: it is a share, 0.1 say", self.jitter);
            return Err(ConfigError::new(Kind::Jitter, message));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to a thousand"
        )]
        let jitter = (self.jitter * 1e3).round() as u64;
        Ok(Open { first, max, jitter })
    }
}

/// A checked [`OpenFor`], the jitter in thousandths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    first: Nanos,
    max: Nanos,
    jitter: u64,
}

impl Open {
    /// The time at this level, without jitter.
    fn at(&self, level: u32) -> Nanos {
        let factor = 1_u64.checked_shl(level).unwrap_or(u64::MAX);
        self.first.saturating_mul(factor).min(self.max)
    }

    /// Whether the next level's time is longer.
    pub(crate) fn grows_after(&self, level: u32) -> bool {
        self.at(level) < self.max
    }

    /// The time of an opening at this level.
    pub(crate) fn time(&self, level: u32, random: u64) -> Nanos {
        let time = self.at(level);
        let most = time / 1_000 * self.jitter;
        time - most.checked_add(1).map_or(0, |range| random % range)
    }
}

/// How a circuit finds out whether to close: a few calls are let through as probes.
///
/// As many good ones as there are probes close it, however far apart they come; one that fails, or
/// is slow by [`Policy::slow_calls`](crate::Policy::slow_calls), opens it again. A probe that is
/// dropped says nothing, and gives its place back.
///
/// ```
/// use buttress_breaker::Probes;
/// use std::time::Duration;
///
/// let probes = Probes::new(3).lease(Duration::from_secs(30));
/// # let _ = probes;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Probes {
    count: u32,
    lease: Duration,
}

impl Probes {
    /// At most so many under way at once, and so many good ones to close; 1 to 1,000. The default
    /// of a policy is 3.
    pub const fn new(count: u32) -> Self {
        Self { count, lease: Duration::from_secs(30) }
    }

    /// How long a probe may take; the default is 30 s. One that takes longer has failed. That is
    /// seen when it ends or when the next call comes, whichever is first: there is no timer.
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    pub(super) fn check(&self) -> Result<Leases, ConfigError> {
        if !(1..=1_000).contains(&self.count) {
            let message = format!("{} probes: there must be from 1 to 1000", self.count);
            return Err(ConfigError::new(Kind::Probes, message));
        }
        Ok(Leases { count: self.count as usize, time: time("a probe's lease", self.lease)? })
    }
}

/// Checked [`Probes`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leases {
    pub(crate) count: usize,
    pub(crate) time: Nanos,
}

/// How fast calls are let through again when the probes were good.
///
/// The share grows evenly from a tenth to all calls. Which ones pass is not left to chance: at a
/// share of a third, it is each third call. The calls are counted as in a closed circuit, and open
/// it again if they fail.
///
/// ```
/// use buttress_breaker::Ramp;
/// use std::time::Duration;
///
/// let ramp = Ramp::linear(Duration::from_secs(10));
/// # let _ = ramp;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Ramp(Option<Duration>);

impl Ramp {
    /// All calls pass at once: the default.
    pub const fn none() -> Self {
        Self(None)
    }

    /// All calls pass after this time.
    pub const fn linear(time: Duration) -> Self {
        Self(Some(time))
    }

    pub(super) fn check(self) -> Result<Option<Nanos>, ConfigError> {
        self.0.map(|ramp| time("the ramp", ramp)).transpose()
    }
}
