//! Whether the service is up, and who may see how.

use buttress::{
    Secret,
    health::{ConfigError, Entry, HealthLayer, Memory, Registry},
    shutdown::Shutdown,
};

/// The probes; and the details at `/status`, if there is a token for them.
pub(crate) fn layer(
    shutdown: &Shutdown,
    status_token: Option<Secret<String>>,
) -> Result<HealthLayer, ConfigError> {
    let (health, runner) = Registry::new()
        .lifecycle(&shutdown.lifecycle())
        .version(env!("CARGO_PKG_VERSION"))
        // Full, it is told in the log and in the details. A database that nothing works without is
        // `critical`.
        .check(Entry::optional(Memory::new()))?
        .split();
    shutdown.spawn("health", |stop| async move {
        stop.run_until_cancelled(runner.run()).await;
    });
    let layer = HealthLayer::new(&health);
    match status_token {
        Some(token) => layer.status_token(token),
        None => Ok(layer),
    }
}
