//! Postgres: deadpool-postgres and tokio-postgres.

use std::{error::Error as _, fmt, panic::Location, sync::Arc, time::Duration};

use buttress_core::{
    Secret,
    source::{Metrics, Sample},
};
use tokio_postgres::{
    Config, Socket,
    config::{Host, SslMode, SslNegotiation},
    tls::{MakeTlsConnect, TlsConnect},
};

pub use self::{
    check::PgCheck,
    connection::PgConnection,
    error::{PgError, PgErrorKind},
    normal::normalize,
    options::TxOptions,
    session::Session,
    statements::Statements,
    transaction::{Transaction, TxFuture, with_transaction},
};
use self::{
    dial::{Dial, Plain, Tls},
    driver::PgDriver,
    session::Tuning,
};
use crate::{
    address::{is_misread, may_be_plain},
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
mod dial;
mod driver;
mod error;
mod normal;
mod options;
mod session;
mod statements;
mod transaction;

/// Which Postgres, and how to use it. [`pool`](Self::pool) makes the pool.
///
/// | | default |
/// |---|---|
/// | [`name`](Self::name) | `postgres`, in logs, metrics and checks |
/// | [`limits`](Self::limits) | those of [`Limits`] |
/// | [`statement_timeout`](Self::statement_timeout) | 30 s |
/// | [`slow_statement`](Self::slow_statement) | 1 s |
/// | [`tls`](Self::tls) | none; an address with `sslmode=require` is refused then |
///
/// ```
/// use buttress_pool::{Backoff, Limits, Postgres};
/// use std::time::Duration;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Postgres::new("postgres://app:secret@db:5432/shop")?
///     .limits(Limits::new().size(20).min_idle(2))
///     .statement_timeout(Duration::from_secs(10))
///     .pool()?;
/// pool.connect_with_retry(Backoff::new()).await?;
///
/// let connection = pool.get().await?;
/// let row = connection.query_one("SELECT title FROM books WHERE id = $1", &[&7_i64]).await?;
/// let title: &str = row.get(0);
/// # let _ = title;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Postgres {
    config: Config,
    name: Arc<str>,
    limits: Limits,
    statement_timeout: Duration,
    slow: Duration,
    /// `None` is never encrypted.
    tls: Option<Arc<dyn Dial>>,
    /// Whether the address says that it need not be encrypted.
    may_be_plain: bool,
}

impl Postgres {
    /// At this address: `postgres://user:password@host:port/database?key=value`, or the form
    /// `host=… user=… password=…`, as tokio-postgres reads them. In a user or password `@`, `/` and
    /// `?` have to be percent-encoded.
    ///
    /// # Errors
    /// Where it is none, names no host, or would be misread for want of such an encoding: a piece
    /// of the password would be the host then, and in the logs. The address is never quoted.
    pub fn new(address: impl Into<Secret<String>>) -> Result<Self, ConfigError> {
        const WRONG: &str =
            "no address of a Postgres server: postgres://user:password@host/database";

        let address = address.into();
        if is_misread(address.expose()) {
            return Err(ConfigError::misread());
        }
        let config: Config = address.expose().parse().map_err(|error| {
            ConfigError::new(Kind::Address, format!("{WRONG}{}", what_is_wrong(&error)))
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(ConfigError::new(Kind::Address, WRONG));
        }
        Ok(Self {
            config,
            name: "postgres".into(),
            limits: Limits::new(),
            statement_timeout: Duration::from_secs(30),
            slow: SLOW,
            tls: None,
            may_be_plain: may_be_plain(address.expose()),
        })
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

    /// How long a statement may take. The server is told (`statement_timeout`, with the startup
    /// parameter `options`, which a pgbouncer has to let through or ignore) and cancels it. Half a
    /// second later, if nothing has been heard, the client asks it to by itself.
    pub const fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = timeout;
        self
    }

    /// From which time on a statement is logged as slow.
    pub const fn slow_statement(mut self, threshold: Duration) -> Self {
        self.slow = threshold;
        self
    }

    /// Encrypts connections, and what cancels a statement, by this connector, such as
    /// `tokio_postgres_rustls::MakeRustlsConnect`. Then they must be encrypted, unless it is a socket
    /// of Unix, or the address itself says `sslmode=prefer` or `disable`: with these, who stands
    /// between may have it plain.
    pub fn tls<T>(mut self, connector: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send + Sync,
        T::TlsConnect: Send + Sync,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        self.tls = Some(Arc::new(Tls(connector)));
        self
    }

    /// Makes the pool. It connects to nothing: the first use does, or
    /// [`PgPool::connect_with_retry`].
    ///
    /// # Errors
    /// Where the limits or the name are wrong, the address asks for encryption and there is no
    /// [connector](Self::tls), or there is no tokio runtime here.
    pub fn pool(mut self) -> Result<PgPool, ConfigError> {
        check_time("statement timeout", self.statement_timeout)?;
        let dial = self.dial()?;
        let millis = self.statement_timeout.as_millis();
        let given = self.config.get_options().unwrap_or_default();
        let options = format!("{given} -c statement_timeout={millis}");
        self.config.options(options.trim_start());
        let tuning = Tuning {
            account: Account {
                pool: Arc::clone(&self.name),
                slow: self.slow,
                counts: Arc::default(),
            },
            statement_timeout: self.statement_timeout,
            config: self.config,
            dial,
        };
        let counts = Arc::clone(&tuning.account.counts);
        let driver = Arc::new(PgDriver::new(tuning));
        Ok(PgPool { core: Core::new(self.name, self.limits, counts, driver)? })
    }

    fn dial(&mut self) -> Result<Arc<dyn Dial>, ConfigError> {
        if let Some(tls) = &self.tls {
            // A server encrypts no socket of Unix.
            let is_network =
                self.config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)))
                    || !self.config.get_hostaddrs().is_empty();
            if is_network && !self.may_be_plain {
                self.config.ssl_mode(SslMode::Require);
            }
            return Ok(Arc::clone(tls));
        }
        // With the latter alone, the driver would go on without: to it, `prefer` asks for nothing.
        let must_be_encrypted = self.config.get_ssl_mode() == SslMode::Require
            || self.config.get_ssl_negotiation() == SslNegotiation::Direct;
        if must_be_encrypted {
            let message = "the address asks for an encrypted connection (sslmode, sslnegotiation), \
                           and there is no connector: Postgres::tls takes one";
            return Err(ConfigError::new(Kind::Tls, message));
        }
        Ok(Arc::new(Plain))
    }
}

/// The driver's own error quotes what it did not understand, which may be a piece of a password.
/// That of a value names its parameter alone, one that the driver knows.
fn what_is_wrong(error: &tokio_postgres::Error) -> String {
    let said = error.source().map(ToString::to_string).unwrap_or_default();
    match said.strip_prefix("invalid value for option `").and_then(|rest| rest.strip_suffix('`')) {
        Some("sslmode") => String::from("; sslmode is disable, prefer or require"),
        Some(parameter) => format!("; {parameter} has a value that is none"),
        None => String::new(),
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("name", &self.name)
            .field("at", &driver::at(&self.config))
            .field("limits", &self.limits)
            .field("statement_timeout", &self.statement_timeout)
            .field("slow_statement", &self.slow)
            .finish_non_exhaustive()
    }
}

/// A pool of connections to a Postgres server. A clone is another handle to the same one.
///
/// It is a [`Metrics`] source. When the last handle and the last connection are dropped, it closes.
#[derive(Clone)]
pub struct PgPool {
    core: Arc<Core<Arc<PgDriver>>>,
}

impl PgPool {
    /// Connects, with retries where that makes sense, and opens
    /// [`min_idle`](Limits::min_idle) connections, at least one: for when the service starts.
    ///
    /// Every failed attempt is logged as a warning, with the reason and the pause. It retries what
    /// [is transient](crate::ConnectErrorKind::is_transient): a refused connection, a timeout, a
    /// name that is not found yet, a server that starts (57P03) or has no connection left (53300).
    /// A wrong password (28P01), user (28000) or database (3D000) fails at once.
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
    pub fn get(&self) -> impl Future<Output = Result<PgConnection, AcquireError>> + Send + use<> {
        let (core, place) = (Arc::clone(&self.core), Location::caller());
        async move { core.acquire(place).await.map(PgConnection::new) }
    }

    pub(crate) async fn get_at(
        &self,
        place: &'static Location<'static>,
    ) -> Result<PgConnection, AcquireError> {
        self.core.acquire(place).await.map(PgConnection::new)
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
    pub fn check(&self) -> PgCheck {
        PgCheck(Probe::new(&self.core))
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

    pub(crate) fn tx_retried(&self) {
        self.core.counts.tx_retries.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Metrics for PgPool {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        self.core.collect(each);
    }
}

impl fmt::Debug for PgPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}
