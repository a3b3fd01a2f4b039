//! The reading of a configuration.

use std::{collections::BTreeSet, fmt};

use crate::{
    config::Config,
    declared::Declared,
    environment::Environment,
    findings::{Findings, Holder, Pending, Reason},
    flag::Flag,
    group::Group,
    profile::Profile,
    report::ProblemKind,
    rule::Requirement,
    value::{Invalid, Value},
    var::Var,
};

/// The heading of the flags in `.env.example`.
const FLAGS: &str = "What is on and off.";

/// What a field of a configuration may be: a [`Value`], which must be set or have a default, or an
/// `Option` of one.
#[diagnostic::on_unimplemented(
    message = "a variable cannot be read into `{Self}`",
    label = "it is no `Value`, and no `Option` of one",
    note = "`parsed(\"NAME\", function)` reads any type, `group()` a configuration"
)]
pub trait Field: Sized {
    /// What the variable holds.
    type Value: Value;
    /// Whether it must be set.
    const IS_REQUIRED: bool;

    /// The field, of what was read.
    fn of(value: Option<Self::Value>) -> Option<Self>;
}

impl<T: Value> Field for T {
    type Value = T;
    const IS_REQUIRED: bool = true;

    fn of(value: Option<T>) -> Option<T> {
        value
    }
}

impl<T: Value> Field for Option<T> {
    type Value = T;
    const IS_REQUIRED: bool = false;

    fn of(value: Option<T>) -> Option<Self> {
        Some(value)
    }
}

/// A configuration that is being read, variable by variable, in [`Config::declare`].
///
/// A problem is written down here and ends nothing, so that all of them are found. The macro
/// [`config!`](crate::config) writes the calls; by hand they look so:
///
/// ```
/// use buttress_config::{Config, Environment, Vars};
///
/// struct Settings { name: String, workers: u16 }
///
/// impl Config for Settings {
///     fn declare(vars: &mut Vars<'_>) -> Option<Self> {
///         // All are read before the first `?`.
///         let name = vars.var::<String>("NAME").about("Who we are.").read();
///         let workers = vars.var::<u16>("WORKERS").about("How many at once.").default(4).read();
///         Some(Self { name: name.into_value()?, workers: workers.into_value()? })
///     }
/// }
///
/// let settings = Environment::of([("NAME", "shop")]).load::<Settings>()?;
/// assert_eq!((settings.name.as_str(), settings.workers), ("shop", 4));
/// # Ok::<(), buttress_config::Report>(())
/// ```
pub struct Vars<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) profile: Profile,
    /// Nothing is looked up, and nothing missed.
    pub(crate) is_describing: bool,
    pub(crate) findings: Findings,
    pub(crate) prefix: String,
    pub(crate) section: String,
}

impl<'a> Vars<'a> {
    pub(crate) fn reading(
        environment: &'a Environment,
        profile: Profile,
        findings: Findings,
    ) -> Self {
        let (prefix, section) = (String::new(), String::new());
        Self { environment, profile, is_describing: false, findings, prefix, section }
    }

    pub(crate) fn describing(environment: &'a Environment, findings: Findings) -> Self {
        let profile = environment.unset_profile;
        Self { is_describing: true, ..Self::reading(environment, profile, findings) }
    }

    pub(crate) fn into_findings(self) -> Findings {
        self.findings
    }

    /// Where the service runs.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Begins a variable of this name.
    pub fn var<'v, F: Field>(&'v mut self, name: &str) -> Var<'v, 'a, F, F::Value> {
        let mut declared = self.declared(name, F::Value::expects());
        declared.is_required = F::IS_REQUIRED;
        declared.is_secret = F::Value::IS_SECRET;
        let parse = |text: &str, unit| match unit {
            Some(unit) => F::Value::parse_bare(text, unit),
            None => F::Value::parse(text),
        };
        Var::new(self, declared, Box::new(parse), F::of)
            .text(F::Value::IS_TEXT)
            .may_be_empty(F::Value::MAY_BE_EMPTY)
    }

    /// Begins a variable that this function reads: for types of other crates, and for those that
    /// have a `FromStr` and no [`Value`]. [`Var::expects`] says what would be right.
    ///
    /// ```
    /// use buttress_config::{Environment, config};
    ///
    /// config! {
    ///     #[derive(Debug)]
    ///     struct Settings {
    ///         /// In which letters.
    ///         initial: char = parsed("INITIAL", str::parse).expects("one letter").default("A"),
    ///         /// Three numbers at most.
    ///         numbers: Option<Vec<u8>> = parsed("NUMBERS", |text| {
    ///             text.split_whitespace().map(str::parse).collect::<Result<_, _>>().map(Some)
    ///         })
    ///         .expects("numbers with blanks between")
    ///         .unset(None, "no numbers"),
    ///     }
    /// }
    ///
    /// let settings = Environment::of([("NUMBERS", "1 2")]).load::<Settings>()?;
    /// assert_eq!((settings.initial, &settings.numbers), ('A', &Some(vec![1, 2])));
    /// # Ok::<(), buttress_config::Report>(())
    /// ```
    pub fn parsed<'v, T, E: fmt::Display>(
        &'v mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E> + 'v,
    ) -> Var<'v, 'a, T, T> {
        let declared = self.declared(name, String::from("a value that can be read"));
        let parse = move |text: &str, _| parse(text).map_err(Invalid::quoting);
        Var::new(self, declared, Box::new(parse), |value| value).text(true)
    }

    /// Begins a part that is a configuration of its own.
    pub fn group<'v, T: Config>(&'v mut self) -> Group<'v, 'a, T> {
        Group::new(self)
    }

    /// Reads a flag. Its name is whole, in a part with a prefix too.
    pub fn flag(&mut self, flag: &'static Flag) {
        let outer_section = std::mem::replace(&mut self.section, String::from(FLAGS));
        let outer_prefix = std::mem::take(&mut self.prefix);
        let on = self.var::<bool>(flag.name()).about(flag.about()).default(flag.default()).read();
        self.section = outer_section;
        self.prefix = outer_prefix;
        if let Some(on) = on.into_value() {
            self.findings.flags.push((flag, on));
        }
    }

    /// Reports what does not hold between variables that were read.
    ///
    /// ```
    /// use buttress_config::{Config, Environment, Vars, require};
    ///
    /// struct Pool { min: u16, max: u16 }
    ///
    /// impl Config for Pool {
    ///     fn declare(vars: &mut Vars<'_>) -> Option<Self> {
    ///         let min = vars.var::<u16>("POOL_MIN").about("At least.").default(2).read();
    ///         let max = vars.var::<u16>("POOL_MAX").about("At most.").default(20).read();
    ///         if let (Some(a), Some(b)) = (min.value(), max.value()) {
    ///             let rule = require(a <= b, "POOL_MIN no more than POOL_MAX");
    ///             vars.require([min.names(), max.names()].concat(), rule);
    ///         }
    ///         Some(Self { min: min.into_value()?, max: max.into_value()? })
    ///     }
    /// }
    ///
    /// let report = Environment::of([("POOL_MIN", "30")]).load::<Pool>().err().unwrap();
    /// let problem = report.errors().next().unwrap();
    /// assert_eq!(
    ///     problem.to_string(),
    ///     "POOL_MIN=\"30\", POOL_MAX=\"20\" (default) do not go together; \
    ///      right: POOL_MIN no more than POOL_MAX"
    /// );
    /// ```
    pub fn require(&mut self, names: impl IntoIterator<Item = String>, rule: Requirement) {
        let skipped = rule.in_production && !self.profile.is_production();
        if rule.holds || skipped || self.is_describing {
            return;
        }
        let holder = |name: String| {
            let found = self.findings.settings.iter().find(|(holder, _)| holder.name == name);
            found.map(|(holder, _)| holder.clone()).unwrap_or(Holder {
                name,
                value: None,
                origin: None,
            })
        };
        // Two parts may read the same variable.
        let mut told = BTreeSet::new();
        let names = names.into_iter().filter(|name| told.insert(name.clone()));
        let holders: Vec<_> = names.map(holder).collect();
        let reason = match (holders.len(), rule.in_production) {
            (0, false) => "what is set does not go together",
            (0, true) => "what is set does not go together in production",
            (1, false) => "is not allowed",
            (1, true) => "is not allowed in production",
            (_, false) => "do not go together",
            (_, true) => "do not go together in production",
        };
        self.findings.problems.push(Pending {
            severity: rule.severity,
            kind: ProblemKind::Rule,
            holders,
            reason: Reason::Fixed(reason.into()),
            right: rule.right,
        });
    }

    fn declared(&self, name: &str, expects: String) -> Declared {
        Declared::new(format!("{}{name}", self.prefix), self.section.clone(), expects)
    }

    pub(crate) fn prefixed(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

impl fmt::Debug for Vars<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vars")
            .field("profile", &self.profile)
            .field("is_describing", &self.is_describing)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// A field that was read: there is no value where it could not be.
#[derive(Clone, Debug)]
#[must_use]
pub struct Read<T> {
    pub(crate) value: Option<T>,
    pub(crate) names: Vec<String>,
}

impl<T> Read<T> {
    /// The value, to look at.
    #[must_use]
    pub const fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// The value, to keep.
    #[must_use]
    pub fn into_value(self) -> Option<T> {
        self.value
    }

    /// The name that the variable was found under; of a part, those of all its variables.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.names.clone()
    }
}

/// The lines of a doc comment.
pub(crate) fn tidy(about: &str) -> String {
    let lines: Vec<&str> = about.lines().map(str::trim).collect();
    lines.join("\n").trim().to_owned()
}
