//! How long to wait before the next attempt.

use std::time::Duration;

use crate::{
    error::{ConfigError, ConfigErrorKind as Kind},
    random::Random,
};

#[cfg(feature = "backon")]
mod backon;
#[cfg(all(test, not(loom)))]
mod tests;
#[cfg(feature = "tower")]
pub(crate) mod tower;

const DEFAULT_FACTOR: f64 = 2.0;
const DEFAULT_MAX: Duration = Duration::from_secs(20);
/// What is added to nothing in a factor of 1: factors are counted in 2³²ths.
const ONE: u128 = 1 << 32;
/// Of decorrelated jitter: each delay is at most three times the one before.
const DECORRELATED_FACTOR: u64 = 3;

/// How the delays before the attempts grow, and how they are spread.
///
/// It is counted in whole nanoseconds, saturates instead of overflowing, and is capped after the
/// jitter: no delay is ever longer than [`max`](Self::max). [`delays`](Self::delays) gives them
/// one after the other.
///
/// ```
/// use buttress_retry::{Backoff, Jitter};
/// use std::time::Duration;
///
/// let ms = Duration::from_millis;
/// let backoff = Backoff::exponential(ms(50)).factor(2.0).max(ms(300)).jitter(Jitter::None);
/// let delays: Vec<_> = backoff.delays().take(5).collect();
/// assert_eq!(delays, [ms(50), ms(100), ms(200), ms(300), ms(300)]);
///
/// let spread = Backoff::exponential(ms(50)).seed(7);
/// assert!(spread.delays().take(3).eq(spread.delays().take(3)), "the same seed, the same delays");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Backoff {
    first: Duration,
    factor: f64,
    max: Duration,
    jitter: Jitter,
    seed: Option<u64>,
    retries: Option<u32>,
}

/// How delays are spread, so that those who failed together do not come back together.
///
/// The names are those of "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), which
/// finds that `Full` makes the least load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Jitter {
    /// Anything from nothing to the whole delay.
    #[default]
    Full,
    /// Half of the delay, and anything up to the other half.
    Equal,
    /// From the first delay to three times the one before; the factor has no part in it.
    Decorrelated,
    /// As it is: for tests, and for one client alone.
    None,
}

impl Backoff {
    /// Grows from `first`, twofold each time up to 20 s, with full jitter.
    pub const fn exponential(first: Duration) -> Self {
        Self {
            first,
            factor: DEFAULT_FACTOR,
            max: DEFAULT_MAX,
            jitter: Jitter::Full,
            seed: None,
            retries: None,
        }
    }

    /// The same delay each time, without jitter.
    pub const fn constant(delay: Duration) -> Self {
        let mut backoff = Self::exponential(delay).factor(1.0).max(delay);
        backoff.jitter = Jitter::None;
        backoff
    }

    /// By how much each delay is longer than the one before; the default is 2. Less than 1, or
    /// what is no number, is taken for 1, and refused by a layer.
    pub const fn factor(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// The longest delay, jitter included; the default is 20 s.
    pub const fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// How the delays are spread; the default is [`Jitter::Full`].
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Makes the jitter the same each time: for tests.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Ends after so many delays; without it, they never end.
    pub const fn max_retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// The delays, from the first on.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates, and makes 0 of what is no number"
    )]
    pub fn delays(&self) -> Delays {
        let max = nanos(self.max);
        let first = nanos(self.first).min(max);
        Delays {
            first,
            factor: ((self.factor * ONE as f64) as u128).max(ONE),
            max,
            jitter: self.jitter,
            random: self.seed.map_or_else(Random::fresh, Random::seeded),
            next: first,
            left: self.retries,
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.factor.is_nan() || self.factor < 1.0 {
            let message = format!("a factor of {} does not grow", self.factor);
            return Err(ConfigError::new(Kind::Backoff, message));
        }
        if self.max < self.first {
            let message = format!(
                "the longest delay, {:?}, is shorter than the first, {:?}",
                self.max, self.first
            );
            return Err(ConfigError::new(Kind::Backoff, message));
        }
        Ok(())
    }
}

impl IntoIterator for Backoff {
    type Item = Duration;
    type IntoIter = Delays;

    fn into_iter(self) -> Delays {
        self.delays()
    }
}

/// The delays of a [`Backoff`], one after the other.
#[derive(Clone, Debug)]
#[must_use = "iterators are lazy"]
pub struct Delays {
    first: u64,
    /// In 2³²ths.
    factor: u128,
    max: u64,
    jitter: Jitter,
    random: Random,
    /// Before the jitter; with [`Jitter::Decorrelated`] the delay before.
    next: u64,
    left: Option<u32>,
}

impl Delays {
    /// From the first delay on again; the jitter goes on.
    pub(crate) const fn restart(&mut self) {
        self.next = self.first;
    }
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        let base = self.next;
        let grown = u128::from(base).saturating_mul(self.factor) >> 32;
        self.next = u64::try_from(grown).unwrap_or(u64::MAX).min(self.max);
        let delay = match self.jitter {
            Jitter::None => base,
            Jitter::Full => self.random.between(0, base),
            Jitter::Equal => self.random.between(base / 2, base),
            Jitter::Decorrelated => {
                let longest = base.saturating_mul(DECORRELATED_FACTOR).min(self.max);
                self.next = self.random.between(self.first, longest);
                self.next
            }
        };
        Some(Duration::from_nanos(delay.min(self.max)))
    }
}

/// As many as there can be: 584 years.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
