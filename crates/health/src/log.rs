//! One line for each change.

use std::error::Error;

use buttress_core::source::CheckError;

use crate::status::Status;

/// An error that is its own cause is told of no further.
const DEEPEST: usize = 8;

/// The cause, which may name hosts and users, goes here and nowhere else.
pub(crate) fn changed(
    check: &str,
    before: Option<Status>,
    after: Status,
    reason: Option<&'static str>,
    error: Option<&CheckError>,
) {
    let from = before.map_or("pending", Status::name);
    let to = after.name();
    let reason = reason.unwrap_or("");
    let cause = error.map(cause).unwrap_or_default();
    match after {
        Status::Healthy => tracing::info!(check, from, to, "health changed"),
        Status::Degraded => tracing::warn!(check, from, to, reason, cause, "health changed"),
        Status::Unavailable | Status::Unhealthy => {
            tracing::error!(check, from, to, reason, cause, "health changed");
        }
    }
}

pub(crate) fn silent(heartbeat: &str) {
    tracing::error!(heartbeat, "a task has fallen silent: the process is not alive");
}

pub(crate) fn goes_on(heartbeat: &str) {
    tracing::info!(heartbeat, "a task that was silent goes on");
}

/// With its own causes: a driver's error often says only that there was one.
fn cause(error: &CheckError) -> String {
    let mut text = String::new();
    let mut next = error.source();
    for _ in 0..DEEPEST {
        let Some(error) = next else { break };
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}
