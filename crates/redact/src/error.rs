//! Why a configuration was refused.

use std::{borrow::Cow, error::Error, fmt};

/// A rule that cannot be right, refused when it is configured.
///
/// It says what is wrong and where, for whoever wrote it. [`kind`](Self::kind) is for programs.
///
/// ```
/// use buttress_redact::{ConfigErrorKind, Rules};
///
/// let error = Rules::new().redact_path("user.x-token").unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::InvalidPath);
/// assert_eq!(
///     error.to_string(),
///     "path \"user.x-token\", column 7: '-' stands in quotes only, as in a[\"x-y\"]",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    kind: ConfigErrorKind,
    message: Cow<'static, str>,
}

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// A key with no letter and no digit in it: it would match nothing, or everything.
    InvalidKey,
    /// A path that does not follow the syntax.
    InvalidPath,
    /// More paths than can be followed at once.
    TooManyPaths,
}

impl ConfigError {
    pub(crate) fn new(kind: ConfigErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
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
