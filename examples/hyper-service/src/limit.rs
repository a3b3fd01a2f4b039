//! How often a client may come.

use std::env;

use buttress::limit::{ConfigError, Key, LimitLayer, Quota, Rule};

/// What `LIMIT_GENERAL` and `LIMIT_BURST` say, or 100 in 15 minutes and 10 in a second. What one of
/// the two refuses, the other does not count.
pub(crate) fn layer() -> Result<LimitLayer, ConfigError> {
    let general = rule("general", "LIMIT_GENERAL", "100/15m")?;
    let burst = rule("burst", "LIMIT_BURST", "10/s")?;
    // By the client that the log shows.
    LimitLayer::new(Key::client(), [general, burst])
}

fn rule(name: &'static str, variable: &str, default: &str) -> Result<Rule, ConfigError> {
    let quota = match env::var_os(variable) {
        None => default.to_owned(),
        Some(quota) => quota.to_string_lossy().into_owned(),
    };
    Rule::new(name, Quota::from_var(variable, &quota)?)
}
