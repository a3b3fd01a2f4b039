//! Why a configuration was refused.

use std::{borrow::Cow, error::Error, fmt};

use buttress_core::client_ip;

/// A configuration that cannot be right, refused when it is made. Its text says what and why.
///
/// ```
/// use buttress_limit::{ConfigErrorKind, Quota};
///
/// let error = Quota::from_var("LIMIT_GENERAL", "100/0s").unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Period);
/// assert_eq!(error.to_string(), r#"LIMIT_GENERAL="100/0s": the period must be at least 1ms"#);
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
    /// The text is no `N/period`.
    Syntax,
    /// A quota of no requests, or of more than can be counted.
    Requests,
    /// A period of less than a millisecond or more than 366 days.
    Period,
    /// A burst of nothing, of more than can be counted, or on a window, which has none.
    Burst,
    /// A full burst that would take longer than ten years to come back.
    Overflow,
    /// A cost of nothing, or one that is larger than the burst: such a request could never pass.
    Cost,
    /// A rule's or tier's name that is empty, too long, or no word.
    Name,
    /// The same rule twice in one list.
    DuplicateRule,
    /// Rules of one name that cannot share their count.
    UnlikeRules,
    /// No rule at all.
    NoRules,
    /// More rules than one request, or one store, can take.
    TooManyRules,
    /// A store that is too small or too large.
    Capacity,
    /// A prefix that no IPv6 address has, or a ladder whose rungs do not widen.
    Prefix,
    /// A list of networks with something in it that is none.
    Network,
    /// A delay of nothing, or a longest delay that is shorter than the first.
    Delay,
    /// An address that no Redis can have.
    Redis,
    /// The operating system has no random bytes for the store's secret.
    Randomness,
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

impl From<client_ip::ConfigError> for ConfigError {
    fn from(error: client_ip::ConfigError) -> Self {
        Self::new(ConfigErrorKind::Network, error.to_string())
    }
}
