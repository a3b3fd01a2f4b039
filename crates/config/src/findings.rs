//! What is found while variables are read, and the report of it.
//!
//! Values are kept as they are until the end: only then is known which texts are secrets.

use std::{borrow::Cow, collections::BTreeSet};

use buttress_core::{CENSOR, Secret};

use crate::{
    declared::{Declared, file_twin},
    effective::{Origin, Setting},
    flag::Flag,
    nearest::{nearest, reach},
    print,
    report::{Problem, ProblemKind, Report, Severity, Subject},
    value::{By, Invalid},
};

/// A value that may have to be shown.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    Never,
    Text(Secret<String>),
}

impl Shown {
    pub(crate) fn new(text: &str, is_secret: bool) -> Self {
        if is_secret { Self::Never } else { Self::Text(Secret::from(text)) }
    }

    fn print(&self, secrets: &[Secret<String>]) -> String {
        match self {
            Self::Never => CENSOR.to_owned(),
            Self::Text(text) => print::shown(text.expose(), secrets),
        }
    }
}

/// A variable, and what it holds.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) name: String,
    pub(crate) value: Option<Shown>,
    pub(crate) origin: Option<Origin>,
}

#[derive(Debug)]
pub(crate) enum Reason {
    Fixed(Cow<'static, str>),
    /// Why it could not be read, and whether that may be told.
    Invalid(Invalid, Shown),
    /// It is not set; the name that was meant is still to be found.
    NotSet,
}

#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) severity: Severity,
    pub(crate) kind: ProblemKind,
    pub(crate) holders: Vec<Holder>,
    pub(crate) reason: Reason,
    pub(crate) right: Cow<'static, str>,
}

#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) declared: Vec<Declared>,
    pub(crate) problems: Vec<Pending>,
    /// What holds, and of what is not set what holds then, in words.
    pub(crate) settings: Vec<(Holder, Option<String>)>,
    pub(crate) flags: Vec<(&'static Flag, bool)>,
    pub(crate) secrets: Vec<Secret<String>>,
}

impl Findings {
    pub(crate) fn declare(&mut self, declared: Declared) {
        // Two parts of a configuration may read the same variable.
        if self.declared.iter().all(|other| other.name != declared.name) {
            self.declared.push(declared);
        }
    }

    pub(crate) fn is_fatal(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Remembers what must not be printed, wherever it stands.
    pub(crate) fn keep_secret(&mut self, text: &str) {
        self.secrets.push(Secret::from(text));
        // The parts of a list.
        let parts = text.split(',').filter(|part| part.len() < text.len());
        self.secrets.extend(parts.map(Secret::from));
    }

    pub(crate) fn holds(&mut self, holder: Holder) {
        self.settings.push((holder, None));
    }

    /// Whether anybody asks for this variable.
    fn is_known(&self, name: &str) -> bool {
        self.declared.iter().any(|variable| {
            variable.names().any(|known| known == name)
                || variable.is_secret && file_twin(&variable.name) == name
        })
    }

    /// The variables that are set with one of these prefixes, and that nobody asks for.
    pub(crate) fn unknown<'a>(&self, set: &BTreeSet<&'a str>, prefixes: &[String]) -> Vec<&'a str> {
        let is_ours = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()));
        set.iter().copied().filter(|name| is_ours(name) && !self.is_known(name)).collect()
    }

    pub(crate) fn report_unknown(&mut self, name: &str, severity: Severity) {
        let known = self.declared.iter().flat_map(Declared::names);
        let name = print::escaped(name);
        let right = match nearest(&name, known, reach(&name)) {
            Some(meant) => Cow::Owned(format!("{meant}?")),
            None => Cow::Borrowed("a variable that is documented, or none"),
        };
        self.problems.push(Pending {
            severity,
            kind: ProblemKind::Unknown,
            // Its value may be a secret whose name has a slip in it.
            holders: vec![Holder { name, value: None, origin: None }],
            reason: Reason::Fixed("is no variable of this service".into()),
            right,
        });
    }

    pub(crate) fn settings(&self) -> Vec<Setting> {
        // Two parts of a configuration may read the same variable.
        let mut told = BTreeSet::new();
        let first = self.settings.iter().filter(|(holder, _)| told.insert(&holder.name));
        let print = |(holder, otherwise): &(Holder, Option<String>)| Setting {
            otherwise: otherwise.clone(),
            name: holder.name.clone(),
            value: holder.value.as_ref().map(|value| value.print(&self.secrets)),
            origin: holder.origin.clone().unwrap_or(Origin::Default),
        };
        first.map(print).collect()
    }

    pub(crate) fn report(&self, set: &BTreeSet<&str>) -> Report {
        let mut told = BTreeSet::new();
        let problems = self.problems.iter().map(|problem| self.problem(problem, set));
        let mut problems: Vec<_> =
            problems.filter(|problem| told.insert(problem.to_string())).collect();
        problems.sort_by_key(Problem::severity);
        Report { problems }
    }

    fn problem(&self, pending: &Pending, set: &BTreeSet<&str>) -> Problem {
        let subject = |holder: &Holder| Subject {
            name: holder.name.clone(),
            given: holder.value.as_ref().map(|value| value.print(&self.secrets)),
            origin: holder.origin.clone(),
        };
        let reason = match &pending.reason {
            Reason::Fixed(reason) => reason.clone(),
            Reason::Invalid(error, shown) => match (error.by(), shown) {
                (By::Own, _) => Cow::Owned(error.to_string()),
                (By::Taker, _) => {
                    let error = print::advice(&error.to_string(), &self.secrets);
                    Cow::Owned(format!("is refused: {error}"))
                }
                (By::Quoting, Shown::Never) => Cow::Borrowed("cannot be read"),
                (By::Quoting, Shown::Text(text)) => {
                    let name = pending.holders.first().map(|holder| holder.name.as_str());
                    self.quoting(error, name.unwrap_or_default(), text.expose())
                }
            },
            Reason::NotSet => self.not_set(pending, set),
        };
        Problem {
            severity: pending.severity,
            kind: pending.kind,
            subjects: pending.holders.iter().map(subject).collect(),
            reason,
            right: pending.right.clone(),
        }
    }

    /// An error of somebody else's, which quotes what it wants, whole or in parts.
    fn quoting(&self, error: &Invalid, name: &str, text: &str) -> Cow<'static, str> {
        if print::has_secret(text, &self.secrets) {
            return Cow::Borrowed("cannot be read");
        }
        let error = error.to_string();
        // Most begin with the value, which stands before the reason already.
        let of = |prefix: &str| error.strip_prefix(&format!("{prefix}{text:?}: "));
        let reason = of("").or_else(|| of(&format!("{name}="))).unwrap_or(&error);
        let reason = print::sentence(reason, &self.secrets);
        Cow::Owned(format!("cannot be read: {reason}"))
    }

    fn not_set(&self, pending: &Pending, set: &BTreeSet<&str>) -> Cow<'static, str> {
        let name = pending.holders.first().map(|holder| holder.name.as_str()).unwrap_or_default();
        let strangers = set.iter().copied().filter(|other| !self.is_known(other));
        match nearest(name, strangers, reach(name).min(2)) {
            Some(other) => Cow::Owned(format!("is not set, but {} is", print::escaped(other))),
            None => Cow::Borrowed("is not set"),
        }
    }
}
