//! Whether the service is up, and who may see how.

use std::env;

use buttress::{
    health::{Entry, HealthLayer, Memory, Registry},
    shutdown::Shutdown,
};

/// The probes; and the details at `/status`, if there is a `STATUS_TOKEN`.
pub(crate) fn layer(shutdown: &Shutdown) -> Result<HealthLayer, String> {
    let (health, runner) = Registry::new()
        .lifecycle(&shutdown.lifecycle())
        .version(env!("CARGO_PKG_VERSION"))
        // Full, it is told in the log and in the details. A database that nothing works without is
        // `critical`.
        .check(Entry::optional(Memory::new()))
        .map_err(|error| error.to_string())?
        .split();
    shutdown.spawn("health", |stop| async move {
        stop.run_until_cancelled(runner.run()).await;
    });
    let layer = HealthLayer::new(&health);
    let Some(token) = env::var_os("STATUS_TOKEN") else { return Ok(layer) };
    // An empty one is a mistake, not a way to leave the door open.
    let token = token.to_string_lossy().into_owned();
    layer.status_token(token.into()).map_err(|error| format!("STATUS_TOKEN: {error}"))
}
