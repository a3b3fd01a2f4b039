//! Why a configuration was refused.

use std::{error::Error, fmt};

/// A configuration that cannot be right, refused when it is made.
///
/// ```
/// use buttress_metrics::{ConfigErrorKind, HttpMetrics};
///
/// let error = HttpMetrics::server().known_methods("GET,BAD METHOD").unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::InvalidMethod);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    kind: ConfigErrorKind,
    message: String,
}

/// What is wrong with a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// Not the name of a method (RFC 9110 §9.1).
    InvalidMethod,
    /// More than 255 known methods.
    TooManyMethods,
    /// A window shorter than a second or longer than a day.
    InvalidWindow,
    /// A bearer token that is empty, or that no header can carry (RFC 6750 §2.1).
    InvalidToken,
}

impl ConfigError {
    pub(crate) fn new(kind: ConfigErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What is wrong.
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
