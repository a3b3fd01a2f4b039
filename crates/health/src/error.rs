//! Why a configuration was refused.

use std::{borrow::Cow, error::Error, fmt};

/// A configuration that cannot be right, refused when it is made. Its text says what and why.
///
/// ```
/// use buttress_core::source::CheckReport;
/// use buttress_health::{ConfigErrorKind, Entry, FnCheck};
/// use std::time::Duration;
///
/// let check = FnCheck::new("queue", || async { Ok(CheckReport::ok()) });
/// let error = Entry::critical(check).timeout(Duration::ZERO).unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Time);
/// assert_eq!(error.to_string(), "queue: a timeout is 1 ms at least and a day at most, not 0ns");
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
    /// A time of less than a millisecond, or of more than a day.
    Time,
    /// A number of results, or of checks at once, of zero.
    Count,
    /// A name that is empty, too long, or taken.
    Name,
    /// A share or a load that cannot be, or a warning above the failure.
    Share,
    /// A path that is none, or that is taken by another endpoint.
    Path,
    /// A URL that is none, or that is not asked over plain HTTP.
    Url,
    /// A token that can be guessed, or that no header can carry.
    Token,
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
