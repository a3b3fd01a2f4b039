//! What is to be made of the outcome of an attempt.

use std::time::Duration;

/// What an outcome means for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is kept, and went well as far as the budget is concerned.
    Done,
    /// It is kept: a failure that no retry mends. It pays nothing into the budgets that only a
    /// success pays.
    Failed,
    /// A failure that a retry may mend, after the back-off.
    Retry,
    /// The same, and not before this time.
    RetryAfter(Duration),
    /// The same, in exactly this time, whatever the back-off.
    RetryIn(Duration),
    /// It is kept: the server asked not to be asked again.
    Pushback,
    /// It is kept: a layer further in, such as a breaker, refused to send it.
    Rejected,
}

/// Judges outcomes of a service that is not HTTP, or is so in types of its own.
///
/// Any `Fn(Result<&Response, &Error>) -> Verdict` is one.
///
/// ```
/// use buttress_retry::{RetryLayer, Verdict};
/// use std::io;
///
/// let layer = RetryLayer::new(|outcome: Result<&String, &io::Error>| match outcome {
///     Ok(_) => Verdict::Done,
///     Err(error) if error.kind() == io::ErrorKind::WouldBlock => Verdict::Retry,
///     Err(_) => Verdict::Failed,
/// });
/// ```
pub trait Classify<Res, E> {
    /// What the outcome of one attempt means.
    fn classify(&self, outcome: Result<&Res, &E>) -> Verdict;
}

impl<F, Res, E> Classify<Res, E> for F
where
    F: Fn(Result<&Res, &E>) -> Verdict,
{
    fn classify(&self, outcome: Result<&Res, &E>) -> Verdict {
        self(outcome)
    }
}

impl Verdict {
    pub(crate) const fn is_retry(self) -> bool {
        matches!(self, Self::Retry | Self::RetryAfter(_) | Self::RetryIn(_))
    }
}
