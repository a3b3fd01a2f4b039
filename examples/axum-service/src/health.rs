//! What is looked at in the background, and what the probes say of it.

use std::time::Duration;

use buttress::{
    Secret,
    config::Url,
    health::{
        ConfigError, Cpu, Descriptors, Disk, Entry, FnCheck, Growth, Health, HealthLayer,
        Heartbeat, Load, Memory, Registry,
    },
    shutdown::Shutdown,
    source::{CheckError, CheckReport},
};
use redis::{Client, RedisResult};
use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{secrets::Secrets, upstream::Upstream};

/// How often servers that the service depends on are looked at, and for how long.
const OFTEN: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the pulse may be silent. It beats every second: what is this late, hangs.
const SILENCE: Duration = Duration::from_secs(30);

/// The port of Postgres where an address names none.
const POSTGRES: u16 = 5432;
/// Its length, and the code of an `SSLRequest` ("Message Formats" in the manual of Postgres).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// What the settings name to be looked at, and who may see the details.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    pub(crate) status_token: Option<Secret<String>>,
    pub(crate) redis: Option<Secret<Url>>,
    pub(crate) postgres: Option<Secret<Url>>,
}

/// Where Postgres is. The user and the password are not kept: nobody signs in.
#[derive(Clone, Debug)]
struct Postgres {
    host: String,
    port: u16,
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
    ) -> Result<Watched, ConfigError> {
        let secrets = secrets.clone();
        let secrets = FnCheck::new("secrets", move || {
            let secrets = secrets.clone();
            async move { passed(secrets.answer().await) }
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
        if let Some(url) = &self.redis {
            let url = url.clone();
            let check = FnCheck::new("redis", move || {
                let url = url.clone();
                async move { passed(ping(&url).await) }
            });
            // Without it the limits are each instance's own, and the service works.
            registry = registry.check(often(Entry::optional(check))?)?;
        }
        if let Some(url) = &self.postgres {
            let postgres = Postgres::at(url.expose());
            let check = FnCheck::new("postgres", move || {
                let postgres = postgres.clone();
                async move { passed(postgres.answers().await) }
            });
            registry = registry.check(often(Entry::critical(check))?)?;
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

/// The cause may name a host: it is for the log.
fn passed<E>(answered: Result<(), E>) -> Result<CheckReport, CheckError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    answered
        .map(|()| CheckReport::ok())
        .map_err(|error| CheckError::failed("no answer").because(error))
}

/// Over a connection of its own: that one more can be had, and signed in, is a part of the answer.
async fn ping(url: &Secret<Url>) -> RedisResult<()> {
    let mut redis = Client::open(url.expose().as_str())?.get_multiplexed_async_connection().await?;
    redis::cmd("PING").query_async(&mut redis).await
}

impl Postgres {
    fn at(url: &Url) -> Self {
        // The brackets of an IPv6 address belong to the URL.
        let host = url.host().unwrap_or("localhost").trim_matches(['[', ']']).to_owned();
        Self { host, port: url.port().unwrap_or(POSTGRES) }
    }

    /// Asks whether it speaks TLS, as a session may begin, and leaves. It shows that a Postgres is
    /// there and answers; not that the password is right, nor that a query would run.
    async fn answers(&self) -> io::Result<()> {
        let mut postgres = TcpStream::connect((self.host.as_str(), self.port)).await?;
        postgres.write_all(&SSL_REQUEST).await?;
        match postgres.read_u8().await? {
            b'S' | b'N' => Ok(()),
            other => Err(io::Error::other(format!("no answer of Postgres: {other:#04x}"))),
        }
    }
}
