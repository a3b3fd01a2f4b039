//! When a circuit opens, and how it closes again.

use std::time::Duration;

use crate::{
    clock::{Nanos, nanos},
    error::{ConfigError, ConfigErrorKind as Kind},
    window::{Totals, Window},
};

mod steps;

pub use self::steps::{OpenFor, Probes, Ramp};

const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// When a circuit opens, for how long, and how it closes again.
///
/// It is checked when a [`Circuit`](crate::Circuit) or a [`BreakerLayer`](crate::BreakerLayer) is
/// made of it. The defaults are those of this example, without slow calls and ramp:
///
/// ```
/// use buttress_breaker::{Circuit, OpenFor, Policy, Probes, Ramp, Window};
/// use std::time::Duration;
///
/// let secs = Duration::from_secs;
/// let policy = Policy::new()
///     .window(Window::count(100))
///     .min_calls(20)
///     .failure_rate(0.5)
///     .slow_calls(secs(2), 0.5)
///     .open(OpenFor::exponential(secs(5), secs(120)).jitter(0.1))
///     .half_open(Probes::new(3).lease(secs(30)))
///     .ramp(Ramp::linear(secs(10)));
/// let circuit = Circuit::new("payments", policy)?;
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Policy {
    pub(crate) window: Window,
    min_calls: u32,
    failure_rate: f64,
    slow: Option<(Duration, f64)>,
    open: OpenFor,
    probes: Probes,
    ramp: Ramp,
}

impl Policy {
    /// The defaults: half of the last hundred calls, and at least twenty.
    pub const fn new() -> Self {
        Self {
            window: Window::count(100),
            min_calls: 20,
            failure_rate: 0.5,
            slow: None,
            open: OpenFor::exponential(Duration::from_secs(5), Duration::from_secs(120))
                .jitter(0.1),
            probes: Probes::new(3),
            ramp: Ramp::none(),
        }
    }

    /// Which calls are looked at.
    pub const fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// How many calls must be in the window before it is judged; the default is 20. A window of
    /// fewer calls is judged when it is full. Of no meaning for [`Window::consecutive`].
    pub const fn min_calls(mut self, min_calls: u32) -> Self {
        self.min_calls = min_calls;
        self
    }

    /// Opens where this share of the window's calls failed, or more; the default is 0.5. Of no
    /// meaning for [`Window::consecutive`].
    pub const fn failure_rate(mut self, share: f64) -> Self {
        self.failure_rate = share;
        self
    }

    /// Opens, too, where this share of the calls took so long or longer. With it a call that is
    /// dropped after that time is a slow one: a backend that hangs behind a caller's own timeout.
    /// A slow probe is a failed one, and so is a slow call in a [`Window::consecutive`].
    ///
    /// The clock is read at the beginning and at the end of each call for it.
    pub const fn slow_calls(mut self, threshold: Duration, share: f64) -> Self {
        self.slow = Some((threshold, share));
        self
    }

    /// How long it stays open.
    pub const fn open(mut self, open: OpenFor) -> Self {
        self.open = open;
        self
    }

    /// How it finds out whether to close.
    pub const fn half_open(mut self, probes: Probes) -> Self {
        self.probes = probes;
        self
    }

    /// Lets a growing share of the calls pass after it has closed; the default is all of them.
    pub const fn ramp(mut self, ramp: Ramp) -> Self {
        self.ramp = ramp;
        self
    }

    /// The same in integers, if it can be right.
    pub(crate) fn rules(&self) -> Result<Rules, ConfigError> {
        self.window.check()?;
        if self.min_calls == 0 {
            return Err(ConfigError::new(Kind::MinCalls, "no call is enough to judge by"));
        }
        let slow = match self.slow {
            None => None,
            Some((threshold, share)) => {
                let threshold = time("the time of a slow call", threshold)?;
                Some((threshold, millionths("slow call rate", share)?))
            }
        };
        let min_calls = u64::from(self.min_calls.min(self.window.size().unwrap_or(u32::MAX)));
        Ok(Rules {
            in_a_row: self.window.in_a_row().map(u64::from),
            min_calls,
            failures: millionths("failure rate", self.failure_rate)?,
            slow,
            open: self.open.check()?,
            probes: self.probes.check()?,
            ramp: self.ramp.check()?,
        })
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

/// A [`Policy`] that was checked, in integers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    in_a_row: Option<u64>,
    min_calls: u64,
    failures: u64,
    slow: Option<(Nanos, u64)>,
    pub(crate) open: steps::Open,
    pub(crate) probes: steps::Leases,
    pub(crate) ramp: Option<Nanos>,
}

const MILLION: u64 = 1_000_000;

impl Rules {
    /// From when on a call is slow.
    #[inline]
    pub(crate) const fn slow_after(&self) -> Option<Nanos> {
        match self.slow {
            Some((after, _)) => Some(after),
            None => None,
        }
    }

    /// Whether a window that holds these is to open the circuit.
    pub(crate) const fn are_broken_by(&self, totals: Totals) -> bool {
        if let Some(in_a_row) = self.in_a_row {
            return totals.failures >= in_a_row;
        }
        if totals.calls < self.min_calls {
            return false;
        }
        let failed = totals.failures * MILLION >= self.failures * totals.calls;
        let slow = match self.slow {
            Some((_, share)) => totals.slow * MILLION >= share * totals.calls,
            None => false,
        };
        failed || slow
    }
}

/// A share in millionths, rounded down: a third of three calls is one.
fn millionths(what: &str, share: f64) -> Result<u64, ConfigError> {
    if !(share > 0.0 && share <= 1.0) {
        let message = format!("a {what} of {share} is none: it is a share, 0.5 for half");
        return Err(ConfigError::new(Kind::Rate, message));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to a million"
    )]
    let millionths = (share * 1e6 + 1e-6) as u64;
    Ok(millionths.max(1))
}

pub(crate) fn time(what: &str, time: Duration) -> Result<Nanos, ConfigError> {
    if time < Duration::from_millis(1) || time > YEAR {
        let message = format!("{what} must be from 1ms to 366 days, and {time:?} is not");
        return Err(ConfigError::new(Kind::Time, message));
    }
    Ok(nanos(time))
}
