//! Redis: deadpool-redis and redis.

use std::{fmt, panic::Location, sync::Arc, time::Duration};

use buttress_core::{
    Secret,
    source::{Metrics, Sample},
};
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use self::driver::RedisDriver;
pub use self::{check::RedisCheck, connection::RedisConnection};
use crate::{
    address::{is_misread, place},
    backoff::Backoff,
    check::{Gauge, Saturation, Status},
    connect::ConnectError,
    core::Core,
    error::{AcquireError, ConfigError, ConfigErrorKind as Kind},
    lease::{Lease, StillOut},
    limits::{Limits, check_time},
    probe::Probe,
    work::{Account, SLOW},
};

mod check;
mod connection;
mod driver;

/// Which Redis, and how to use it. [`pool`](Self::pool) makes the pool.
///
/// | | default |
/// |---|---|
/// | [`name`](Self::name) | `redis`, in logs, metrics and checks |
/// | [`limits`](Self::limits) | those of [`Limits`] |
/// | [`command_timeout`](Self::command_timeout) | 2 s |
/// | [`slow_command`](Self::slow_command) | 1 s |
///
/// ```
/// use buttress_pool::{Backoff, Redis, deadpool_redis::redis::AsyncCommands};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Redis::new("redis://:secret@cache:6379/0")?.pool()?;
/// pool.connect_with_retry(Backoff::new()).await?;
///
/// let mut connection = pool.get().await?;
/// let visits: u64 = connection.incr("visits", 1).await?;
/// # let _ = visits;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Redis {
    address: ConnectionInfo,
    name: Arc<str>,
    limits: Limits,
    timeout: Duration,
    slow: Duration,
}

impl Redis {
    /// At this address: `redis://[user:password@]host[:port][/database]`, or
    /// `redis+unix:///path`. For `rediss://`, turn on a TLS feature of the crate redis. In a user or
    /// password `@`, `/`, `?` and `#` have to be percent-encoded.
    ///
    /// # Errors
    /// Where it is none, would be misread for want of such an encoding, or asks for TLS and there
    /// is no such feature. The address is never quoted.
    pub fn new(address: impl Into<Secret<String>>) -> Result<Self, ConfigError> {
        let address = address.into();
        if is_misread(address.expose()) {
            return Err(ConfigError::misread());
        }
        if asks_for_tls(address.expose()) && !has_tls() {
            let message = "the address asks for TLS, which is a feature of the crate redis: \
                           `tokio-rustls-comp`, for example";
            return Err(ConfigError::new(Kind::Tls, message));
        }
        let address = address.expose().as_str().into_connection_info().map_err(|_| {
            let message = "no address of a Redis server: redis://user:password@host:port/database";
            ConfigError::new(Kind::Address, message)
        })?;
        let (limits, timeout) = (Limits::new(), Duration::from_secs(2));
        Ok(Self { address, name: "redis".into(), limits, timeout, slow: SLOW })
    }

    /// Tells it apart from other pools: 1 to 64 bytes.
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// How large the pool is, and how long anything in it may take.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long a command, or a whole pipeline, may take, those that wait (`BLPOP`, `WAIT`, `XREAD
    /// BLOCK`) included. The connection is thrown away then; Redis itself has no way to cancel.
    pub const fn command_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// From which time on a command is logged as slow: its name, and never an argument.
    pub const fn slow_command(mut self, threshold: Duration) -> Self {
        self.slow = threshold;
        self
    }

    /// Makes the pool. It connects to nothing: the first use does, or
    /// [`RedisPool::connect_with_retry`].
    ///
    /// # Errors
    /// Where the limits or the name are wrong, or there is no tokio runtime here.
    pub fn pool(self) -> Result<RedisPool, ConfigError> {
        check_time("command timeout", self.timeout)?;
        let account =
            Account { pool: Arc::clone(&self.name), slow: self.slow, counts: Arc::default() };
        let counts = Arc::clone(&account.counts);
        let at = at(&self.address);
        let driver = RedisDriver::new(self.address, at, account, self.timeout, self.limits)?;
        Ok(RedisPool { core: Core::new(self.name, self.limits, counts, Arc::new(driver))? })
    }
}

fn asks_for_tls(address: &str) -> bool {
    let scheme = address.split_once("://").map_or("", |(scheme, _)| scheme);
    ["rediss", "valkeys"].iter().any(|tls| scheme.eq_ignore_ascii_case(tls))
}

/// Whether the crate redis was built with a feature for it.
fn has_tls() -> bool {
    let (host, port) = (String::new(), 0);
    ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }.is_supported()
}

/// `host:port/database`.
fn at(address: &ConnectionInfo) -> String {
    let server = match address.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            place(host, *port)
        }
        ConnectionAddr::Unix(path) => path.display().to_string(),
        _ => String::from("redis"),
    };
    format!("{server}/{}", address.redis_settings().db())
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("name", &self.name)
            .field("at", &at(&self.address))
            .field("limits", &self.limits)
            .field("command_timeout", &self.timeout)
            .field("slow_command", &self.slow)
            .finish_non_exhaustive()
    }
}

/// A pool of connections to a Redis server. A clone is another handle to the same one.
///
/// It is a [`Metrics`] source. When the last handle and the last connection are dropped, it closes.
#[derive(Clone)]
pub struct RedisPool {
    core: Arc<Core<Arc<RedisDriver>>>,
}

impl RedisPool {
    /// Connects, with retries where that makes sense, and opens
    /// [`min_idle`](Limits::min_idle) connections, at least one: for when the service starts.
    ///
    /// Every failed attempt is logged as a warning, with the reason and the pause. It retries what
    /// [is transient](crate::ConnectErrorKind::is_transient), such as a refused connection, a
    /// timeout, or a server that loads its data; a wrong password fails at once.
    ///
    /// # Errors
    /// Where the time is over, or at once where another attempt would change nothing.
    pub async fn connect_with_retry(&self, backoff: Backoff) -> Result<(), ConnectError> {
        self.core.connect_with_retry(backoff).await
    }

    /// A connection, for as long as it is kept. The place of this call is remembered: it is in the
    /// warning of a connection that is out for long, and in [`StillOut`].
    ///
    /// # Errors
    /// Where all are out for too long, none can be made, or the pool is closed.
    #[track_caller]
    pub fn get(
        &self,
    ) -> impl Future<Output = Result<RedisConnection, AcquireError>> + Send + use<> {
        let (core, place) = (Arc::clone(&self.core), Location::caller());
        async move { core.acquire(place).await.map(RedisConnection::new) }
    }

    /// The pool's present numbers.
    #[must_use]
    pub fn status(&self) -> Status {
        self.core.status()
    }

    /// What is out, the longest first.
    #[must_use]
    pub fn leases(&self) -> Vec<Lease> {
        self.core.leases.all()
    }

    /// Whether the server answers, over a connection of the check's own: an exhausted pool is no
    /// reason for a service to be taken out.
    #[must_use]
    pub fn check(&self) -> RedisCheck {
        RedisCheck(Probe::new(&self.core))
    }

    /// Whether the pool is used to its limit: a degradation, and never a failure. Its name is the
    /// pool's with `-saturation`.
    #[must_use]
    pub fn saturation(&self) -> Saturation {
        self.core.saturation()
    }

    /// Closes the pool: who asks for a connection from now on is refused, and those that come back
    /// are closed.
    pub fn close(&self) {
        self.core.close();
    }

    /// Closes the pool, and waits until every connection is back: for a phase of a shutdown.
    ///
    /// # Errors
    /// Where some are not back in time; it names them.
    pub async fn close_and_wait(&self, within: Duration) -> Result<(), StillOut> {
        self.core.close_and_wait(within).await
    }
}

impl Metrics for RedisPool {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        self.core.collect(each);
    }
}

impl fmt::Debug for RedisPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}
