//! Why a configuration was refused.

use std::{error::Error, fmt};

/// A setting that cannot be right, refused when it is configured.
///
/// It says what is wrong, for whoever wrote it. [`kind`](Self::kind) is for programs.
///
/// ```
/// use buttress_log::{AccessLog, ConfigErrorKind};
///
/// let error = AccessLog::new().skip(["health"]).unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::InvalidPath);
/// assert_eq!(error.to_string(), "path \"health\": it begins with '/'");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    kind: ConfigErrorKind,
    message: String,
}

/// What is wrong with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// A sample rate that is not more than 0 and at most 1.
    InvalidRate,
    /// A path to skip that no request can have, or with a `*` in its midst.
    InvalidPath,
}

impl ConfigError {
    pub(crate) const fn new(kind: ConfigErrorKind, message: String) -> Self {
        Self { kind, message }
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
