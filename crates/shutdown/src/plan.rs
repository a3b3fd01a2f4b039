//! How much time there is, and for what.

use std::time::Duration;

use buttress_core::lifecycle::Lifecycle;

use crate::error::{ConfigError, ConfigErrorKind};

/// Longer than any platform waits, and short enough to add to an instant.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How the grace is divided. What the parts leave over is for the phases.
///
/// ```
/// use buttress_shutdown::Plan;
/// use std::time::Duration;
///
/// let plan = Plan::kubernetes().pre_stop(Duration::from_secs(8));
/// # let _ = plan;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Plan {
    pub(crate) grace: Duration,
    pub(crate) pre_stop: Duration,
    pub(crate) drain: Duration,
    pub(crate) tasks: Duration,
    pub(crate) lifecycle: Lifecycle,
}

impl Plan {
    /// For Kubernetes and ECS, which kill after 30 s: pre-stop 5 s, drain 12 s, tasks 3 s; 9 s
    /// are left for phases. The default.
    pub fn kubernetes() -> Self {
        Self {
            grace: Duration::from_secs(30),
            pre_stop: Duration::from_secs(5),
            drain: Duration::from_secs(12),
            tasks: Duration::from_secs(3),
            lifecycle: Lifecycle::new(),
        }
    }

    /// For `docker stop`, which kills after 10 s: no pre-stop, drain 5 s, tasks 1 s; 3 s are left
    /// for phases.
    pub fn docker() -> Self {
        Self {
            grace: Duration::from_secs(10),
            pre_stop: Duration::ZERO,
            drain: Duration::from_secs(5),
            tasks: Duration::from_secs(1),
            lifecycle: Lifecycle::new(),
        }
    }

    /// What the platform gives between its SIGTERM and its SIGKILL, at most a day. A second less
    /// is used (a tenth less where it is under ten), so that our report comes before its kill. In
    /// the middle of that margin the deadline ends the process.
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// How long it goes on serving, not ready, until load balancers have noticed: zero to a day.
    /// It is left out when nothing was served yet.
    pub fn pre_stop(self, pre_stop: Duration) -> Self {
        Self { pre_stop, ..self }
    }

    /// How long connections may take to finish: more than zero, at most a day. What is open then
    /// is closed, and counted as killed. Once there is none it goes on at once.
    pub fn drain(self, drain: Duration) -> Self {
        Self { drain, ..self }
    }

    /// How long supervised tasks may take to end once they are told: zero to a day. Up to 100 ms
    /// of it go to the handlers of killed connections, to let go of what the phases will close.
    pub fn tasks(self, tasks: Duration) -> Self {
        Self { tasks, ..self }
    }

    /// The lifecycle to move on, which a readiness probe reads. Without it the plan has one of
    /// its own: [`Shutdown::lifecycle`](crate::Shutdown::lifecycle).
    pub fn lifecycle(self, lifecycle: &Lifecycle) -> Self {
        Self { lifecycle: lifecycle.clone(), ..self }
    }

    /// What may be used of the grace.
    pub(crate) fn usable(&self) -> Duration {
        self.grace.saturating_sub(self.margin())
    }

    /// When the process is ended. Later than what may be used: where all of that is used, the
    /// report is still told. And before the platform's own end.
    pub(crate) fn deadline(&self) -> Duration {
        self.grace.saturating_sub(self.margin() / 2)
    }

    fn margin(&self) -> Duration {
        Duration::from_secs(1).min(self.grace / 10)
    }

    /// Whether the parts fit into the grace, and what is left for phases. It installs nothing: a
    /// configuration may ask before there is a [`Shutdown`](crate::Shutdown), which refuses the
    /// same.
    ///
    /// ```
    /// use buttress_shutdown::{ConfigErrorKind, Plan};
    /// use std::time::Duration;
    ///
    /// let secs = Duration::from_secs;
    /// assert_eq!(Plan::kubernetes().check()?, secs(9));
    /// let error = Plan::docker().pre_stop(secs(8)).check().unwrap_err();
    /// assert_eq!(error.kind(), ConfigErrorKind::Fit);
    /// # Ok::<(), buttress_shutdown::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// A part of no time at all where there has to be some ([`Plan`]'s verbs say which), or of
    /// more than a day; and parts that together take more than there is.
    pub fn check(&self) -> Result<Duration, ConfigError> {
        let parts = [
            ("a grace", self.grace, false),
            ("a pre-stop", self.pre_stop, true),
            ("a drain", self.drain, false),
            ("a time for tasks", self.tasks, true),
        ];
        for (what, time, may_be_zero) in parts {
            in_range(what, time, may_be_zero)?;
        }
        let taken = self.pre_stop + self.drain + self.tasks;
        self.usable().checked_sub(taken).ok_or_else(|| {
            let (grace, usable) = (self.grace, self.usable());
            ConfigError::new(
                ConfigErrorKind::Fit,
                format!(
                    "pre-stop, drain and tasks take {taken:?}; \
                     of a grace of {grace:?} there is {usable:?} to use"
                ),
            )
        })
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self::kubernetes()
    }
}

/// Neither of nothing, where that makes no sense, nor longer than a day.
pub(crate) fn in_range(what: &str, time: Duration, may_be_zero: bool) -> Result<(), ConfigError> {
    let message = match time {
        Duration::ZERO if !may_be_zero => format!("{what} of no time at all"),
        time if time > LONGEST => format!("{what} of {time:?} is longer than a day"),
        _ => return Ok(()),
    };
    Err(ConfigError::new(ConfigErrorKind::Time, message))
}
