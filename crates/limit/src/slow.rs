//! Waiting before a refusal: each further request a little longer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{
    error::{ConfigError, ConfigErrorKind as Kind},
    future::Later,
    shared::Pass,
};

/// How many may wait at once, where nothing else was said.
const MAX_WAITING: usize = 1_024;

/// Lets who comes too often wait before it is refused.
///
/// The request that is the `n`th over `after`, as the layer's rules count it, waits `n` times the
/// step, and never longer than the maximum. Whoever waits holds memory: at most
/// [`max_waiting`](Self::max_waiting) do at once, and those beyond are refused. A request that
/// waits holds no inner service; one whose client leaves is gone at once, and stays charged.
///
/// ```
/// use buttress_limit::{Key, LimitLayer, Rule, SlowDown, minutes, requests, seconds};
/// use std::time::Duration;
///
/// let slow = SlowDown::new(5, Duration::from_millis(500), seconds(20))?.max_waiting(100);
/// let rule = Rule::new("slow", requests(100).per(minutes(15)))?;
/// let layer = LimitLayer::new(Key::peer(), [rule])?.slow_down(slow);
/// # Ok::<(), buttress_limit::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct SlowDown {
    after: u64,
    step: Duration,
    max: Duration,
    max_waiting: usize,
}

impl SlowDown {
    /// After so many units in use, one step longer for each further one, up to the maximum.
    ///
    /// # Errors
    /// When the step is nothing, or longer than the maximum.
    pub fn new(after: u64, step: Duration, max: Duration) -> Result<Self, ConfigError> {
        if step.is_zero() {
            return Err(ConfigError::new(Kind::Delay, "the step must be longer than nothing"));
        }
        if step > max {
            let message = format!("the step of {step:?} is longer than the longest, {max:?}");
            return Err(ConfigError::new(Kind::Delay, message));
        }
        Ok(Self { after, step, max, max_waiting: MAX_WAITING })
    }

    /// How many may wait at once; the default is 1,024.
    pub const fn max_waiting(mut self, max_waiting: usize) -> Self {
        self.max_waiting = max_waiting;
        self
    }

    fn delay(&self, used: u64) -> Option<Duration> {
        let over = used.checked_sub(self.after).filter(|over| *over > 0)?;
        let times = u32::try_from(over).unwrap_or(u32::MAX);
        Some(self.step.saturating_mul(times).min(self.max))
    }
}

/// What a layer does about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slow {
    settings: Option<SlowDown>,
    waiting: Arc<AtomicUsize>,
}

/// Whether a request waits.
pub(crate) enum Wait {
    No(Pass),
    Yes(Later),
    /// Too many do.
    Full(Duration),
}

struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slow {
    pub(crate) fn new(settings: SlowDown) -> Self {
        Self { settings: Some(settings), waiting: Arc::default() }
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.settings.is_some()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn wait(&self, used: u64, pass: Pass) -> Wait {
        let Some(settings) = &self.settings else { return Wait::No(pass) };
        let Some(delay) = settings.delay(used) else { return Wait::No(pass) };
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(&self.waiting));
        if before >= settings.max_waiting {
            return Wait::Full(delay);
        }
        Wait::Yes(Box::pin(async move {
            tokio::time::sleep(delay).await;
            drop(place);
            Ok(pass)
        }))
    }
}
