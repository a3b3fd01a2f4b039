//! Why a configuration was refused, and why there was no connection.

use std::{borrow::Cow, error::Error, fmt};

use crate::connect::ConnectError;

/// A configuration that cannot be right, refused when it is made. Its text says what and why, and
/// never quotes an address, since a password may be in it.
///
/// ```
/// # #[cfg(feature = "postgres")] {
/// use buttress_pool::{ConfigErrorKind, Postgres};
///
/// let error = Postgres::new("postgres:/app:hunter2@db").unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Address);
/// assert!(!format!("{error} {error:?}").contains("hunter2"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    kind: ConfigErrorKind,
    message: Cow<'static, str>,
}

/// The kinds of [`ConfigError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// No address of such a server.
    Address,
    /// A name that is empty, longer than 64 bytes, or has control characters.
    Name,
    /// A pool of no connections or too many, or more idle ones than it can have.
    Size,
    /// A time of less than a millisecond or more than a day.
    Time,
    /// The address asks for encryption, and nothing here can encrypt.
    Tls,
    /// No tokio runtime here.
    Runtime,
}

impl ConfigError {
    pub(crate) fn new(kind: ConfigErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    #[cfg(any(feature = "postgres", feature = "redis"))]
    pub(crate) fn misread() -> Self {
        let message = "the address would be misread: in a user or password, `@`, `/`, `?` and `#` \
                       have to be percent-encoded (%40, %2F, %3F, %23), and parameters begin with \
                       `?`";
        Self::new(ConfigErrorKind::Address, message)
    }

    /// What kind of mistake it is, for a program.
    #[must_use]
    pub const fn kind(&self) -> ConfigErrorKind {
        self.kind
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ConfigError {}

/// Why a pool had no connection to give.
///
/// ```
/// use buttress_pool::{AcquireError, AcquireErrorKind};
///
/// /// For an answer of 503 Service Unavailable.
/// fn retry_after_secs(error: &AcquireError) -> Option<u32> {
///     match error.kind() {
///         AcquireErrorKind::Wait => Some(1),
///         AcquireErrorKind::Connect => Some(30),
///         _ => None,
///     }
/// }
/// ```
#[derive(Debug)]
pub struct AcquireError {
    kind: AcquireErrorKind,
    source: Option<ConnectError>,
}

/// The kinds of [`AcquireError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcquireErrorKind {
    /// All connections were out for as long as one may wait.
    Wait,
    /// A connection was to be made, and could not; [`AcquireError::connect_error`] says why.
    Connect,
    /// The pool is closed.
    Closed,
}

impl AcquireError {
    #[cfg(any(feature = "postgres", feature = "redis"))]
    pub(crate) const fn new(kind: AcquireErrorKind) -> Self {
        Self { kind, source: None }
    }

    #[cfg(any(feature = "postgres", feature = "redis"))]
    pub(crate) const fn connect(source: ConnectError) -> Self {
        Self { kind: AcquireErrorKind::Connect, source: Some(source) }
    }

    #[cfg(any(feature = "postgres", feature = "redis"))]
    pub(crate) fn into_connect_error(self) -> Option<ConnectError> {
        self.source
    }

    /// What kind of failure it is, for a program.
    #[must_use]
    pub const fn kind(&self) -> AcquireErrorKind {
        self.kind
    }

    /// Why a connection could not be made, if it was that.
    #[must_use]
    pub const fn connect_error(&self) -> Option<&ConnectError> {
        self.source.as_ref()
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            AcquireErrorKind::Wait => "all connections of the pool are out",
            AcquireErrorKind::Connect => "no connection could be made",
            AcquireErrorKind::Closed => "the pool is closed",
        })
    }
}

impl Error for AcquireError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
