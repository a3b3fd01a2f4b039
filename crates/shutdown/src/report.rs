//! What the shutdown came to.

use std::{
    borrow::Cow,
    fmt,
    process::{ExitCode, Termination},
    time::Duration,
};

use crate::phase::{PhaseOutcome, PhaseReport};

/// What began a shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// This signal: 15 is SIGTERM, 2 is SIGINT.
    Signal(i32),
    /// [`Shutdown::trigger`](crate::Shutdown::trigger).
    Requested,
    /// The supervised task of this name has panicked.
    TaskPanicked(Cow<'static, str>),
    /// A panic at this place in the source, with
    /// [`Shutdown::install_panic_hook`](crate::Shutdown::install_panic_hook).
    Panicked(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal_hook::consts::SIGTERM) => f.write_str("SIGTERM"),
            Self::Signal(signal_hook::consts::SIGINT) => f.write_str("SIGINT"),
            Self::Signal(number) => write!(f, "signal {number}"),
            Self::Requested => f.write_str("requested"),
            Self::TaskPanicked(name) => write!(f, "task {name} panicked"),
            Self::Panicked(at) => write!(f, "panicked at {at}"),
        }
    }
}

/// What has finished, and what had to be ended. `main` may return it.
///
/// ```
/// use buttress_shutdown::{Cause, PhaseOutcome, Plan, Shutdown};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), buttress_shutdown::ConfigError> {
/// let shutdown = Shutdown::embedded(Plan::docker())?;
/// let close = async { Err("no route to host") };
/// shutdown.phase("postgres", Duration::from_secs(2), close)?;
/// shutdown.trigger();
/// let report = shutdown.wait().await;
/// assert_eq!(report.cause, Cause::Requested);
/// assert_eq!(report.phases[0].outcome, PhaseOutcome::Failed("no route to host".to_owned()));
/// assert_eq!(report.code(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// What began it.
    pub cause: Cause,
    /// From the beginning to the end of the last phase.
    pub took: Duration,
    /// Connections that were open when nothing more was accepted, and ended in time.
    pub drained: usize,
    /// Connections that were open at the drain limit, and were closed.
    pub killed: usize,
    /// Requests, of a [`DrainLayer`](crate::DrainLayer), that were not done at the drain limit.
    pub unanswered: usize,
    /// Supervised tasks that did not end in their time, and were aborted.
    pub aborted: Vec<Cow<'static, str>>,
    /// Supervised tasks that have panicked, first first.
    pub panicked: Vec<Cow<'static, str>>,
    /// The phases, in the order in which they ran.
    pub phases: Vec<PhaseReport>,
}

impl Report {
    /// 101 where a supervised task has panicked, or the panic hook began it; 1 where one was aborted, or a phase failed or
    /// timed out; else 0. Connections that were killed are none of that: a stream without an end
    /// is there on every day.
    #[must_use]
    pub fn code(&self) -> u8 {
        let done = |phase: &PhaseReport| phase.outcome == PhaseOutcome::Done;
        if !self.panicked.is_empty() || matches!(self.cause, Cause::Panicked(_)) {
            101
        } else if !self.aborted.is_empty() || !self.phases.iter().all(done) {
            1
        } else {
            0
        }
    }

    /// Ends the process by the signal that began the shutdown, for a supervisor that wants to see
    /// it: a shell then says 143 for SIGTERM. Returns, and does nothing, where it was no signal,
    /// or where [`code`](Self::code) is not 0.
    ///
    /// The first process of a container exits with 143 or 130 instead, which looks the same from
    /// outside: the kernel does not end it by a signal (`pid_namespaces(7)`), and to insist ends
    /// in a crash, 139.
    pub fn reraise(&self) {
        if let (Cause::Signal(number), 0) = (&self.cause, self.code()) {
            if std::process::id() == 1 {
                std::process::exit(number.saturating_add(128));
            }
            let _ = signal_hook::low_level::emulate_default_handler(*number);
        }
    }

    pub(crate) fn log(&self) {
        // A level is a constant of its event.
        macro_rules! tell {
            ($level:ident) => {
                tracing::$level!(
                    cause = %self.cause,
                    took_ms = millis(self.took),
                    drained = self.drained,
                    killed = self.killed,
                    unanswered = self.unanswered,
                    aborted = ?self.aborted,
                    panicked = ?self.panicked,
                    phases = %Phases(&self.phases),
                    code = self.code(),
                    "shut down"
                )
            };
        }
        match self.code() {
            0 => tell!(info),
            _ => tell!(error),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// `postgres done 12 ms, rabbitmq timed out 3000 ms`.
struct Phases<'a>(&'a [PhaseReport]);

impl fmt::Display for Phases<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, phase) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {} {} ms", phase.name, phase.outcome, millis(phase.took))?;
        }
        Ok(())
    }
}

impl Termination for Report {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}
