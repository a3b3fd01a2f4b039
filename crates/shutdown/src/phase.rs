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

/// An error with its sources: the outermost of a database client often says no more than that there
/// was one.
pub(crate) fn text(error: &BoxError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// How a phase ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PhaseOutcome {
    /// As it should.
    Done,
    /// With an error, or a panic: its text, and those of its sources after a colon each.
    Failed(String),
    /// Its time was over. It was dropped.
    TimedOut,
}

impl fmt::Display for PhaseOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Failed(text) => write!(f, "failed ({text})"),
            Self::TimedOut => f.write_str("timed out"),
        }
    }
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
    // The error's text, which is someone else's code too.
    pub(crate) future: Pin<Box<dyn Future<Output = Option<String>> + Send>>,
}

impl Phase {
    /// On a task of its own, so that one that panics or blocks its thread is no more than that.
    pub(crate) async fn run(self, runtime: &Handle, deadline: Instant) -> PhaseReport {
        let start = Instant::now();
        let until = deadline.min(start + self.time);
        let mut task = runtime.spawn(self.future);
        let outcome = match tokio::time::timeout_at(until, &mut task).await {
            Ok(Ok(None)) => PhaseOutcome::Done,
            Ok(Ok(Some(error))) => PhaseOutcome::Failed(error),
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
