//! What holds, and where it came from.

use std::{fmt, ops::Deref};

use crate::{
    print::Quoted,
    profile::Profile,
    report::{Problem, Report},
};

/// How many characters of a column a value may take.
const WIDEST: usize = 40;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// The process's environment.
    Environment,
    /// A file of variables, of this path.
    File(String),
    /// The file that the variable's twin with `_FILE` names.
    SecretFile(String),
    /// The default, or what holds where nothing is set.
    Default,
    /// The default of this profile.
    ProfileDefault(Profile),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("environment"),
            Self::File(path) => write!(f, "file {path}"),
            Self::SecretFile(path) => write!(f, "secret file {path}"),
            Self::Default => f.write_str("default"),
            Self::ProfileDefault(profile) => write!(f, "default in {profile}"),
        }
    }
}

/// One variable as it holds: redacted, and with where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) otherwise: Option<String>,
    pub(crate) origin: Origin,
}

impl Setting {
    /// The variable, by the name that it was found under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it holds, as in [`Subject::given`](crate::Subject::given); `None` where nothing is set.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Where that came from.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Setting {
    /// Where it came from, or what holds instead, in words.
    fn from(&self) -> String {
        match (&self.value, &self.otherwise) {
            (Some(_), _) => self.origin.to_string(),
            (None, Some(otherwise)) => format!("not set: {otherwise}"),
            (None, None) => String::from("not set"),
        }
    }
}

/// `NAME="value" (origin)`, or `NAME is not set: what holds then`.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.value, &self.otherwise) {
            (Some(value), _) => write!(f, "{}={} ({})", self.name, Quoted(value), self.origin),
            (None, Some(otherwise)) => write!(f, "{} is not set: {otherwise}", self.name),
            (None, None) => write!(f, "{} is not set", self.name),
        }
    }
}

/// A configuration without errors, with what there is to tell of it.
///
/// ```
/// use buttress_config::{Environment, Origin, Secret, config};
///
/// config! {
///     #[derive(Debug)]
///     struct Settings {
///         /// How many at once.
///         workers: u16 = var("WORKERS").default(4),
///         /// Lets operators in.
///         token: Option<Secret<String>> = var("METRICS_TOKEN"),
///     }
/// }
///
/// let loaded = Environment::of([("METRICS_TOKEN", "hunter2")]).load::<Settings>()?;
/// loaded.log();
/// assert_eq!(loaded.workers, 4);
/// let settings: Vec<_> = loaded.effective().map(ToString::to_string).collect();
/// assert_eq!(settings, [
///     "APP_ENV=\"production\" (default)",
///     "WORKERS=\"4\" (default)",
///     "METRICS_TOKEN=[REDACTED] (environment)",
/// ]);
/// let settings: Settings = loaded.into_inner();
/// # Ok::<(), buttress_config::Report>(())
/// ```
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    pub(crate) config: T,
    pub(crate) profile: Profile,
    pub(crate) settings: Vec<Setting>,
    pub(crate) report: Report,
}

impl<T> Loaded<T> {
    /// The configuration itself.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.config
    }

    /// Where the service runs.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// What is not as it should be, and does not stop the start.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.report.warnings()
    }

    /// All variables as they hold, in the order of the declarations, flags last.
    pub fn effective(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter()
    }

    /// What is not as it should be, as a text for the person who starts the service.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// What holds, as a table for a person: a line for each variable, with what it holds and where
    /// that came from, or what holds where it is not set. For a `--check-config`.
    ///
    /// ```
    /// use buttress_config::{Environment, Secret, config};
    ///
    /// config! {
    ///     #[derive(Debug)]
    ///     struct Settings {
    ///         /// How many at once.
    ///         workers: u16 = var("WORKERS").default(4),
    ///         /// Lets operators in.
    ///         token: Option<Secret<String>> = var("METRICS_TOKEN"),
    ///         /// Where pages are kept.
    ///         cache: Option<String> = var("CACHE").unset(None, "in memory"),
    ///     }
    /// }
    ///
    /// let loaded = Environment::of([("METRICS_TOKEN", "hunter2")]).load::<Settings>()?;
    /// assert_eq!(loaded.table(), "\
    /// APP_ENV        \"production\"  default
    /// WORKERS        \"4\"           default
    /// METRICS_TOKEN  [REDACTED]    environment
    /// CACHE          -             not set: in memory
    /// ");
    /// # Ok::<(), buttress_config::Report>(())
    /// ```
    #[must_use]
    pub fn table(&self) -> String {
        let value = |setting: &Setting| match setting.value() {
            Some(value) => Quoted(value).to_string(),
            None => String::from("-"),
        };
        let rows: Vec<_> = self
            .effective()
            .map(|setting| (setting.name(), value(setting), setting.from()))
            .collect();
        let name_width = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
        let values = rows.iter().map(|(_, value, _)| value.chars().count());
        // One that is long must not push the others out of sight.
        let value_width = values.max().unwrap_or(0).min(WIDEST);
        let line = |(name, value, from): &(&str, String, String)| {
            format!("{name:name_width$}  {value:value_width$}  {from}\n")
        };
        rows.iter().map(line).collect()
    }

    /// Tells the log, once it is there: an info event for each variable, and a warning for each
    /// problem ([`Report::log`]), of the target `config`.
    pub fn log(&self) {
        for setting in &self.settings {
            let (variable, value) = (setting.name(), setting.value());
            let origin = value.map(|_| tracing::field::display(setting.origin()));
            tracing::info!(target: "config", variable, value, origin, "{setting}");
        }
        self.report.log();
    }
}

impl<T> Deref for Loaded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.config
    }
}
