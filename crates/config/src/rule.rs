//! What a value must be beyond its type.
//!
//! ```
//! use buttress_config::{Environment, Secret, Url, config, rule::{not_local, range, strong}};
//!
//! config! {
//!     #[derive(Debug)]
//!     struct Settings {
//!         /// Signs the sessions.
//!         session_secret: Secret<String> = var("SESSION_SECRET").rule(strong(32)),
//!         /// Whose pages may call.
//!         cors_origins: Vec<Url> = var("CORS_ORIGINS").rule(not_local().in_production()),
//!         /// How many at once.
//!         workers: u16 = var("WORKERS").default(4).rule(range(1..=64)),
//!     }
//! }
//!
//! let report = Environment::of([
//!     ("SESSION_SECRET", "hunter2"),
//!     ("CORS_ORIGINS", "http://localhost:5173"),
//!     ("WORKERS", "0"),
//! ])
//! .load::<Settings>()
//! .unwrap_err();
//! assert_eq!(report.errors().count(), 3);
//! ```

use std::{borrow::Cow, fmt, ops::RangeInclusive};

use buttress_core::Secret;
use zeroize::Zeroize;

use crate::{duration::Written, report::Severity, url::Url, value::Value};

/// What a value must be, and how bad it is when it is not.
///
/// A rule holds in every [`Profile`](crate::Profile) and stops the start, unless its verbs say
/// otherwise.
///
/// ```
/// use buttress_config::{Environment, Rule, config};
///
/// config! {
///     #[derive(Debug)]
///     struct Settings {
///         /// How many at once.
///         workers: u16 = var("WORKERS")
///             .default(4)
///             .rule(Rule::new("an even number", |n: &u16| n % 2 == 0).in_production().warning()),
///     }
/// }
///
/// let loaded = Environment::of([("WORKERS", "5")]).load::<Settings>()?;
/// assert_eq!(
///     loaded.warnings().next().unwrap().to_string(),
///     "WORKERS=\"5\" is not allowed in production; right: an even number",
/// );
/// # Ok::<(), buttress_config::Report>(())
/// ```
#[must_use]
pub struct Rule<T> {
    requirement: Requirement,
    holds: Box<dyn Fn(&T) -> bool>,
}

impl<T> Rule<T> {
    /// What would be right, as a noun that follows a colon, and whether it is.
    pub fn new(right: impl Into<Cow<'static, str>>, holds: impl Fn(&T) -> bool + 'static) -> Self {
        Self { requirement: require(true, right), holds: Box::new(holds) }
    }

    /// It holds in production only.
    pub fn in_production(mut self) -> Self {
        self.requirement = self.requirement.in_production();
        self
    }

    /// What breaks it is told, and does not stop the start.
    pub fn warning(mut self) -> Self {
        self.requirement = self.requirement.warning();
        self
    }

    pub(crate) fn of(&self, value: &T) -> Requirement {
        Requirement { holds: (self.holds)(value), ..self.requirement.clone() }
    }

    pub(crate) const fn requirement(&self) -> &Requirement {
        &self.requirement
    }
}

impl<T> fmt::Debug for Rule<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("requirement", &self.requirement)
            .field("holds", &"<fn>")
            .finish()
    }
}

/// What several values must be together: [`require`] makes one.
#[derive(Clone, Debug)]
#[must_use]
pub struct Requirement {
    pub(crate) holds: bool,
    pub(crate) right: Cow<'static, str>,
    pub(crate) in_production: bool,
    pub(crate) severity: Severity,
}

/// Whether it is right, and what would be; for the `rules` of a [`config!`](crate::config).
pub fn require(holds: bool, right: impl Into<Cow<'static, str>>) -> Requirement {
    Requirement { holds, right: right.into(), in_production: false, severity: Severity::Error }
}

impl Requirement {
    /// It holds in production only.
    pub fn in_production(mut self) -> Self {
        self.in_production = true;
        self
    }

    /// What breaks it is told, and does not stop the start.
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

/// What has characters: `String` and `Secret<String>`.
pub trait Text: Value {
    /// Them.
    fn text(&self) -> &str;
}

impl Text for String {
    fn text(&self) -> &str {
        self
    }
}

impl<T: Text + Zeroize> Text for Secret<T> {
    fn text(&self) -> &str {
        self.expose().text()
    }
}

/// What has URLs: `Url`, `Secret<Url>` and `Vec<Url>`.
pub trait Urls: Value {
    /// Them.
    fn urls(&self) -> &[Url];
}

impl Urls for Url {
    fn urls(&self) -> &[Url] {
        std::slice::from_ref(self)
    }
}

impl<T: Urls + Zeroize> Urls for Secret<T> {
    fn urls(&self) -> &[Url] {
        self.expose().urls()
    }
}

impl Urls for Vec<Url> {
    fn urls(&self) -> &[Url] {
        self
    }
}

/// From the one to the other, both included.
pub fn range<T: PartialOrd + fmt::Display + 'static>(range: RangeInclusive<T>) -> Rule<T> {
    let right = format!("{} to {}", range.start(), range.end());
    Rule::new(right, move |value| range.contains(value))
}

/// Durations from the one to the other, both included.
pub fn lasts(range: RangeInclusive<std::time::Duration>) -> Rule<std::time::Duration> {
    let right = format!("{} to {}", Written(*range.start()), Written(*range.end()));
    Rule::new(right, move |value| range.contains(value))
}

/// At least so many characters.
pub fn min_chars<T: Text>(least: usize) -> Rule<T> {
    let right = format!("at least {least} characters");
    Rule::new(right, move |value: &T| value.text().chars().count() >= least)
}

/// A key that nobody guesses: so many characters or more, at least 8 of them different, and none
/// of the words that stand in an example for the secret to come (`change-me`, `your-secret`).
///
/// It does not measure how random a text is, which nobody can: make it with
/// `openssl rand -base64 48`.
pub fn strong<T: Text>(least: usize) -> Rule<T> {
    let right = format!(
        "at least {least} characters that nobody guesses, such as `openssl rand -base64 48` makes"
    );
    Rule::new(right, move |value: &T| {
        let text = value.text();
        let mut different: Vec<char> = text.chars().collect();
        let length = different.len();
        different.sort_unstable();
        different.dedup();
        length >= least && different.len() >= 8 && !is_placeholder(text)
    })
}

/// No text that stands for the one to come, such as `change-me` and `your-api-key`.
pub fn not_placeholder<T: Text>() -> Rule<T> {
    Rule::new("one of your own, and not an example's", |value: &T| !is_placeholder(value.text()))
}

/// Long enough that no random text has one by chance.
const PLACEHOLDERS: [&str; 11] = [
    "changeme",
    "changethis",
    "defaultsecret",
    "example",
    "insecure",
    "password",
    "placeholder",
    "replaceme",
    "supersecret",
    "yourapi",
    "yoursecret",
];

fn is_placeholder(text: &str) -> bool {
    let letters: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let letters = letters.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|word| letters.contains(word))
}

/// No host that is this machine ([`Url::is_local`]).
pub fn not_local<T: Urls>() -> Rule<T> {
    let right = "a host that others can reach, and not this machine";
    Rule::new(right, |value: &T| !value.urls().iter().any(Url::is_local))
}

/// One of these schemes, in any case.
pub fn scheme<T: Urls>(schemes: &'static [&'static str]) -> Rule<T> {
    let right = schemes.iter().map(|scheme| format!("{scheme}://…")).collect::<Vec<_>>();
    Rule::new(right.join(" or "), move |value: &T| {
        let is_one = |url: &Url| schemes.iter().any(|one| url.scheme().eq_ignore_ascii_case(one));
        value.urls().iter().all(is_one)
    })
}
