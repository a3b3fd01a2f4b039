//! `SHUTDOWN_GRACE` and `SHUTDOWN_PRE_STOP`.

use std::time::Duration;

use crate::{
    config::{config, require, rule::lasts},
    shutdown::Plan,
};

/// Shares of the grace, in sixtieths. Of 30 s they make the plan for Kubernetes: a pre-stop of 5 s,
/// 12 to drain, 3 for tasks.
const PRE_STOP: u32 = 10;
const DRAIN: u32 = 24;
const TASKS: u32 = 6;

config! {
    /// How much time there is to end: `SHUTDOWN_GRACE` and `SHUTDOWN_PRE_STOP`.
    #[derive(Clone, Copy, Debug)]
    pub struct Termination {
        /// What the platform gives between its SIGTERM and its SIGKILL. Of it two fifths are to
        /// drain, a tenth is for tasks, and what is left beside the pre-stop is for phases.
        pub grace: Duration = var("SHUTDOWN_GRACE")
            .default("30s")
            .rule(lasts(Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60))),
        /// How long the service goes on, not ready, until balancers have noticed.
        pub pre_stop: Option<Duration> = var("SHUTDOWN_PRE_STOP")
            .unset(None, "a sixth of SHUTDOWN_GRACE"),
    }
    rules {
        (grace, pre_stop) => require(
            plan(*grace, *pre_stop).check().is_ok(),
            "a grace of which half and a second are left beside the pre-stop",
        ),
    }
}

impl Termination {
    /// For [`Shutdown::new`](crate::shutdown::Shutdown::new). What is left is for phases:
    /// [`Plan::check`] says how much.
    pub fn plan(&self) -> Plan {
        plan(self.grace, self.pre_stop)
    }
}

fn plan(grace: Duration, pre_stop: Option<Duration>) -> Plan {
    let share = |sixtieths| grace / 60 * sixtieths;
    let pre_stop = pre_stop.unwrap_or(share(PRE_STOP));
    let plan = Plan::kubernetes().grace(grace).pre_stop(pre_stop);
    plan.drain(share(DRAIN)).tasks(share(TASKS))
}
