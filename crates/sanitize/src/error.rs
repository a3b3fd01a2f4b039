//! Why a configuration was refused.

use std::{borrow::Cow, error::Error, fmt};

/// A configuration that cannot be right, refused when it is made.
///
/// ```
/// use buttress_sanitize::{Action, ConfigErrorKind, Policy, Rule};
///
/// let error = Policy::strict_json().on(Rule::Bidi, Action::Strip).unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::NotStrippable);
/// assert_eq!(error.to_string(), "bidi: only a JSON member can be stripped");
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
    /// A rule that always refuses was given another action.
    NotAdjustable,
    /// [`Action::Strip`](crate::Action::Strip) for a rule that is not about a JSON member.
    NotStrippable,
    /// A repeatable parameter without a name, or with brackets that do not match.
    Name,
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
