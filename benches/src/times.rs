//! Wall-clock times, in interleaved rounds.

use std::time::{Duration, Instant};

use crate::{Case, Failure, Loop};

/// Rounds of each side, in turns: ours, peer, bare, ours, … What else the machine does hits all
/// sides alike, and the median leaves it out.
const ROUNDS: usize = 61;

/// How long one turn takes: long beside a reading of the clock, short beside a time slice.
const TURN: Duration = Duration::from_millis(1);

/// What the sides of a case add to the bare one, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Times {
    /// Ours.
    pub ours: f64,
    /// The peers, in their order.
    pub peers: Vec<f64>,
}

/// Measures all sides of a case.
///
/// # Errors
///
/// When a side cannot be set up.
pub fn measure(case: &Case) -> Result<Times, Failure> {
    let mut turns =
        case.sides().map(|side| side.start().map(Turn::new)).collect::<Result<Vec<_>, _>>()?;
    let mut added = vec![Vec::new(); turns.len()];
    for _ in 0..ROUNDS {
        let round: Vec<f64> = turns.iter_mut().map(Turn::take).collect();
        let bare = round.first().copied().unwrap_or_default();
        for (side, time) in added.iter_mut().zip(round) {
            side.push(time - bare);
        }
    }
    let mut medians = added.into_iter().skip(1).map(median);
    Ok(Times { ours: medians.next().unwrap_or_default(), peers: medians.collect() })
}

struct Turn {
    run: Loop,
    times: u64,
}

impl Turn {
    /// Finds out how often it can run in one turn, which warms it up as well.
    fn new(mut run: Loop) -> Self {
        let mut times = 1;
        loop {
            let started = Instant::now();
            run(times);
            if started.elapsed() >= TURN {
                return Self { run, times };
            }
            times *= 2;
        }
    }

    /// Nanoseconds for one.
    fn take(&mut self) -> f64 {
        let started = Instant::now();
        (self.run)(self.times);
        started.elapsed().as_secs_f64() * 1e9 / self.times as f64
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_leaves_out_what_was_disturbed() {
        assert_eq!(median(vec![3.0, 900.0, 2.0, 1.0, 4.0]), 3.0);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
