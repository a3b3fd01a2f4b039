//! A second try beside a slow first one.

use std::{
    fmt,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// Octaves of microseconds, of eight steps each: up to 12 days, to an eighth.
const STEPS: usize = 8;
const BUCKETS: usize = 40 * STEPS;
/// Before so many answers have been timed, nothing is known.
const MIN_SAMPLES: u32 = 100;
/// How often the quantile is computed anew.
const EVERY: u32 = 64;
/// When all counts are halved, so that what was long ago counts less.
const HALVED_AT: u32 = 2_048;

/// When a second try is sent beside one that has not answered yet.
///
/// It goes out only for a request that may be repeated and has been sent whole, it counts as an
/// attempt, and the budget pays for it as for a retry. The first good answer is taken, and the
/// other try is dropped.
///
/// ```
/// use buttress_retry::{Hedge, RetryLayer};
/// use std::time::Duration;
///
/// // When it takes longer than 95 of 100 do.
/// let hedge = Hedge::quantile(0.95).at_least(Duration::from_millis(5));
/// let layer = RetryLayer::http().hedge(hedge)?;
/// # Ok::<(), buttress_retry::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Hedge {
    quantile: Option<f64>,
    delay: Duration,
}

impl Hedge {
    /// After this time.
    pub const fn after(delay: Duration) -> Self {
        Self { quantile: None, delay }
    }

    /// After the time in which this share of the answers comes, 0.5 to 0.999; never, until 100
    /// answers have been timed. What was long ago counts less.
    pub const fn quantile(share: f64) -> Self {
        Self { quantile: Some(share), delay: Duration::from_millis(1) }
    }

    /// But not before this time, of a [`quantile`](Self::quantile); the default is 1 ms.
    pub const fn at_least(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub(crate) fn check(self) -> Result<(), ConfigError> {
        if self.delay.is_zero() {
            let message = "a hedge at once doubles every request";
            return Err(ConfigError::new(Kind::Hedge, message));
        }
        match self.quantile {
            Some(share) if !(0.5..=0.999).contains(&share) => {
                let message = format!("a quantile of {share} is not one of 0.5 to 0.999");
                Err(ConfigError::new(Kind::Hedge, message))
            }
            _ => Ok(()),
        }
    }
}

/// A hedge, and the times that it goes by.
pub(crate) struct Hedging {
    hedge: Hedge,
    counts: Box<[AtomicU32]>,
    samples: AtomicU32,
    /// In nanoseconds; 0 while it is not known.
    known: AtomicU64,
}

impl Hedging {
    pub(crate) fn new(hedge: Hedge) -> Self {
        let buckets = if hedge.quantile.is_some() { BUCKETS } else { 0 };
        Self {
            hedge,
            counts: (0..buckets).map(|_| AtomicU32::new(0)).collect(),
            samples: AtomicU32::new(0),
            known: AtomicU64::new(0),
        }
    }

    /// How long to wait for the first try.
    pub(crate) fn delay(&self) -> Option<Duration> {
        if self.hedge.quantile.is_none() {
            return Some(self.hedge.delay);
        }
        match self.known.load(Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos).max(self.hedge.delay)),
        }
    }

    /// An answer took so long.
    pub(crate) fn took(&self, time: Duration) {
        let (Some(share), Some(bucket)) = (self.hedge.quantile, self.counts.get(bucket(time)))
        else {
            return;
        };
        bucket.fetch_add(1, Relaxed);
        let samples = self.samples.fetch_add(1, Relaxed) + 1;
        if samples >= MIN_SAMPLES && samples.is_multiple_of(EVERY) {
            self.compute(share);
        }
        if samples >= HALVED_AT {
            self.halve();
        }
    }

    fn compute(&self, share: f64) {
        let total: u32 = self.counts.iter().map(|count| count.load(Relaxed)).sum();
        let mut left = f64::from(total) * share;
        let at = self.counts.iter().position(|count| {
            left -= f64::from(count.load(Relaxed));
            left <= 0.0
        });
        let nanos = upper_edge(at.unwrap_or(BUCKETS)).as_nanos();
        self.known.store(u64::try_from(nanos).unwrap_or(u64::MAX), Relaxed);
    }

    /// Of what others count meanwhile, a little may be lost: it is an estimate.
    fn halve(&self) {
        for count in &self.counts {
            count.store(count.load(Relaxed) / 2, Relaxed);
        }
        self.samples.store(HALVED_AT / 2, Relaxed);
    }
}

/// The octave, and in it the eighth.
fn bucket(time: Duration) -> usize {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
    let octave = micros.ilog2();
    // The three bits below the highest.
    let step = if octave >= 3 { micros >> (octave - 3) } else { micros << (3 - octave) } & 7;
    let at = octave as usize * STEPS + usize::try_from(step).unwrap_or(0);
    at.min(BUCKETS - 1)
}

fn upper_edge(bucket: usize) -> Duration {
    let octave = u32::try_from(bucket / STEPS).unwrap_or(u32::MAX).min(40);
    let step = bucket as u64 % STEPS as u64 + 1;
    Duration::from_nanos(((1_000_u64 << octave) / STEPS as u64) * (STEPS as u64 + step))
}

impl fmt::Debug for Hedging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedging")
            .field("hedge", &self.hedge)
            .field("delay", &self.delay())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    #[test]
    fn a_quantile_is_found_and_follows() {
        let ms = Duration::from_millis;
        let hedging = Hedging::new(Hedge::quantile(0.9));
        for n in 0..99 {
            hedging.took(ms(n));
            assert_eq!(hedging.delay(), None);
        }
        for n in 0..2_000 {
            hedging.took(ms(n % 100));
        }
        let delay = hedging.delay().unwrap();
        assert!((ms(88)..=ms(104)).contains(&delay), "{delay:?}");
        for _ in 0..20_000 {
            hedging.took(ms(300));
        }
        let delay = hedging.delay().unwrap();
        assert!((ms(300)..=ms(340)).contains(&delay), "{delay:?}");
    }

    #[test]
    fn what_cannot_be_right_is_refused() {
        let ms = Duration::from_millis;
        assert!(Hedge::after(Duration::ZERO).check().is_err());
        assert!(Hedge::quantile(0.95).at_least(Duration::ZERO).check().is_err());
        for share in [0.0, 0.49, 1.0, f64::NAN] {
            assert!(Hedge::quantile(share).check().is_err(), "{share}");
        }
        assert!(Hedge::after(ms(1)).check().is_ok());
        assert!(Hedge::quantile(0.999).check().is_ok());
    }

    proptest! {
        #[test]
        fn a_bucket_is_an_eighth_wide_and_holds_its_time(micros in 8_u64..1 << 39) {
            let time = Duration::from_micros(micros);
            let edge = upper_edge(bucket(time));
            prop_assert!(edge > time && edge <= time + time / 7 + Duration::from_micros(1));
        }
    }
}
