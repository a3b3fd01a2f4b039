//! Why a configuration was refused.

use std::{borrow::Cow, error::Error, fmt};

/// A configuration that cannot be right, refused when it is made. Its text says what and why.
///
/// ```
/// use buttress_breaker::{Circuit, ConfigErrorKind, Policy};
///
/// let error = Circuit::new("smtp", Policy::new().failure_rate(50.0)).unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Rate);
/// assert_eq!(error.to_string(), "smtp: a failure rate of 50 is none: it is a share, 0.5 for half");
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
    /// A window of nothing, or of more than is kept.
    Window,
    /// No call at all would be enough to judge by.
    MinCalls,
    /// A share that is not above 0 and at most 1.
    Rate,
    /// A time of nothing, of more than a year, or a longest that is shorter than the first.
    Time,
    /// No probe at all, or too many.
    Probes,
    /// A jitter that is not a share.
    Jitter,
    /// A registry, a bulkhead or a limit for nothing, or one that is too large.
    Capacity,
}

impl ConfigError {
    pub(crate) fn new(kind: ConfigErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The same, after the name of what it is about: `what: message`.
    pub(crate) fn about(self, what: impl fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message).into(), ..self }
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
