//! When to ask no more.

use std::time::{Duration, Instant};

const IN_A_ROW: u32 = 5;
const WINDOW: Duration = Duration::from_secs(1);
const ENOUGH: u32 = 20;

/// Opens after five failures in a row, or where half of at least twenty questions failed that were
/// asked in one second.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    in_a_row: u32,
    since: Option<Instant>,
    asked: u32,
    failed: u32,
}

impl Breaker {
    /// Whether it opens by this.
    pub(super) fn count(&mut self, is_failure: bool, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) > WINDOW) {
            (self.since, self.asked, self.failed) = (Some(now), 0, 0);
        }
        self.asked = self.asked.saturating_add(1);
        if !is_failure {
            self.in_a_row = 0;
            return false;
        }
        self.failed = self.failed.saturating_add(1);
        self.in_a_row = self.in_a_row.saturating_add(1);
        let half = self.asked.div_ceil(2);
        self.in_a_row >= IN_A_ROW || self.asked >= ENOUGH && self.failed >= half
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_open_it() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for is_failure in [true, true, true, true, false, true, true, true, true] {
            assert!(!breaker.count(is_failure, now));
        }
        assert!(breaker.count(true, now));
    }

    #[test]
    fn half_of_twenty_in_a_second_open_it() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..9 {
            assert!(!breaker.count(false, now) && !breaker.count(true, now));
        }
        assert!(!breaker.count(false, now));
        assert!(breaker.count(true, now));
    }

    #[test]
    fn what_failed_a_second_ago_is_forgotten() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..9 {
            assert!(!breaker.count(false, now) && !breaker.count(true, now));
        }
        let later = now + Duration::from_millis(1_001);
        assert!(!breaker.count(false, later) && !breaker.count(true, later));
    }
}
