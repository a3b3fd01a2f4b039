//! Signs of life of a task in this process.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    entry::check_name,
    error::{ConfigError, ConfigErrorKind as Kind},
    log,
};

/// A task that shows that it goes on: silent for too long, it makes `/live` a 503, and the
/// platform starts the process anew.
///
/// It is for what only a restart mends: a loop that hangs. A dependency that is down is none of
/// this, and cannot be put here. While the service drains, silence is no fault.
///
/// ```
/// use buttress_health::Heartbeat;
/// use std::time::Duration;
///
/// let outbox = Heartbeat::new("outbox", Duration::from_secs(60))?;
/// // In the task's loop:
/// outbox.beat();
/// assert!(!outbox.is_silent());
/// # Ok::<(), buttress_health::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Heartbeat(Arc<Shared>);

struct Shared {
    name: String,
    max_silence: Duration,
    start: Instant,
    last_millis: AtomicU64,
    /// Whether it was told that it is silent.
    told: AtomicBool,
}

impl Heartbeat {
    /// A task that is silent for `max_silence` at most, from now on.
    ///
    /// # Errors
    /// If the time is nothing, or the name is empty, longer than 64 bytes or not to be printed.
    pub fn new(name: impl Into<String>, max_silence: Duration) -> Result<Self, ConfigError> {
        let name = name.into();
        check_name(&name)?;
        if max_silence.is_zero() {
            return Err(ConfigError::new(Kind::Time, format!("{name}: nobody is never silent")));
        }
        let (last_millis, told) = (AtomicU64::new(0), AtomicBool::new(false));
        Ok(Self(Arc::new(Shared { name, max_silence, start: Instant::now(), last_millis, told })))
    }

    /// It goes on.
    pub fn beat(&self) {
        let millis = u64::try_from(self.0.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last_millis.fetch_max(millis, Ordering::Release);
    }

    /// Whether the last beat is too long ago.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        let last = Duration::from_millis(self.0.last_millis.load(Ordering::Acquire));
        self.0.start.elapsed().saturating_sub(last) > self.0.max_silence
    }

    /// As [`is_silent`](Self::is_silent), and a line in the log for each change.
    pub(crate) fn look(&self) -> bool {
        let is_silent = self.is_silent();
        let was_told = &self.0.told;
        if was_told.load(Ordering::Relaxed) != is_silent
            && was_told.swap(is_silent, Ordering::Relaxed) != is_silent
        {
            let tell = if is_silent { log::silent } else { log::goes_on };
            tell(self.name());
        }
        is_silent
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat")
            .field("name", &self.0.name)
            .field("max_silence", &self.0.max_silence)
            .field("silent", &self.is_silent())
            .finish()
    }
}
