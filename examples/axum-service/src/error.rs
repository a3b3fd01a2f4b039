//! How handlers fail. The client is told what concerns it; the log has the causes.

use axum::http::StatusCode;
use buttress::{
    problem::{IntoProblem, Problem},
    seal::{KeyError, SealError},
};
use tokio::task::JoinError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("users are counted from 1")]
    NoUser,
    #[error("the user or the password is wrong")]
    WrongPair,
    #[error("{name} is at most {most}")]
    TooMuch { name: &'static str, most: u64 },
    #[error("status is one of a failure, 400 to 599")]
    NoFailure,
    #[error("no page of another origin may open a socket here")]
    OtherOrigin,
    #[error("{name} is of 1 to {most} bytes")]
    Length { name: &'static str, most: usize },
    #[error("there is no such secret")]
    NoSecret,
    #[error("a rotation is under way")]
    Rotating,
    #[error("there is no room for another secret")]
    Full,
    #[error("cannot seal or open the secret")]
    Sealed(#[from] SealError),
    #[error("cannot make a key")]
    Key(#[from] KeyError),
    #[error("cannot get at the secrets")]
    Stored(#[from] rusqlite::Error),
    #[error("the secrets were left in the middle")]
    Left(#[from] JoinError),
    #[error("the upload broke off")]
    Upload(#[source] axum::Error),
    #[error("cannot read the orders")]
    Unreachable(#[source] std::io::Error),
}

impl Error {
    /// Whether a caller's wish is granted.
    pub(crate) const fn at_most(name: &'static str, value: u64, most: u64) -> Result<(), Self> {
        if value <= most { Ok(()) } else { Err(Self::TooMuch { name, most }) }
    }

    /// Whether there is something, and not too much of it.
    pub(crate) const fn of_length(
        name: &'static str,
        bytes: usize,
        most: usize,
    ) -> Result<(), Self> {
        if bytes != 0 && bytes <= most { Ok(()) } else { Err(Self::Length { name, most }) }
    }
}

impl IntoProblem for Error {
    fn to_problem(&self) -> Problem {
        let status = match self {
            Self::NoUser | Self::NoSecret => StatusCode::NOT_FOUND,
            Self::WrongPair => StatusCode::UNAUTHORIZED,
            Self::OtherOrigin => StatusCode::FORBIDDEN,
            Self::TooMuch { .. } | Self::Length { .. } | Self::NoFailure | Self::Upload(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::Rotating => StatusCode::CONFLICT,
            Self::Full => StatusCode::INSUFFICIENT_STORAGE,
            Self::Sealed(_)
            | Self::Key(_)
            | Self::Stored(_)
            | Self::Left(_)
            | Self::Unreachable(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        // From 500 up the stack shows the status alone.
        Problem::new(status).with_detail(self.to_string())
    }
}
