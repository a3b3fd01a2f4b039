//! How the service ends.

use std::{
    env::{self, VarError},
    time::Duration,
};

use buttress::shutdown::{Plan, Shutdown};

/// Begun by SIGTERM and SIGINT, within `SHUTDOWN_GRACE`: what the platform gives before it kills,
/// `30s` where nothing is said. `SHUTDOWN_PRE_STOP` of it the service goes on, not ready, for a
/// balancer to notice: nothing here, `5s` behind one.
pub(crate) fn begin() -> Result<Shutdown, String> {
    let grace = time("SHUTDOWN_GRACE")?.unwrap_or(Duration::from_secs(30));
    let pre_stop = time("SHUTDOWN_PRE_STOP")?.unwrap_or_default();
    // Of what is left, half for requests and an eighth for tasks. There is nothing else to close.
    // Where nothing is left, a second: that it does not fit is then what is told.
    let left = grace.saturating_sub(pre_stop);
    let drain = (left / 2).max(Duration::from_secs(1));
    let plan = Plan::kubernetes().grace(grace).pre_stop(pre_stop).drain(drain).tasks(left / 8);
    Shutdown::new(plan).map_err(|error| format!("SHUTDOWN_GRACE, SHUTDOWN_PRE_STOP: {error}"))
}

fn time(name: &str) -> Result<Option<Duration>, String> {
    let text = match env::var(name) {
        Ok(text) => text,
        Err(VarError::NotPresent) => return Ok(None),
        Err(VarError::NotUnicode(_)) => return Err(format!("{name} is no text")),
    };
    let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse().ok());
    let time = seconds.map(Duration::from_secs);
    time.map(Some).ok_or_else(|| format!("{name}={text:?} is no time; write seconds, such as 30s"))
}
