//! How handlers fail. The client is told what concerns it; the log has the causes.

use axum::http::StatusCode;
use buttress::problem::{IntoProblem, Problem};

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
    #[error("cannot read the orders")]
    Orders(#[from] std::io::Error),
}

impl Error {
    /// Whether a caller's wish is granted.
    pub(crate) const fn at_most(name: &'static str, value: u64, most: u64) -> Result<(), Self> {
        if value <= most { Ok(()) } else { Err(Self::TooMuch { name, most }) }
    }
}

impl IntoProblem for Error {
    fn to_problem(&self) -> Problem {
        let status = match self {
            Self::NoUser => StatusCode::NOT_FOUND,
            Self::WrongPair => StatusCode::UNAUTHORIZED,
            Self::OtherOrigin => StatusCode::FORBIDDEN,
            Self::TooMuch { .. } | Self::NoFailure => StatusCode::BAD_REQUEST,
            Self::Orders(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        // From 500 up the stack shows the status alone.
        Problem::new(status).with_detail(self.to_string())
    }
}
