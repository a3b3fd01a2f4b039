//! A limit that follows the time that calls take.

use std::sync::{
    Mutex,
    TryLockError::{Poisoned, WouldBlock},
};

use super::seats::Seats;
use crate::{
    bulkhead::count,
    clock::{Clock, Nanos},
    error::{ConfigError, ConfigErrorKind as Kind},
};

/// A limit that follows the time that calls take: it grows while they take as long as they always
/// have, and shrinks when they take longer, as what is behind them queues.
///
/// It is after Netflix' `Gradient2` (concurrency-limits 0.5): every 100 ms, and ten answers at
/// least, `limit × clamp(tolerance × long-term average ÷ present average, 0.5, 1) + √limit`, of
/// which the old value keeps four fifths. The long-term average follows the present one over five
/// minutes, however many calls there are: what stays slow for longer becomes the rule. The limit
/// does not grow while less than half of it is in use, and a call that has no answer says nothing.
///
/// ```
/// use buttress_breaker::{BulkheadLayer, Gradient};
///
/// let gradient = Gradient::new().initial(20).min(5).max(500).tolerance(1.5);
/// let layer = BulkheadLayer::adaptive("upstream", gradient)?;
/// assert_eq!(layer.handle().limit(), 20);
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Gradient {
    initial: usize,
    min: usize,
    max: usize,
    tolerance: f64,
}

impl Gradient {
    /// From 20, between 1 and 1,000; calls may take half as long again as they always have.
    pub const fn new() -> Self {
        Self { initial: 20, min: 1, max: 1_000, tolerance: 1.5 }
    }

    /// Where it begins; the default is 20.
    pub const fn initial(mut self, limit: usize) -> Self {
        self.initial = limit;
        self
    }

    /// The smallest limit; the default is 1.
    pub const fn min(mut self, limit: usize) -> Self {
        self.min = limit;
        self
    }

    /// The largest limit; the default is 1,000.
    pub const fn max(mut self, limit: usize) -> Self {
        self.max = limit;
        self
    }

    /// How much longer than ever calls may take before it shrinks, 1 to 10; the default is 1.5.
    pub const fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    pub(super) fn check(self) -> Result<(u32, Adaptive), ConfigError> {
        let (min, max) = (count("a limit", self.min)?, count("a limit", self.max)?);
        let initial = count("a limit", self.initial)?;
        if !(min..=max).contains(&initial) {
            let message = format!("a limit of {initial} is not between {min} and {max}");
            return Err(ConfigError::new(Kind::Capacity, message));
        }
        if !(1.0..=10.0).contains(&self.tolerance) {
            let message = format!("a tolerance of {}: it must be from 1 to 10", self.tolerance);
            return Err(ConfigError::new(Kind::Rate, message));
        }
        let bounds = Bounds { initial, min, max, tolerance: self.tolerance };
        Ok((initial, Adaptive::new(bounds)))
    }
}

impl Default for Gradient {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    initial: u32,
    min: u32,
    max: u32,
    tolerance: f64,
}

#[derive(Debug)]
pub(crate) struct Adaptive {
    bounds: Bounds,
    clock: Clock,
    learned: Mutex<Learned>,
}

/// Answers that make up one average, at least.
const BATCH: u32 = 10;
/// How long they are gathered, at least: else the rate of calls would say how fast a slow service
/// is taken for the rule.
const BATCH_TIME: Nanos = 100_000_000;
/// The time over which the long-term average is taken.
const LONG: f64 = 300e9;
/// The most that one batch weighs in it, where calls are few.
const LONG_SHARE: f64 = 1.0 / 300.0;
/// What a new value weighs.
const SMOOTHING: f64 = 0.2;

#[derive(Clone, Copy, Debug, Default)]
struct Learned {
    /// When the batch began.
    since: Nanos,
    answers: u32,
    sum: Nanos,
    /// The most that were in at once since the last batch.
    most: usize,
    long: f64,
    limit: f64,
}

impl Adaptive {
    fn new(bounds: Bounds) -> Self {
        let learned = Learned { limit: f64::from(bounds.initial), ..Learned::default() };
        Self { bounds, clock: Clock::new(None), learned: Mutex::new(learned) }
    }

    /// One that knows nothing.
    pub(super) fn fresh(&self) -> Self {
        Self::new(self.bounds)
    }

    pub(super) fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// An answer that another thread is in the way of is not missed: it is a sample.
    pub(super) fn learn(&self, started: Nanos, seats: &Seats) {
        let now = self.now();
        let took = now.saturating_sub(started);
        let mut learned = match self.learned.try_lock() {
            Ok(learned) => learned,
            Err(Poisoned(poisoned)) => poisoned.into_inner(),
            Err(WouldBlock) => return,
        };
        let limit = learned.add(took, now, seats.taken(), &self.bounds);
        drop(learned);
        if let Some(limit) = limit {
            seats.set_limit(limit);
        }
    }
}

impl Learned {
    fn add(&mut self, took: Nanos, now: Nanos, taken: usize, bounds: &Bounds) -> Option<u32> {
        self.answers += 1;
        self.sum = self.sum.saturating_add(took);
        self.most = self.most.max(taken);
        let lasted = now.saturating_sub(self.since);
        if self.answers < BATCH || lasted < BATCH_TIME {
            return None;
        }
        let present = (self.sum as f64 / f64::from(self.answers)).max(1.0);
        let in_use = self.most as f64;
        (self.since, self.answers, self.sum, self.most) = (now, 0, 0, 0);
        if self.long == 0.0 {
            self.long = present;
        }
        self.long += (present - self.long) * (lasted as f64 / LONG).min(LONG_SHARE);
        // After a time of long calls, the average would take long to come down.
        if self.long > 2.0 * present {
            self.long *= 0.95;
        }
        let gradient = (bounds.tolerance * self.long / present).clamp(0.5, 1.0);
        if gradient >= 1.0 && in_use < self.limit / 2.0 {
            return None;
        }
        let wanted = self.limit * gradient + self.limit.sqrt();
        let limit = self.limit * (1.0 - SMOOTHING) + wanted * SMOOTHING;
        self.limit = limit.clamp(f64::from(bounds.min), f64::from(bounds.max));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two that are u32"
        )]
        let limit = self.limit as u32;
        Some(limit)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
