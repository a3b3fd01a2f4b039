//! Why a configuration was refused.

use std::{borrow::Cow, error::Error, fmt};

/// A configuration that cannot be right, refused when it is made. Its text says what and why.
///
/// ```
/// use buttress_retry::{ConfigErrorKind, RetryLayer};
///
/// let error = RetryLayer::http().max_attempts(0).unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Attempts);
/// assert_eq!(error.to_string(), "the first attempt counts: there must be at least 1");
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
    /// No attempt at all.
    Attempts,
    /// A back-off that shrinks, or of which the longest delay is shorter than the first.
    Backoff,
    /// A budget that could never pay for a retry, or that is no number.
    Budget,
    /// A timeout of nothing.
    Timeout,
    /// A status that is no failure, or that no retry mends.
    Status,
    /// A hedge at once, or at a quantile that is none.
    Hedge,
}

impl ConfigError {
    pub(crate) fn new(kind: ConfigErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
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
