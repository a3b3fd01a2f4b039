//! What the service was started with.

use std::{collections::BTreeSet, env, fmt, io, path::Path};

use buttress_core::Secret;

use crate::{
    config::Config,
    declared::Declared,
    docs::Docs,
    dotenv,
    effective::{Loaded, Origin},
    findings::{Findings, Holder, Pending, Reason, Shown},
    lookup::{self, Place},
    profile::Profile,
    report::{ProblemKind, Report, Severity},
    service_link,
    vars::Vars,
};

/// The variable that names the profile, unless [`Environment::profile`] says another.
const PROFILE: &str = "APP_ENV";

/// Where variables are looked for: the process's environment first, then files in the order in
/// which they were named, then the defaults of the [`Config`].
///
/// ```no_run
/// use buttress_config::{Environment, Profile, config};
///
/// config! {
///     /// What the shop is started with.
///     #[derive(Debug)]
///     struct Settings {
///         /// How many at once.
///         workers: u16 = var("SHOP_WORKERS").default(4),
///     }
/// }
///
/// let environment = Environment::process()
///     .profile("SHOP_ENV", Profile::Development)
///     .prefix("SHOP_")
///     .file(".env");
/// let settings = match environment.load::<Settings>() {
///     Ok(loaded) => loaded,
///     Err(report) => {
///         eprintln!("{report}");
///         std::process::exit(2);
///     }
/// };
/// ```
#[must_use = "it does nothing until `load` or `docs`"]
pub struct Environment {
    pub(crate) places: Vec<Place>,
    pub(crate) profile_variable: String,
    pub(crate) unset_profile: Profile,
    pub(crate) empty_is_unset: bool,
    prefixes: Vec<String>,
    unknown: Severity,
    mistakes: Vec<(String, String)>,
}

impl Environment {
    /// What the process was given. Names and values are copied now.
    pub fn process() -> Self {
        let variables = env::vars_os().filter_map(|(name, value)| {
            // Whose name is no Unicode is nobody's we know.
            let name = name.into_string().ok()?;
            Some((name, value.into_string().ok().map(Secret::new)))
        });
        Self::new(Place { origin: Origin::Environment, variables: variables.collect() })
    }

    /// These variables, as if the process had been given them: for tests, which cannot set the
    /// process's own without racing with each other. (Flags remain the process's:
    /// [`Flag::set_here`](crate::Flag::set_here) is for one test.)
    pub fn of<N: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables.into_iter();
        let variables =
            variables.map(|(name, value)| (name.into(), Some(Secret::new(value.into()))));
        Self::new(Place { origin: Origin::Environment, variables: variables.collect() })
    }

    fn new(place: Place) -> Self {
        Self {
            places: vec![place],
            profile_variable: PROFILE.to_owned(),
            unset_profile: Profile::Production,
            empty_is_unset: false,
            prefixes: Vec::new(),
            unknown: Severity::Warning,
            mistakes: Vec::new(),
        }
    }

    /// Which variable says where the service runs, and where it is taken to run when that is not
    /// set: by default `APP_ENV`, and in production. A name that is no [`Profile`]'s (`staging`)
    /// is taken for production, with a warning.
    pub fn profile(mut self, variable: &str, unset: Profile) -> Self {
        variable.clone_into(&mut self.profile_variable);
        self.unset_profile = unset;
        self
    }

    /// A prefix of ours: a variable that begins so and that nobody has declared is reported, with
    /// the name that was meant if one is near. For several, more than once.
    ///
    /// What Kubernetes sets for each service of a namespace (`SHOP_SERVICE_HOST`,
    /// `SHOP_PORT_80_TCP_ADDR`, …) is not reported.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefixes.push(prefix.to_owned());
        self
    }

    /// Unknown variables with a prefix of ours are errors, and not warnings.
    pub fn deny_unknown(mut self) -> Self {
        self.unknown = Severity::Error;
        self
    }

    /// A variable that is set to nothing, or to white space, is as one that is not set, as
    /// docker-compose writes `${NAME:-}`. By default it is a mistake: a token that is empty may
    /// leave a door open. [`Var::empty_is_unset`](crate::Var::empty_is_unset) is for one alone.
    pub fn empty_is_unset(mut self) -> Self {
        self.empty_is_unset = true;
        self
    }

    /// A file of variables, if it is there. What it cannot say is reported, line by line.
    ///
    /// A line is `NAME=value`, with or without `export` before it; `#` begins a comment at the
    /// start of a line, or behind white space. In single quotes nothing is special, in double
    /// quotes `\n`, `\r`, `\t`, `\"`, `\\` and `\$` are; both may go over several lines, of which
    /// each ends in `\n`, however the file writes it. `$NAME` is not replaced. A name that is set twice is a mistake.
    pub fn file(self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        match lookup::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self,
            text => self.read(path, text),
        }
    }

    /// Like [`file`](Self::file), for one that must be there.
    pub fn required_file(self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        self.read(path, lookup::read(path))
    }

    /// What a file says, without one: `name` is what stands for its path in reports.
    pub fn text(mut self, name: &str, text: &str) -> Self {
        let (variables, mistakes) = dotenv::parse(text);
        let mistakes = mistakes.into_iter();
        let mistakes =
            mistakes.map(|line| (format!("{name}:{}", line.number), line.reason.to_owned()));
        self.mistakes.extend(mistakes);
        let variables = variables.into_iter();
        let variables = variables.map(|(name, value)| (name, Some(Secret::new(value)))).collect();
        self.places.push(Place { origin: Origin::File(name.to_owned()), variables });
        self
    }

    fn read(mut self, path: &Path, text: io::Result<Secret<String>>) -> Self {
        let name = path.display().to_string();
        match text {
            Ok(text) => self.text(&name, text.expose()),
            Err(error) => {
                self.mistakes.push((name, format!("cannot be read: {error}")));
                self
            }
        }
    }

    /// Reads all of it, once.
    ///
    /// The flags of the configuration are set when there is no error.
    ///
    /// # Errors
    /// All that is wrong, warnings too, when at least one problem is an error.
    pub fn load<T: Config>(&self) -> Result<Loaded<T>, Report> {
        let mut findings = Findings::default();
        let profile = self.read_profile(&mut findings);
        self.report_files(&mut findings);
        let mut vars = Vars::reading(self, profile, findings);
        let config = T::declare(&mut vars);
        let mut findings = vars.into_findings();
        if config.is_none() && !findings.is_fatal() {
            // Only what is written by hand can do that.
            findings.problems.push(Pending {
                severity: Severity::Error,
                kind: ProblemKind::Rule,
                holders: Vec::new(),
                reason: Reason::Fixed("it was refused without a reason".into()),
                right: "a `declare` that tells what is wrong".into(),
            });
        }

        let set = self.places.iter().flat_map(|place| place.variables.keys().map(String::as_str));
        let set: BTreeSet<&str> = set.collect();
        for name in findings.unknown(&set, &self.prefixes) {
            let values = self.places.iter().filter_map(|place| place.variables.get(name));
            let value = values.flatten().map(Secret::expose).next();
            if service_link::is_one(name, value.map(String::as_str)) {
                continue;
            }
            findings.report_unknown(name, self.unknown);
        }
        let report = findings.report(&set);
        match config {
            Some(config) if !findings.is_fatal() => {
                for (flag, on) in &findings.flags {
                    flag.set(*on);
                }
                Ok(Loaded { config, profile, settings: findings.settings(), report })
            }
            _ => Err(report),
        }
    }

    /// What there is to say of the configuration, whatever the variables hold.
    #[must_use]
    pub fn docs<T: Config>(&self) -> Docs {
        let mut findings = Findings::default();
        findings.declare(self.profile_declared());
        let mut vars = Vars::describing(self, findings);
        // It has nothing to read, and is not made.
        let _ = T::declare(&mut vars);
        Docs::new(vars.into_findings())
    }

    fn profile_declared(&self) -> Declared {
        let section = String::new();
        let expects = String::from("production, development or test");
        let mut declared = Declared::new(self.profile_variable.clone(), section, expects);
        declared.empty_is_unset = true;
        declared.about = String::from("Where the service runs.");
        declared.defaults.push((None, self.unset_profile.to_string()));
        declared
    }

    fn read_profile(&self, findings: &mut Findings) -> Profile {
        let declared = self.profile_declared();
        let found = lookup::look_up(&self.places, &declared, self.empty_is_unset);
        findings.declare(declared);
        let taken = |holder: Holder, reason: &'static str| Pending {
            severity: Severity::Warning,
            kind: ProblemKind::Invalid,
            holders: vec![holder],
            reason: Reason::Fixed(reason.into()),
            right: "production, development or test".into(),
        };
        let Ok(found) = found else {
            // It has one name and no file: it is no Unicode.
            let name = self.profile_variable.clone();
            let holder = Holder { name, value: None, origin: None };
            let reason = "is no text in UTF-8, and taken for production";
            findings.problems.push(taken(holder, reason));
            return Profile::Production;
        };
        let Some(found) = found else {
            findings.holds(Holder {
                name: self.profile_variable.clone(),
                value: Some(Shown::new(self.unset_profile.as_str(), false)),
                origin: Some(Origin::Default),
            });
            return self.unset_profile;
        };
        let holder = Holder {
            name: found.name,
            value: Some(Shown::new(found.text.expose(), false)),
            origin: Some(found.origin),
        };
        findings.holds(holder.clone());
        Profile::named(found.text.expose()).unwrap_or_else(|| {
            let reason = "is no profile, and taken for production";
            findings.problems.push(taken(holder, reason));
            Profile::Production
        })
    }

    fn report_files(&self, findings: &mut Findings) {
        for (name, reason) in &self.mistakes {
            findings.problems.push(Pending {
                severity: Severity::Error,
                kind: ProblemKind::File,
                holders: vec![Holder { name: name.clone(), value: None, origin: None }],
                reason: Reason::Fixed(reason.clone().into()),
                right: "a file of lines NAME=value".into(),
            });
        }
    }
}

/// Names of places, and no values.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<_> = self.places.iter().map(|place| &place.origin).collect();
        f.debug_struct("Environment")
            .field("places", &places)
            .field("profile_variable", &self.profile_variable)
            .field("unset_profile", &self.unset_profile)
            .field("prefixes", &self.prefixes)
            .finish_non_exhaustive()
    }
}
