//! Where the service runs.

use std::fmt;

/// Where the service runs, which decides how strict the rules are.
///
/// ```
/// use buttress_config::Profile;
///
/// assert_eq!(Profile::named("prod"), Some(Profile::Production));
/// assert_eq!(Profile::named("staging"), None);
/// assert_eq!(Profile::Development.to_string(), "development");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Where it matters. Rules [`in_production`](crate::Rule::in_production) hold here alone.
    #[default]
    Production,
    /// On a developer's machine.
    Development,
    /// Under test.
    Test,
}

impl Profile {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Production, Self::Development, Self::Test];

    /// The profile of this name, in any case: `production` or `prod`, `development`, `dev` or
    /// `local`, `test` or `ci`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "production" | "prod" => Some(Self::Production),
            "development" | "dev" | "local" => Some(Self::Development),
            "test" | "ci" => Some(Self::Test),
            _ => None,
        }
    }

    /// Whether the rules for production hold.
    #[must_use]
    pub const fn is_production(self) -> bool {
        matches!(self, Self::Production)
    }

    /// Its name, in full.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Development => "development",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
