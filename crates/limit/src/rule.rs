//! A quota with a name.

use std::{borrow::Cow, fmt};

use crate::{
    error::{ConfigError, ConfigErrorKind as Kind},
    meter::Meter,
    quota::{Algorithm, Quota, minutes, requests, seconds},
};

/// The longest name, in bytes.
const MAX_NAME: usize = 64;

/// A named quota, and what is counted against it.
///
/// The name stands in the `RateLimit` headers, in problem documents and on metrics.
///
/// ```
/// use buttress_limit::{Rule, hours, requests};
///
/// let rule = Rule::new("exports", requests(20).per(hours(1)))?.cost(5)?;
/// assert_eq!(rule.to_string(), "exports 20/1h cost 5");
///
/// let error = Rule::new("exports", requests(0).per(hours(1))).unwrap_err();
/// assert_eq!(error.to_string(), "exports: the quota must be at least 1 request");
/// # Ok::<(), buttress_limit::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Rule {
    name: Cow<'static, str>,
    algorithm: Algorithm,
    pub(crate) meter: Meter,
    pub(crate) cost: u64,
    pub(crate) failures_only: bool,
    pub(crate) shadow: bool,
}

impl Rule {
    /// Counts every request against this quota.
    ///
    /// # Errors
    /// When the quota cannot be kept (0 requests, a period of less than 1 ms, an overflow), or the
    /// name is not 1 to 64 ASCII letters, digits and `_` `-` `.` `:` `/`.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        algorithm: impl Into<Algorithm>,
    ) -> Result<Self, ConfigError> {
        let (name, algorithm) = (name.into(), algorithm.into());
        check_name(&name)?;
        algorithm.check().map_err(|error| error.about(&name))?;
        Ok(Self::right(name, algorithm))
    }

    /// 100 in 15 minutes: for a whole service.
    pub fn general() -> Self {
        Self::right("general".into(), requests(100).per(minutes(15)).into())
    }

    /// 20 in 15 minutes: for what is dear or dangerous.
    pub fn strict() -> Self {
        Self::right("strict".into(), requests(20).per(minutes(15)).into())
    }

    /// 5 failures in 15 minutes: for signing in. See [`failures_only`](Self::failures_only).
    pub fn auth() -> Self {
        Self::right("auth".into(), requests(5).per(minutes(15)).into()).failures_only()
    }

    /// 10 in a second: beside a longer quota, against bursts.
    pub fn burst() -> Self {
        Self::right("burst".into(), requests(10).per(seconds(1)).into())
    }

    fn right(name: Cow<'static, str>, algorithm: Algorithm) -> Self {
        let meter = Meter::new(&algorithm);
        Self { name, algorithm, meter, cost: 1, failures_only: false, shadow: false }
    }

    /// How many units a request costs; the default is 1. It multiplies with a layer's own
    /// [cost by request](crate::LimitLayer::cost).
    ///
    /// # Errors
    /// When it is 0 or more than the burst: no request could ever pass.
    pub fn cost(mut self, cost: u64) -> Result<Self, ConfigError> {
        let limit = self.meter.limit();
        if cost == 0 {
            let message = format!("{}: the cost must be at least 1", self.name);
            return Err(ConfigError::new(Kind::Cost, message));
        }
        if cost > limit {
            let message = format!(
                "{}: the cost of {cost} is more than the burst of {limit}: no request could pass",
                self.name
            );
            return Err(ConfigError::new(Kind::Cost, message));
        }
        self.cost = cost;
        Ok(self)
    }

    /// Counts only requests that fail; those that succeed get their charge back with the answer.
    ///
    /// The charge comes first, so that guesses sent at the same time cannot all pass before the
    /// first has failed. A call that is dropped, because its client left or a timeout fired, stays
    /// charged. What is a failure is the layer's to say
    /// ([`LimitLayer::failure`](crate::LimitLayer::failure)).
    pub const fn failures_only(mut self) -> Self {
        self.failures_only = true;
        self
    }

    /// Decides and counts, but never refuses: to try a rule out.
    pub const fn shadow(mut self) -> Self {
        self.shadow = true;
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name, to be kept: most are constants, and need no copy.
    pub(crate) fn label(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    /// The numbers.
    pub const fn quota(&self) -> &Quota {
        self.algorithm.quota()
    }

    /// How it counts.
    #[must_use]
    pub const fn algorithm(&self) -> &Algorithm {
        &self.algorithm
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.quota())?;
        match self.algorithm {
            Algorithm::Gcra(_) => {}
            Algorithm::FixedWindow(_) => f.write_str(" fixed window")?,
            Algorithm::SlidingCounter(_) => f.write_str(" sliding")?,
        }
        if self.cost > 1 {
            write!(f, " cost {}", self.cost)?;
        }
        if self.failures_only {
            f.write_str(" failures only")?;
        }
        if self.shadow {
            f.write_str(" shadow")?;
        }
        Ok(())
    }
}

/// What can stand in a structured field's string, a metric's label and a key, as it is.
pub(crate) fn check_name(name: &str) -> Result<(), ConfigError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte);
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    let message = format!("{name:?}: a name is 1 to 64 ASCII letters, digits and _ - . : /");
    Err(ConfigError::new(Kind::Name, message))
}
