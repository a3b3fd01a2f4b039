//! What is said of a check, or of the whole service.

use http::StatusCode;

/// How something is. Of several, the worst counts: they are ordered.
///
/// ```
/// use buttress_health::Status;
///
/// assert_eq!(Status::Healthy.max(Status::Degraded), Status::Degraded);
/// assert_eq!(Status::Degraded.http(), 200);
/// assert_eq!(Status::Unavailable.http(), 503);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Status {
    /// It works.
    Healthy,
    /// It works, but not as it should.
    Degraded,
    /// Nothing is known of it: not yet, or no longer.
    Unavailable,
    /// It does not work.
    Unhealthy,
}

impl Status {
    /// The status of an answer: 200 while it works, else 503.
    #[must_use]
    pub const fn http(self) -> StatusCode {
        if self.is_up() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
    }

    /// Whether it works.
    #[must_use]
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }

    /// `pass`, `warn` or `fail`, as in `application/health+json`
    /// (draft-inadarei-api-health-check-06 §3.1).
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Healthy => "pass",
            Self::Degraded => "warn",
            Self::Unavailable | Self::Unhealthy => "fail",
        }
    }

    /// Its name in details and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unavailable => "unavailable",
            Self::Unhealthy => "unhealthy",
        }
    }
}
