use std::fmt;

use http::StatusCode;

/// What kind of failure it was, for logs and metrics: one of nine words.
///
/// From 500 up the layer sets it as the request's
/// [`error_type`](buttress_core::context::RequestContext::error_type), unless a layer further in
/// has set a word of its own. What is below is the client's mistake, and no error of the server's.
///
/// ```
/// use buttress_problem::Category;
/// use http::StatusCode;
///
/// assert_eq!(Category::of(StatusCode::GATEWAY_TIMEOUT), Some(Category::Timeout));
/// assert_eq!(Category::of(StatusCode::OK), None);
/// assert_eq!(Category::RateLimited.to_string(), "rate_limited");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Category {
    /// `client_error`: the request is at fault, in none of the ways below.
    ClientError,
    /// `auth`: who asks is not known (401, 407, 511), or may not (403).
    Auth,
    /// `not_found`: 404 and 410.
    NotFound,
    /// `validation`: understood, and not acceptable (422).
    Validation,
    /// `rate_limited`: 429.
    RateLimited,
    /// `timeout`: 408 and 504.
    Timeout,
    /// `server_error`: the service is at fault, in none of the other ways.
    ServerError,
    /// `upstream`: what the service depends on is at fault (502).
    Upstream,
    /// `panic`: the service panicked.
    Panic,
}

impl Category {
    /// The category of an answer of which no more is known than its status; none below 400.
    #[must_use]
    pub const fn of(status: StatusCode) -> Option<Self> {
        Some(match status.as_u16() {
            ..400 => return None,
            401 | 403 | 407 | 511 => Self::Auth,
            404 | 410 => Self::NotFound,
            408 | 504 => Self::Timeout,
            422 => Self::Validation,
            429 => Self::RateLimited,
            502 => Self::Upstream,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
        })
    }

    /// The word for a log field or a metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientError => "client_error",
            Self::Auth => "auth",
            Self::NotFound => "not_found",
            Self::Validation => "validation",
            Self::RateLimited => "rate_limited",
            Self::Timeout => "timeout",
            Self::ServerError => "server_error",
            Self::Upstream => "upstream",
            Self::Panic => "panic",
        }
    }
}

/// Its [word](Category::as_str).
impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
