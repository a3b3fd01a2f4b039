//! Why a statement or a transaction failed.

use std::{error::Error, fmt};

use tokio_postgres::error::SqlState;

use crate::error::{AcquireError, AcquireErrorKind};

/// Why a statement or a transaction failed.
///
/// `Display` and `Debug` have no values of the data, which Postgres puts into its messages and
/// details (`Key (email)=(ada@example.org) already exists`); they are in the
/// [source](Error::source).
///
/// ```
/// use buttress_pool::{PgError, tokio_postgres::error::SqlState};
///
/// fn is_duplicate(error: &PgError) -> bool {
///     error.code() == Some(&SqlState::UNIQUE_VIOLATION)
/// }
/// ```
///
/// It is made of the driver's error too, so that `?` takes what `Row::try_get` answers, and what was
/// done with [the driver's own client](super::PgConnection::client_mut).
///
/// ```
/// use buttress_pool::{PgError, tokio_postgres::Row};
///
/// fn title(row: &Row) -> Result<Option<String>, PgError> {
///     Ok(row.try_get("title")?)
/// }
/// ```
pub struct PgError {
    kind: PgErrorKind,
    source: Option<Source>,
}

enum Source {
    Acquire(AcquireError),
    Driver(tokio_postgres::Error),
}

/// The kinds of [`PgError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PgErrorKind {
    /// There was no connection to use.
    Acquire,
    /// The statement was cancelled because it ran over its time, or that was asked for at least.
    Timeout,
    /// The server refused the statement; [`PgError::code`] says why.
    Refused,
    /// The connection broke.
    Lost,
    /// The statement could not be sent, or its answer not be read as was asked: a parameter of the
    /// wrong type, a row too many or too few.
    Usage,
    /// The connection broke at `COMMIT`, or the server said that it does not know: the transaction
    /// may be committed or not.
    CommitUnknown,
    /// A statement of the transaction had failed, and its error was not handed on: nothing was
    /// committed.
    Aborted,
}

impl PgErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::Acquire => "no connection",
            Self::Timeout => "the statement ran over its time",
            Self::Refused => "the server refused the statement",
            Self::Lost => "the connection broke",
            Self::Usage => "the statement or its answer does not fit",
            Self::CommitUnknown => "whether the transaction was committed is not known",
            Self::Aborted => "the transaction was rolled back, as a statement of it had failed",
        }
    }
}

impl PgError {
    pub(super) fn new(kind: PgErrorKind, source: Option<tokio_postgres::Error>) -> Self {
        Self { kind, source: source.map(Source::Driver) }
    }

    pub(super) fn with_kind(mut self, kind: PgErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// What kind of failure it is, for a program.
    #[must_use]
    pub const fn kind(&self) -> PgErrorKind {
        self.kind
    }

    /// What the server said, as SQLSTATE, if it said anything.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        self.driver_error().and_then(tokio_postgres::Error::code)
    }

    /// Why there was no connection, if it was that.
    #[must_use]
    pub fn acquire_error(&self) -> Option<&AcquireError> {
        match &self.source {
            Some(Source::Acquire(error)) => Some(error),
            _ => None,
        }
    }

    /// The driver's error, if there is one: the constraint's name is in there, for example, and the
    /// values as well.
    #[must_use]
    pub fn driver_error(&self) -> Option<&tokio_postgres::Error> {
        match &self.source {
            Some(Source::Driver(error)) => Some(error),
            _ => None,
        }
    }

    /// Whether all connections of the pool were out for too long: the caller may be told to come
    /// again.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.acquire_error().is_some_and(|error| error.kind() == AcquireErrorKind::Wait)
    }
}

pub(super) fn kind(error: &tokio_postgres::Error) -> PgErrorKind {
    use PgErrorKind::{Lost, Refused, Usage};

    if let Some(server) = error.as_db_error() {
        return if is_fatal(server) { Lost } else { Refused };
    }
    let is_io = error.source().is_some_and(<dyn Error>::is::<std::io::Error>);
    if error.is_closed() || is_io { Lost } else { Usage }
}

/// The server ends the session after such an error, as when it is told to stop (57P01).
pub(super) fn is_fatal(error: &tokio_postgres::error::DbError) -> bool {
    use tokio_postgres::error::Severity::{Fatal, Panic};

    match error.parsed_severity() {
        Some(severity) => matches!(severity, Fatal | Panic),
        None => matches!(error.severity(), "FATAL" | "PANIC"),
    }
}

impl From<AcquireError> for PgError {
    fn from(error: AcquireError) -> Self {
        Self { kind: PgErrorKind::Acquire, source: Some(Source::Acquire(error)) }
    }
}

impl From<tokio_postgres::Error> for PgError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::new(kind(&error), Some(error))
    }
}

impl fmt::Display for PgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.text())?;
        match self.code() {
            Some(code) => write!(f, " (SQLSTATE {})", code.code()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for PgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgError")
            .field("kind", &self.kind)
            .field("code", &self.code().map(SqlState::code))
            .field("acquire_error", &self.acquire_error())
            .finish_non_exhaustive()
    }
}

impl Error for PgError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.source.as_ref()? {
            Source::Acquire(error) => Some(error),
            Source::Driver(error) => Some(error),
        }
    }
}
