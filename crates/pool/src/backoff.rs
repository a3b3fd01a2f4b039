//! How long the next attempt waits.

use std::time::Duration;

/// The least that a pause's upper bound is: without a pause, a server that refuses would be asked
/// as fast as it can refuse.
const LEAST: Duration = Duration::from_millis(1);
/// The exponent past which doubling would overflow; the longest pause is reached long before.
const DOUBLINGS: u32 = 30;

/// How long, and how often, a pool tries to connect when the service starts.
///
/// Exponential back-off with full jitter: before the `n`th retry it waits for a random time between
/// nothing and `first * 2^(n-1)`, but never more than `longest`. It gives up when the next attempt
/// would begin after `give_up_after`, counted from the start; an attempt that is under way then
/// has as long as one connection may take ([`wait`](crate::Limits::wait),
/// [`create`](crate::Limits::create) and [`recycle`](crate::Limits::recycle)), however many it is
/// to open.
///
/// ```
/// use buttress_pool::Backoff;
/// use std::time::Duration;
///
/// // The defaults: 100 ms, doubled up to 5 s, for a minute.
/// let patient = Backoff::new().give_up_after(Duration::from_secs(300));
/// // One attempt.
/// let once = Backoff::new().give_up_after(Duration::ZERO);
/// # let _ = (patient, once);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    pub(crate) total: Duration,
}

impl Backoff {
    /// 100 ms at first, doubled up to 5 s, for a minute.
    pub const fn new() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(5),
            total: Duration::from_secs(60),
        }
    }

    /// The most that the first pause may be: 1 ms or more.
    pub const fn first(mut self, pause: Duration) -> Self {
        self.first = pause;
        self
    }

    /// The most that any pause may be: 1 ms or more.
    pub const fn longest(mut self, pause: Duration) -> Self {
        self.longest = pause;
        self
    }

    /// For how long to try. [`Duration::MAX`] is for ever, [`Duration::ZERO`] is once.
    pub const fn give_up_after(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }

    /// The pause after so many failures, 1 or more, by a random number from 0 to 1.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "redis", test)),
        expect(dead_code, reason = "there is no pool then")
    )]
    pub(crate) fn pause(&self, failures: u32, random: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(DOUBLINGS);
        let ceiling = self.first.saturating_mul(1 << doublings).min(self.longest);
        // A pause of more than a day is nobody's wish, and would overflow as seconds do.
        ceiling.clamp(LEAST, Duration::from_secs(86_400)).mul_f64(random)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

/// From 0 to 1. Without the system's entropy everyone waits for the same time, which is worse, but
/// no reason to fail.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn random() -> f64 {
    getrandom::u32().map_or(1.0, |dice| f64::from(dice) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_the_longest() {
        let backoff = Backoff::new();
        let most = [1, 2, 3, 6, 7, 40, u32::MAX].map(|failures| backoff.pause(failures, 1.0));
        assert_eq!(most.map(|pause| pause.as_millis()), [100, 200, 400, 3200, 5000, 5000, 5000]);
    }

    #[test]
    fn jitter_is_full() {
        assert_eq!(Backoff::new().pause(3, 0.0), Duration::ZERO);
        assert_eq!(Backoff::new().pause(3, 0.5), Duration::from_millis(200));
    }

    #[test]
    fn there_is_no_back_off_of_nothing() {
        for none in [Backoff::new().first(Duration::ZERO), Backoff::new().longest(Duration::ZERO)] {
            assert_eq!(none.pause(1, 1.0), Duration::from_millis(1));
        }
    }

    #[test]
    fn the_largest_of_everything_does_not_overflow() {
        let backoff = Backoff::new().first(Duration::MAX).longest(Duration::MAX);
        assert_eq!(backoff.pause(u32::MAX, 1.0), Duration::from_secs(86_400));
    }
}
