//! What is let go of at the end, one after the other.

use std::{borrow::Cow, error::Error, fmt, pin::Pin, time::Duration};

use tokio::{runtime::Handle, time::Instant};

type BoxError = Box<dyn Error + Send + Sync>;

/// What a phase may answer: nothing, or a `Result` whose error is reported.
pub trait PhaseEnd {
    /// The error, if it is one.
    fn error(self) -> Option<BoxError>;
}

impl PhaseEnd for () {
    fn error(self) -> Option<BoxError> {
        None
    }
}

impl<E: Into<BoxError>> PhaseEnd for Result<(), E> {
    fn error(self) -> Option<BoxError> {
        self.err().map(Into::into)
    }
}

/// How a phase ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PhaseOutcome {
    /// As it should.
    Done,
    /// With an error, or a panic: its text.
    Failed(String),
    /// Its time was over. It was dropped.
    TimedOut,
}

/// One phase of a [`Report`](crate::Report).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PhaseReport {
    /// Its name.
    pub name: Cow<'static, str>,
    /// How it ended.
    pub outcome: PhaseOutcome,
    /// How long it took.
    pub took: Duration,
}

pub(crate) struct Phase {
    pub(crate) name: Cow<'static, str>,
    pub(crate) time: Duration,
    pub(crate) future: Pin<Box<dyn Future<Output = Option<BoxError>> + Send>>,
}

impl Phase {
    /// On a task of its own, so that one that panics or blocks its thread is no more than that.
    pub(crate) async fn run(self, runtime: &Handle, deadline: Instant) -> PhaseReport {
        let start = Instant::now();
        let until = deadline.min(start + self.time);
        let mut task = runtime.spawn(self.future);
        let outcome = match tokio::time::timeout_at(until, &mut task).await {
            Ok(Ok(None)) => PhaseOutcome::Done,
            Ok(Ok(Some(error))) => PhaseOutcome::Failed(error.to_string()),
            Ok(Err(panic)) => PhaseOutcome::Failed(panic.to_string()),
            Err(_) => {
                task.abort();
                PhaseOutcome::TimedOut
            }
        };
        PhaseReport { name: self.name, outcome, took: start.elapsed() }
    }
}

impl fmt::Debug for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phase")
            .field("name", &self.name)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}
