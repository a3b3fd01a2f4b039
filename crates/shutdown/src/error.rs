//! Why a configuration was refused.

use std::{borrow::Cow, error::Error, fmt};

/// A configuration that cannot be right, refused when it is made. Its text says what and why.
///
/// ```
/// use buttress_shutdown::{ConfigErrorKind, Plan, Shutdown};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let secs = Duration::from_secs;
/// let plan = Plan::docker().drain(secs(12));
/// let error = Shutdown::embedded(plan).unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Fit);
/// assert_eq!(
///     error.to_string(),
///     "pre-stop, drain and tasks take 13s; of a grace of 10s there is 9s to use",
/// );
/// # }
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
    /// A time of nothing where there has to be one, or of more than a day.
    Time,
    /// More than the grace has room for.
    Fit,
    /// The phases have begun: one more would not run.
    Late,
    /// No tokio runtime here.
    Runtime,
    /// The process has a [`Shutdown`](crate::Shutdown) already, or its signals cannot be had.
    Signals,
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
