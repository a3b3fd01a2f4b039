//! How it ended, and why there.

use std::{fmt, time::Duration};

use http::Response;

/// Why there was no further attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The answer is one that is kept.
    #[default]
    Done,
    /// A failure that no retry mends.
    NotRetryable,
    /// There were as many attempts as there may be.
    Attempts,
    /// The request may not be repeated.
    NotRepeatable,
    /// The body was too large to be kept, or failed.
    Body,
    /// A layer further in refused: a breaker is open.
    Rejected,
    /// The server asked for a longer wait than is waited for.
    HintTooLong,
    /// The server asked not to be asked again.
    Pushback,
    /// The next attempt would have begun after the deadline, or the last one reached it. With no
    /// attempt at all: the request came after it.
    Deadline,
    /// The budget is used up.
    Budget,
    /// The inner service had no room for another attempt.
    NotReady,
}

impl StopReason {
    pub(crate) const ALL: [Self; 11] = [
        Self::Done,
        Self::NotRetryable,
        Self::Attempts,
        Self::NotRepeatable,
        Self::Body,
        Self::Rejected,
        Self::HintTooLong,
        Self::Pushback,
        Self::Deadline,
        Self::Budget,
        Self::NotReady,
    ];

    /// One word, for a log field or a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NotRetryable => "not_retryable",
            Self::Attempts => "attempts",
            Self::NotRepeatable => "not_repeatable",
            Self::Body => "body",
            Self::Rejected => "rejected",
            Self::HintTooLong => "hint_too_long",
            Self::Pushback => "pushback",
            Self::Deadline => "deadline",
            Self::Budget => "budget",
            Self::NotReady => "not_ready",
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What it took to get an answer. It is in the extensions of the answer, unless the first one was
/// kept: then there is nothing to say, and nothing is allocated for it.
///
/// ```
/// use buttress_retry::{RetryInfo, StopReason};
///
/// let info = RetryInfo::of(&http::Response::new(()));
/// assert_eq!((info.attempts(), info.stop()), (1, StopReason::Done));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryInfo {
    attempts: u32,
    slept: Duration,
    stop: StopReason,
}

impl RetryInfo {
    pub(crate) const fn new(attempts: u32, slept: Duration, stop: StopReason) -> Self {
        Self { attempts, slept, stop }
    }

    /// What an answer says; one that says nothing was the first.
    #[must_use]
    pub fn of<B>(response: &Response<B>) -> Self {
        let first = Self::new(1, Duration::ZERO, StopReason::Done);
        response.extensions().get().copied().unwrap_or(first)
    }

    /// How many attempts were sent, hedges included.
    #[must_use]
    pub const fn attempts(self) -> u32 {
        self.attempts
    }

    /// How long was waited between them.
    #[must_use]
    pub const fn slept(self) -> Duration {
        self.slept
    }

    /// Why there was no further one.
    #[must_use]
    pub const fn stop(self) -> StopReason {
        self.stop
    }

    pub(crate) const fn is_plain(self) -> bool {
        self.attempts == 1 && matches!(self.stop, StopReason::Done)
    }
}
