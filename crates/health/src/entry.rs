//! A check, and how it is run.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport};

use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// What tokio's timers tell apart; less would be stale before the next look.
const SHORTEST: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A name becomes a label and a column.
const LONGEST_NAME: usize = 64;

/// A check in the registry: whether the service can do without it, and how it is looked at.
///
/// | | default |
/// |---|---|
/// | [`interval`](Self::interval) | 10 s, a tenth more or less at random |
/// | [`timeout`](Self::timeout) | 2 s |
/// | [`fall`](Self::fall) | 2 failures in a row |
/// | [`rise`](Self::rise) | 1 pass |
///
/// ```
/// use buttress_core::source::CheckReport;
/// use buttress_health::{Entry, FnCheck};
/// use std::time::Duration;
///
/// let check = FnCheck::new("queue", || async { Ok(CheckReport::ok()) });
/// let entry = Entry::critical(check)
///     .interval(Duration::from_secs(5))?
///     .timeout(Duration::from_secs(1))?
///     .fall(3)?;
/// # let _ = entry;
/// # Ok::<(), buttress_health::ConfigError>(())
/// ```
#[must_use]
pub struct Entry {
    pub(crate) check: Arc<dyn Check>,
    pub(crate) critical: bool,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) fall: u32,
    pub(crate) rise: u32,
}

impl Entry {
    /// The service cannot work without it: while it is down, `/ready` and `/health` are 503.
    pub fn critical(check: impl Check + 'static) -> Self {
        Self::new(Arc::new(check), true)
    }

    /// The service can do without it: it makes the whole degraded at most.
    pub fn optional(check: impl Check + 'static) -> Self {
        Self::new(Arc::new(check), false)
    }

    fn new(check: Arc<dyn Check>, critical: bool) -> Self {
        Self {
            check,
            critical,
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            fall: 2,
            rise: 1,
        }
    }

    /// The time between two looks.
    ///
    /// # Errors
    /// If it is less than a millisecond, or more than a day.
    pub fn interval(self, interval: Duration) -> Result<Self, ConfigError> {
        let interval = self.time("an interval", interval)?;
        Ok(Self { interval, ..self })
    }

    /// How long one look may take; then its future is dropped, and it has failed.
    ///
    /// # Errors
    /// If it is less than a millisecond, or more than a day.
    pub fn timeout(self, timeout: Duration) -> Result<Self, ConfigError> {
        let timeout = self.time("a timeout", timeout)?;
        Ok(Self { timeout, ..self })
    }

    /// Failures in a row after which it is down. One less, and it is degraded.
    ///
    /// # Errors
    /// If it is zero.
    pub fn fall(self, failures: u32) -> Result<Self, ConfigError> {
        let fall = self.count("fall", failures)?;
        Ok(Self { fall, ..self })
    }

    /// Passes in a row after which it is up again.
    ///
    /// # Errors
    /// If it is zero.
    pub fn rise(self, passes: u32) -> Result<Self, ConfigError> {
        let rise = self.count("rise", passes)?;
        Ok(Self { rise, ..self })
    }

    /// How old a result may become before nothing is known any more.
    pub(crate) fn max_age(&self) -> Duration {
        self.interval * 3 + self.timeout
    }

    fn time(&self, what: &str, time: Duration) -> Result<Duration, ConfigError> {
        if !(SHORTEST..=DAY).contains(&time) {
            let name = self.check.name();
            let message =
                format!("{name}: {what} is 1 ms at least and a day at most, not {time:?}");
            return Err(ConfigError::new(Kind::Time, message));
        }
        Ok(time)
    }

    fn count(&self, what: &str, count: u32) -> Result<u32, ConfigError> {
        if count == 0 {
            let message = format!("{}: {what} is at least 1", self.check.name());
            return Err(ConfigError::new(Kind::Count, message));
        }
        Ok(count)
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), ConfigError> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
        let message =
            format!("a name has 1 to {LONGEST_NAME} bytes and no control characters: {name:?}");
        return Err(ConfigError::new(Kind::Name, message));
    }
    Ok(())
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("check", &self.check.name())
            .field("critical", &self.critical)
            .field("interval", &self.interval)
            .field("timeout", &self.timeout)
            .field("fall", &self.fall)
            .field("rise", &self.rise)
            .finish()
    }
}

/// A function as a [`Check`].
///
/// ```
/// use buttress_core::source::{CheckError, CheckReport};
/// use buttress_health::{Entry, FnCheck};
///
/// # async fn connect() -> std::io::Result<()> { Ok(()) }
/// let check = FnCheck::new("smtp", || async {
///     connect().await.map_err(|error| CheckError::failed("no connection").because(error))?;
///     Ok(CheckReport::ok())
/// });
/// let entry = Entry::critical(check);
/// # let _ = entry;
/// ```
#[derive(Clone)]
pub struct FnCheck<F> {
    name: &'static str,
    function: F,
}

impl<F> FnCheck<F> {
    /// A check of this name.
    pub const fn new(name: &'static str, function: F) -> Self {
        Self { name, function }
    }
}

impl<F, Fut> Check for FnCheck<F>
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = Result<CheckReport, CheckError>> + Send,
{
    fn name(&self) -> &str {
        self.name
    }

    fn check(&self) -> CheckFuture<'_> {
        Box::pin(async move { (self.function)().await })
    }
}

impl<F> fmt::Debug for FnCheck<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnCheck").field("name", &self.name).field("function", &"<fn>").finish()
    }
}
