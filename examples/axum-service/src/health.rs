//! What is looked at in the background, and what the probes say of it.

use std::{error::Error, time::Duration};

use buttress::{
    Secret,
    config::Url,
    health::{
        ConfigError, Cpu, Descriptors, Disk, Entry, FnCheck, Growth, Health, HealthLayer,
        Heartbeat, Load, Memory, Registry,
    },
    pool::Redis,
    shutdown::Shutdown,
    source::{CheckError, CheckReport},
};

use crate::{books::Books, secrets::Secrets, upstream::Upstream};

/// How often servers that the service depends on are looked at, and for how long.
const OFTEN: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the pulse may be silent. It beats every second: what is this late, hangs.
const SILENCE: Duration = Duration::from_secs(30);

/// What the settings name to be looked at, and who may see the details.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    pub(crate) status_token: Option<Secret<String>>,
    pub(crate) redis: Option<Secret<Url>>,
}

/// What is watched.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) health: Health,
    /// The probes.
    pub(crate) layer: HealthLayer,
    /// Of the task that beats.
    pub(crate) pulse: Heartbeat,
}

impl Checks {
    /// Begins to look: a task of its own, which ends with the service.
    pub(crate) fn watch(
        self,
        shutdown: &Shutdown,
        upstream: &Upstream,
        secrets: &Secrets,
        books: &Books,
    ) -> Result<Watched, Box<dyn Error>> {
        let secrets = secrets.clone();
        let secrets = FnCheck::new("secrets", move || {
            let secrets = secrets.clone();
            // The cause is for the log.
            async move {
                let failed = |error| CheckError::failed("no answer").because(error);
                secrets.answer().await.map_err(failed).map(|()| CheckReport::ok())
            }
        });
        let pulse = Heartbeat::new("pulse", SILENCE)?;
        let mut registry = Registry::new()
            .version(env!("CARGO_PKG_VERSION"))
            .lifecycle(&shutdown.lifecycle())
            // For liveness: a task that hangs is mended by a restart alone.
            .heartbeat(&pulse)?
            // What may be used up makes the whole degraded, and no more: a busy service works.
            .check(Entry::optional(Memory::new()))?
            .check(Entry::optional(Growth::of_memory()))?
            .check(Entry::optional(Cpu::new()))?
            .check(Entry::optional(Load::new()))?
            .check(Entry::optional(Descriptors::new()))?
            .check(Entry::optional(Disk::of("disk", "/")))?
            // Degraded while its breaker is open.
            .check(Entry::optional(upstream.breaker.clone()).interval(OFTEN)?)?
            // All other routes do without.
            .check(often(Entry::optional(secrets))?)?;
        for entry in books.checks() {
            registry = registry.check(often(entry)?)?;
        }
        if let Some(url) = &self.redis {
            // Without it the limits are each instance's own, and the service works.
            let check = Redis::new(url.expose().as_str())?.pool()?.check();
            registry = registry.check(often(Entry::optional(check))?)?;
        }
        let (health, runner) = registry.split();
        shutdown.spawn("health", |stop| async move {
            stop.run_until_cancelled(runner.run()).await;
        });
        Ok(Watched { layer: self.probes(&health)?, health, pulse })
    }

    fn probes(&self, health: &Health) -> Result<HealthLayer, ConfigError> {
        let probes = HealthLayer::new(health);
        match &self.status_token {
            Some(token) => probes.status_token(token.clone()),
            None => Ok(probes),
        }
    }
}

fn often(entry: Entry) -> Result<Entry, ConfigError> {
    entry.interval(OFTEN)?.timeout(PATIENCE)
}
