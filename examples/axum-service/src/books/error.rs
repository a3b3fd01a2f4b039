//! Why there is no book, or no order.

use axum::http::StatusCode;
use buttress::{
    pool::{self, AcquireError, ConnectError, PgError, PgErrorKind},
    problem::{Category, IntoProblem, Problem},
    shutdown,
};
use rusqlite::ErrorCode;
use tokio::task::JoinError;

/// Why a request of books or orders fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such book")]
    NoBook,
    #[error("there is no such order")]
    NoOrder,
    #[error("there is a book of this ISBN already")]
    Known,
    #[error("there are fewer copies in stock: {stock}")]
    TooFew { stock: i32 },
    #[error("cannot get at the books")]
    Postgres(#[from] PgError),
    #[error("cannot get at the books")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the books were left in the middle")]
    Left(#[from] JoinError),
}

/// Why the books are not opened. Its text has the whole chain.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("DATABASE_URL, DATABASE_POOL: {0}")]
    Config(#[from] pool::ConfigError),
    #[error("DATABASE_URL: {0}")]
    Connect(#[from] ConnectError),
    #[error("SHUTDOWN_GRACE: {0}")]
    Phase(#[from] shutdown::ConfigError),
    #[error("cannot migrate the books: {error}{}", said(.error))]
    Postgres {
        #[from]
        error: PgError,
    },
    #[error("cannot open the books, BOOKS_DB: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error(
        "cannot migrate the books: migration {position} was {applied:?} when it was applied, and \
         is {known:?} here; is this another service's database?"
    )]
    Diverged { position: usize, applied: String, known: &'static str },
}

impl Error {
    /// Whether it may be sent again, a moment later: nothing has been done.
    pub(super) fn is_passing(&self) -> bool {
        use PgErrorKind::{Acquire, Lost, Timeout};

        match self {
            // A `COMMIT` that nobody has answered is not among them: it may have been done.
            Self::Postgres(error) => matches!(error.kind(), Acquire | Lost | Timeout),
            Self::Sqlite(error) => error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy),
            _ => false,
        }
    }

    /// Whether there is no room for more: in memory, or on the disk.
    fn is_full(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        error.sqlite_error_code() == Some(ErrorCode::DiskFull)
    }
}

impl From<AcquireError> for Error {
    fn from(error: AcquireError) -> Self {
        Self::Postgres(error.into())
    }
}

impl IntoProblem for Error {
    fn to_problem(&self) -> Problem {
        let status = match self {
            Self::NoBook | Self::NoOrder => StatusCode::NOT_FOUND,
            Self::Known | Self::TooFew { .. } => StatusCode::CONFLICT,
            _ if self.is_full() => StatusCode::INSUFFICIENT_STORAGE,
            _ if self.is_passing() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Postgres(_) | Self::Sqlite(_) | Self::Left(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        let problem = Problem::new(status).with_detail(self.to_string());
        match self {
            Self::TooFew { stock } => problem.with_member("stock", i64::from(*stock)),
            _ => problem,
        }
    }

    fn category(&self) -> Option<Category> {
        matches!(self, Self::Postgres(_)).then_some(Category::Upstream)
    }
}

/// What the server says. In statements of ours there are no values that it could repeat.
fn said(error: &PgError) -> String {
    let server = error.driver_error().and_then(|error| error.as_db_error());
    server.map(|error| format!(": {}", error.message())).unwrap_or_default()
}
