//! Why a connection could not be made.

use std::{error::Error, fmt, time::Duration};

/// Why a connection could not be made. Its text has the one clear word for it, and where it was
/// tried; never a password.
///
/// ```
/// use buttress_pool::ConnectError;
///
/// /// Worth another attempt, or a mistake that stays one?
/// fn advise(error: &ConnectError) -> &'static str {
///     if error.kind().is_transient() { "it may come up yet" } else { "the configuration is wrong" }
/// }
/// ```
#[derive(Debug)]
pub struct ConnectError {
    kind: ConnectErrorKind,
    at: String,
    detail: Option<String>,
    attempts: u32,
    took: Duration,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kinds of [`ConnectError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// Nobody listens there.
    Refused,
    /// No answer in time.
    Timeout,
    /// The name is not found, there is no way there, or the connection broke while it was made.
    Unreachable,
    /// The server starts, stops or recovers (SQLSTATE class 57P; Redis' `LOADING`).
    NotReady,
    /// The server has no connection left (SQLSTATE class 53; Redis' `max number of clients`).
    Full,
    /// The user or its password is wrong, or may not come from here (SQLSTATE class 28).
    Credentials,
    /// There is no such database (SQLSTATE 3D000).
    NoDatabase,
    /// Anything else; the text says what, and the source more, where there is one.
    Other,
}

impl ConnectErrorKind {
    /// Whether it may go away by itself, so that another attempt makes sense.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Refused | Self::Timeout | Self::Unreachable | Self::NotReady | Self::Full => true,
            Self::Credentials | Self::NoDatabase | Self::Other => false,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Refused => "the connection was refused",
            Self::Timeout => "there was no answer in time",
            Self::Unreachable => "it cannot be reached",
            Self::NotReady => "it is not ready",
            Self::Full => "it has no connection left",
            Self::Credentials => "it does not accept the user or the password",
            Self::NoDatabase => "it has no such database",
            Self::Other => "it cannot be used",
        }
    }
}

#[cfg_attr(
    not(any(feature = "postgres", feature = "redis")),
    expect(dead_code, reason = "there is no pool then")
)]
impl ConnectError {
    pub(crate) fn new(
        kind: ConnectErrorKind,
        at: &str,
        source: Option<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { kind, at: at.into(), detail: None, attempts: 1, took: Duration::ZERO, source }
    }

    /// What else there is to say of it, where its kind says little: on one line, and never what a
    /// server says, in which there may be anything.
    pub(crate) fn detailed(mut self, detail: Option<String>) -> Self {
        self.detail = detail.map(|detail| detail.replace(char::is_control, " "));
        self
    }

    pub(crate) const fn after(mut self, attempts: u32, took: Duration) -> Self {
        self.attempts = attempts;
        self.took = took;
        self
    }
}

impl ConnectError {
    /// What kind of failure it is, for a program: of several attempts the last one's.
    #[must_use]
    pub const fn kind(&self) -> ConnectErrorKind {
        self.kind
    }

    /// How many attempts were made.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, at, detail, attempts, took, .. } = self;
        write!(f, "{at}: {}", kind.text())?;
        if let Some(detail) = detail {
            write!(f, ": {detail}")?;
        }
        if *attempts > 1 {
            write!(f, " ({attempts} attempts in {took:.1?})")?;
        }
        Ok(())
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
