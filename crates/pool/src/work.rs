//! One statement or command: counted, timed, and logged where it was slow.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use buttress_core::context::{self, Operation};

use crate::{core::millis, counts::Counts};

/// What is slow, unless one says otherwise.
pub(crate) const SLOW: Duration = Duration::from_secs(1);

/// What a pool's connections need to account for their work.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) pool: Arc<str>,
    pub(crate) slow: Duration,
    pub(crate) counts: Arc<Counts>,
}

/// How a piece of work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
    TimedOut,
    /// Whoever waited for it has left.
    Abandoned,
}

impl Account {
    /// `what` is asked for only where it is logged, and must give no literal and no parameter away.
    pub(crate) fn ended(
        &self,
        what: impl FnOnce() -> String,
        took: Duration,
        rows: Option<u64>,
        outcome: Outcome,
    ) {
        self.counts.statements.add(took);
        let request = context::current();
        if let Some(request) = &request {
            request.count(Operation::Db, took);
        }
        if outcome == Outcome::TimedOut {
            self.counts.statement_timeouts.fetch_add(1, Relaxed);
        }
        if !is_slow(took, self.slow) {
            return;
        }
        self.counts.slow.fetch_add(1, Relaxed);
        tracing::warn!(
            pool = &*self.pool,
            statement = what(),
            took_ms = millis(took),
            rows,
            request_id = request.as_ref().and_then(|request| request.request_id_str()),
            outcome = outcome.text(),
            "slow statement",
        );
    }
}

impl Outcome {
    const fn text(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::Abandoned => "abandoned",
        }
    }
}

/// At the threshold it is slow; a nanosecond below it is not.
fn is_slow(took: Duration, threshold: Duration) -> bool {
    took >= threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_exact() {
        let second = Duration::from_secs(1);
        let cases = [
            (Duration::ZERO, false),
            (second - Duration::from_nanos(1), false),
            (second, true),
            (second + Duration::from_nanos(1), true),
        ];
        for (took, slow) in cases {
            assert_eq!(is_slow(took, second), slow, "{took:?}");
        }
        assert!(is_slow(Duration::ZERO, Duration::ZERO), "a threshold of nothing logs everything");
    }
}
