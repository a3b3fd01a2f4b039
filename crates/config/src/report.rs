//! All that is wrong, at once.

use std::{borrow::Cow, error::Error, fmt};

use crate::{effective::Origin, print::Quoted};

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The service does not start.
    Error,
    /// It starts, and says so.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// What is wrong, for a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// A variable that must be set, or is wanted, is not.
    NotSet,
    /// A value that cannot be read into its type.
    Invalid,
    /// A value that breaks a rule.
    Rule,
    /// A variable with a prefix of ours that nobody has declared.
    Unknown,
    /// Two names of one variable say different things.
    Conflict,
    /// A file, or a line of one, that cannot be read.
    File,
    /// A default that is wrong itself: a mistake in the program.
    Default,
}

/// One thing that is wrong: which variables, what they hold, why that is wrong, what would be
/// right.
///
/// ```
/// use buttress_config::{Environment, ProblemKind, Severity, config};
///
/// config! {
///     #[derive(Debug)]
///     struct Settings {
///         /// How long a call may take.
///         timeout: std::time::Duration = var("TIMEOUT").default("30s"),
///     }
/// }
///
/// let report = Environment::of([("TIMEOUT", "30")]).load::<Settings>().unwrap_err();
/// let problem = report.problems().next().unwrap();
/// assert_eq!((problem.severity(), problem.kind()), (Severity::Error, ProblemKind::Invalid));
/// assert_eq!(problem.subjects()[0].name(), "TIMEOUT");
/// assert_eq!(problem.subjects()[0].given(), Some("30"));
/// assert_eq!(problem.reason(), "has no unit");
/// assert_eq!(problem.right(), "a duration, such as 500ms, 30s or 1h30m");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(crate) severity: Severity,
    pub(crate) kind: ProblemKind,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) right: Cow<'static, str>,
}

impl Problem {
    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// What it is, for a program.
    #[must_use]
    pub const fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// The variables: most often one, several where a rule is about them together.
    #[must_use]
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// What is wrong, to be read behind the variables.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What would be right.
    #[must_use]
    pub fn right(&self) -> &str {
        &self.right
    }
}

/// In one line, without its severity.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, subject) in self.subjects.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{subject}")?;
        }
        // What is said of all of it has no variable before it.
        let blank = if self.subjects.is_empty() { "" } else { " " };
        write!(f, "{blank}{}; right: {}", self.reason, self.right)
    }
}

/// A variable that a [`Problem`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub(crate) name: String,
    pub(crate) given: Option<String>,
    pub(crate) origin: Option<Origin>,
}

impl Subject {
    /// Its name, as it was found in the environment. Of a file, its path and the line.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it holds, if it was set: with control characters and quotes escaped, cut where it is
    /// long, and [`CENSOR`](crate::CENSOR) where it may be a secret.
    #[must_use]
    pub fn given(&self) -> Option<&str> {
        self.given.as_deref()
    }

    /// Where it was set.
    #[must_use]
    pub const fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }
}

/// `NAME="value" (file .env)`; what needs no mention, the environment, is not mentioned.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(given) = &self.given {
            write!(f, "={}", Quoted(given))?;
        }
        match (&self.given, &self.origin) {
            (_, None | Some(Origin::Environment)) => Ok(()),
            (None, Some(Origin::Default)) => f.write_str(" (not set)"),
            (_, Some(origin)) => write!(f, " ({origin})"),
        }
    }
}

/// All that is wrong with a configuration, errors first, each in the order of the declarations.
///
/// Its text is for the person who starts the service, and `Debug` prints the same, so that `main`
/// may return it. There is no secret in it.
///
/// ```
/// use buttress_config::{Environment, Secret, config, rule::min_chars};
///
/// config! {
///     #[derive(Debug)]
///     struct Settings {
///         /// Where it listens.
///         bind: std::net::SocketAddr = var("SHOP_BIND").default("127.0.0.1:3000"),
///         /// Signs the sessions.
///         secret: Secret<String> = var("SHOP_SECRET").rule(min_chars(32)),
///     }
/// }
///
/// let environment = Environment::of([("SHOP_BNID", "[::]:80"), ("SHOP_SECRET", "hunter2")]);
/// let report = environment.prefix("SHOP_").load::<Settings>().unwrap_err();
/// assert_eq!(report.to_string(), "\
/// 1 error and 1 warning in the configuration
///   error: SHOP_SECRET=[REDACTED] is not allowed
///     right: at least 32 characters
///   warning: SHOP_BNID is no variable of this service
///     right: SHOP_BIND?");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub(crate) problems: Vec<Problem>,
}

impl Report {
    /// All of them.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// Those that the service does not start with.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.of(Severity::Error)
    }

    /// Those that it starts with.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.of(Severity::Warning)
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether the service does not start.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.errors().next().is_some()
    }

    /// Tells the log, where there is one: an event for each problem, an error or a warning, of the
    /// target `config`. For a platform that reads lines of JSON, in the place of the text.
    pub fn log(&self) {
        for problem in &self.problems {
            let variable = problem.subjects().first().map(Subject::name);
            let (reason, right) = (problem.reason(), problem.right());
            match problem.severity {
                Severity::Error => {
                    tracing::error!(target: "config", variable, reason, right, "{problem}");
                }
                Severity::Warning => {
                    tracing::warn!(target: "config", variable, reason, right, "{problem}");
                }
            }
        }
    }

    fn of(&self, severity: Severity) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(move |problem| problem.severity == severity)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: usize, word: &str| match number {
            1 => format!("1 {word}"),
            _ => format!("{number} {word}s"),
        };
        match (self.errors().count(), self.warnings().count()) {
            (0, 0) => return f.write_str("the configuration is right"),
            (0, warnings) => f.write_str(&count(warnings, "warning"))?,
            (errors, 0) => f.write_str(&count(errors, "error"))?,
            (errors, warnings) => {
                write!(f, "{} and {}", count(errors, "error"), count(warnings, "warning"))?;
            }
        }
        f.write_str(" in the configuration")?;
        for problem in &self.problems {
            write!(f, "\n  {}:", problem.severity)?;
            for (at, subject) in problem.subjects.iter().enumerate() {
                write!(f, "{} {subject}", if at > 0 { "," } else { "" })?;
            }
            write!(f, " {}\n    right: {}", problem.reason, problem.right)?;
        }
        Ok(())
    }
}

/// The text, too: `main` prints so what it returns.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Report {}
