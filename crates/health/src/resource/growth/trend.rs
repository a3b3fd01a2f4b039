//! Whether something rises: pure, and time is passed in.

use std::{collections::VecDeque, time::Duration};

/// Of one window. 435 pairs are compared in a look.
const PARTS: u64 = 30;
/// Pairs that must rise, of all. In a row without a trend it is half of them, give or take 0.12
/// (Kendall's tau of 30 values), so that nine in ten are no chance.
const STEADY: f64 = 0.9;
/// Of the window that must lie between the first look and the last.
const LEAST_SPAN: f64 = 0.8;

/// The lowest value of each part of the window that has passed.
#[derive(Debug)]
pub(super) struct Trend {
    part: Duration,
    /// The number of each part since the start, in order, and its lowest value. The last is not
    /// over yet.
    lowest: VecDeque<(u64, u64)>,
}

/// What happened in one window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    pub(super) by: f64,
    from: f64,
    pub(super) is_steady: bool,
}

impl Growth {
    /// Of what it was; of nothing, anything is infinitely more.
    pub(super) fn share(self) -> f64 {
        if self.by == 0.0 { 0.0 } else { self.by / self.from }
    }
}

impl Trend {
    pub(super) fn new(window: Duration) -> Self {
        let parts = u32::try_from(PARTS).unwrap_or(1);
        Self { part: window / parts, lowest: VecDeque::new() }
    }

    pub(super) fn record(&mut self, at: Duration, value: u64) {
        let part = at.as_nanos() / self.part.as_nanos().max(1);
        let part = u64::try_from(part).unwrap_or(u64::MAX);
        match self.lowest.back_mut() {
            Some((last, lowest)) if *last >= part => *lowest = value.min(*lowest),
            _ => self.lowest.push_back((part, value)),
        }
        // The one that is not over, and a window before it.
        while self.lowest.front().is_some_and(|(first, _)| *first + PARTS < part) {
            self.lowest.pop_front();
        }
    }

    /// `None` until a window has passed, and while less than half of its parts were seen.
    pub(super) fn growth(&self) -> Option<Growth> {
        let (present, _) = self.lowest.back()?;
        let over: Vec<(f64, f64)> = self
            .lowest
            .iter()
            .filter(|(part, _)| part < present)
            .map(|(part, lowest)| (float(*part), float(*lowest)))
            .collect();
        let (first, last) = (over.first()?, over.last()?);
        let is_whole = *present >= PARTS
            && last.0 - first.0 >= float(PARTS) * LEAST_SPAN
            && over.len() as u64 * 2 >= PARTS;
        if !is_whole {
            return None;
        }
        let mut slopes = Vec::with_capacity(over.len() * over.len() / 2);
        for (index, one) in over.iter().enumerate() {
            let later = over.iter().skip(index + 1);
            slopes.extend(later.map(|other| (other.1 - one.1) / (other.0 - one.0)));
        }
        let rising = slopes.iter().filter(|slope| **slope > 0.0).count();
        slopes.sort_unstable_by(f64::total_cmp);
        let median = *slopes.get(slopes.len() / 2)?;
        Some(Growth {
            by: median * float(PARTS),
            from: first.1,
            is_steady: float(rising as u64) >= STEADY * float(slopes.len() as u64),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a value to one part in 2^53 is exact enough")]
pub(super) fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(3_000);

    /// What is said after looks every 10 s, for so many seconds.
    fn after(seconds: u64, value: impl Fn(u64) -> u64) -> Option<Growth> {
        let mut trend = Trend::new(WINDOW);
        for second in (0..=seconds).step_by(10) {
            trend.record(Duration::from_secs(second), value(second));
        }
        trend.growth()
    }

    #[test]
    fn a_row_is_growth_if_it_rises_steadily() {
        /// Some noise that is always the same.
        fn noise(second: u64) -> u64 {
            second.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58
        }
        type Row = fn(u64) -> u64;
        let cases: [(&str, Row, bool, f64); 9] = [
            ("a constant", |_| 5_000, false, 0.0),
            ("nothing at all", |_| 0, false, 0.0),
            ("a line", |second| 5_000 + second, true, 3_000.0),
            ("a line that falls", |second| 9_000 - second, false, -3_000.0),
            ("a line with noise", |second| 5_000 + second + 4 * noise(second), true, 3_000.0),
            ("noise", |second| 5_000 + 4 * noise(second), false, 0.0),
            ("what is given back each 500 s", |second| 5_000 + second % 500 * 9, false, 0.0),
            (
                "a leak below what is given back",
                |second| 5_000 + second + second % 100 * 90,
                true,
                3_000.0,
            ),
            ("a jump", |second| if second < 1_500 { 5_000 } else { 9_000 }, false, 4_600.0),
        ];
        for (name, value, is_steady, by) in cases {
            let growth = after(3_000, value).unwrap();
            assert_eq!(growth.is_steady, is_steady, "{name}: {growth:?}");
            assert!((growth.by - by).abs() <= 200.0, "{name}: {growth:?}");
        }
    }

    #[test]
    fn a_cache_that_is_filled_and_stays_full_is_no_leak() {
        let filled = |second: u64| 1_000 + second.min(1_000) * 5;
        assert!(!after(3_000, filled).unwrap().is_steady);
        assert!(!after(9_000, filled).unwrap().is_steady);
    }

    #[test]
    fn nothing_is_said_before_a_window_has_passed() {
        assert!(after(2_990, |second| second).is_none());
        assert!(after(3_000, |second| second).is_some());
    }

    #[test]
    fn it_holds_one_window_however_long_it_runs() {
        let mut trend = Trend::new(WINDOW);
        for second in (0..100_000).step_by(10) {
            trend.record(Duration::from_secs(second), 1);
        }
        assert_eq!(trend.lowest.len() as u64, PARTS + 1);
        // After a pause nothing of the past is left to compare with.
        trend.record(Duration::from_secs(200_000), 9);
        assert_eq!(trend.lowest.len(), 1);
        assert!(trend.growth().is_none());
    }
}
