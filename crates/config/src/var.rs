//! One variable.

use std::fmt;

use buttress_core::{CENSOR, Secret};

use crate::{
    declared::{Declared, file_twin},
    effective::Origin,
    findings::{Holder, Pending, Reason, Shown},
    lookup::{self, Found, Unclear},
    print,
    report::{ProblemKind, Severity},
    rule::Rule,
    unit::Unit,
    value::Invalid,
    vars::{Read, Vars, tidy},
};

type Parse<'v, T> = Box<dyn Fn(&str, Option<Unit>) -> Result<T, Invalid> + 'v>;

/// A variable that is about to be read, from [`Vars::var`] and [`Vars::parsed`]. In
/// [`config!`](crate::config) these are the verbs behind the name.
///
/// `F` is the type of the field, `T` what the rules look at: of an `Option`, what is in it.
#[must_use = "it does nothing until `read`"]
pub struct Var<'v, 'a, F, T> {
    vars: &'v mut Vars<'a>,
    declared: Declared,
    parse: Parse<'v, T>,
    field: fn(Option<T>) -> Option<F>,
    rules: Vec<Rule<T>>,
    unset: Option<F>,
    unit: Option<Unit>,
    is_text: bool,
    may_be_empty: bool,
    is_public: bool,
}

impl<'v, 'a, F, T> Var<'v, 'a, F, T> {
    pub(crate) const fn new(
        vars: &'v mut Vars<'a>,
        declared: Declared,
        parse: Parse<'v, T>,
        field: fn(Option<T>) -> Option<F>,
    ) -> Self {
        Self {
            vars,
            declared,
            parse,
            field,
            rules: Vec::new(),
            unset: None,
            unit: None,
            is_text: false,
            may_be_empty: false,
            is_public: false,
        }
    }

    pub(crate) const fn text(mut self, is_text: bool) -> Self {
        self.is_text = is_text;
        self
    }

    pub(crate) const fn may_be_empty(mut self, may_be_empty: bool) -> Self {
        self.may_be_empty = may_be_empty;
        self
    }

    /// What it is for; in [`config!`](crate::config) the field's doc comment.
    pub fn about(mut self, about: &str) -> Self {
        self.declared.about = tidy(about);
        self
    }

    /// What holds where it is not set, as it would be written. A default that cannot be read is
    /// reported as a mistake of the program, whether it is needed or not.
    ///
    /// The default of a secret is an error in production, and is never printed.
    pub fn default(mut self, text: impl fmt::Display) -> Self {
        self.declared.defaults.push((None, text.to_string()));
        self
    }

    /// What holds in this profile where it is not set.
    pub fn default_in(mut self, profile: crate::Profile, text: impl fmt::Display) -> Self {
        self.declared.defaults.push((Some(profile), text.to_string()));
        self
    }

    /// What holds where it is not set and there is no default, as a value and in words. Rules do
    /// not look at it.
    pub fn unset(mut self, field: F, words: &str) -> Self {
        self.unset = Some(field);
        self.declared.otherwise = Some(words.to_owned());
        self.declared.is_required = false;
        self
    }

    /// It must be set in production, though its field is an `Option` or has
    /// [`unset`](Self::unset).
    pub const fn required_in_production(mut self) -> Self {
        self.declared.is_required_in_production = true;
        self
    }

    /// A warning where it is not set, with what is missed then: `no mail is sent`.
    pub fn wanted(mut self, missed: &str) -> Self {
        self.declared.wanted = Some(missed.to_owned());
        self
    }

    /// How it may be written, for the report and the documentation.
    pub fn example(mut self, example: &str) -> Self {
        self.declared.example = Some(example.to_owned());
        self
    }

    /// What would be right, in the place of what the type says.
    pub fn expects(mut self, expects: &str) -> Self {
        expects.clone_into(&mut self.declared.expects);
        self
    }

    /// Another name, such as the one it had in a service before this one. Where several are set,
    /// they must agree.
    pub fn alias(mut self, name: &str) -> Self {
        self.declared.aliases.push(self.vars.prefixed(name));
        self
    }

    /// What a bare number counts, where the variable's name does not say it ([`Unit::of_name`]).
    pub const fn bare(mut self, unit: Unit) -> Self {
        self.unit = Some(unit);
        self
    }

    /// Set to nothing, or to white space, it is as if it were not set. By default that is a mistake.
    pub const fn empty_is_unset(mut self) -> Self {
        self.declared.empty_is_unset = true;
        self
    }

    /// It is never printed, whatever its type.
    pub const fn secret(mut self) -> Self {
        self.declared.is_secret = true;
        self
    }

    /// Its name looks like a secret's, and it is none: it is printed.
    pub const fn public(mut self) -> Self {
        self.is_public = true;
        self
    }

    /// What its value must be beyond the type.
    pub fn rule(mut self, rule: Rule<T>) -> Self {
        self.declared.rules.push(rule.requirement().clone());
        self.rules.push(rule);
        self
    }

    /// Reads it. Whatever is wrong is written down in the [`Vars`].
    pub fn read(mut self) -> Read<F> {
        let has_secret_name = !self.is_public && self.declared.names().any(print::is_sensitive);
        self.declared.is_secret |= self.is_text && has_secret_name;
        self.vars.findings.declare(self.declared.clone());
        let name = self.declared.name.clone();
        let defaults_hold = self.check_defaults();
        if self.vars.is_describing || !defaults_hold {
            return Read { value: None, names: vec![name] };
        }
        let environment = self.vars.environment;
        if self.declared.is_secret {
            // Also where another place or name goes before it.
            for text in lookup::all(&environment.places, &self.declared) {
                self.vars.findings.keep_secret(text);
            }
        }
        match lookup::look_up(&environment.places, &self.declared, environment.empty_is_unset) {
            Ok(Some(found)) => self.found(&found, has_secret_name),
            Ok(None) => self.not_found(),
            Err(unclear) => self.unclear(unclear),
        }
    }

    fn check_defaults(&mut self) -> bool {
        let mut wrong = Vec::new();
        for (profile, text) in &self.declared.defaults {
            let shown = Shown::new(text, self.declared.is_secret);
            let mut refuse = |reason, right| {
                wrong.push(Pending {
                    severity: Severity::Error,
                    kind: ProblemKind::Default,
                    holders: vec![Holder {
                        name: self.declared.name.clone(),
                        value: Some(shown.clone()),
                        origin: Some(profile.map_or(Origin::Default, Origin::ProfileDefault)),
                    }],
                    reason,
                    right,
                });
            };
            match self.parsed(text, &self.declared.name) {
                Err(error) => {
                    let reason = Reason::Invalid(error, shown.clone());
                    refuse(reason, self.declared.right().into());
                }
                Ok(value) => {
                    let rules = self.rules.iter().map(|rule| rule.of(&value));
                    // Of a rule for production, the default may be one for home.
                    let broken = rules.filter(|rule| {
                        !rule.holds && !rule.in_production && rule.severity == Severity::Error
                    });
                    for rule in broken {
                        refuse(Reason::Fixed("is not allowed".into()), rule.right);
                    }
                }
            }
        }
        let is_right = wrong.is_empty();
        self.vars.findings.problems.extend(wrong);
        is_right
    }

    fn found(self, found: &Found, has_secret_name: bool) -> Read<F> {
        let text = found.text.expose();
        if self.declared.is_secret {
            self.vars.findings.keep_secret(text);
        }
        self.vars.findings.secrets.extend(print::passwords(text).map(Secret::from));
        let holder = |is_secret: bool| Holder {
            name: found.name.clone(),
            value: Some(Shown::new(text, is_secret)),
            origin: Some(found.origin.clone()),
        };
        let setting = holder(self.declared.is_secret);
        if text.trim().is_empty() && !self.may_be_empty {
            // Of a secret, too: there is none.
            let setting = holder(false);
            self.vars.findings.holds(setting.clone());
            let reason = Reason::Fixed("is set, and empty".into());
            let right = self.declared.right();
            self.problem(Severity::Error, ProblemKind::Invalid, setting, reason, right);
            return Read { value: None, names: vec![found.name.clone()] };
        }
        match self.parsed(text, &found.name) {
            Ok(value) => self.judged(value, setting),
            Err(error) => {
                // What is in the wrong place may well be a secret.
                let is_secret = self.declared.is_secret || has_secret_name;
                let holder = holder(is_secret);
                self.vars.findings.holds(holder.clone());
                let reason = Reason::Invalid(error, Shown::new(text, is_secret));
                let right = self.declared.right();
                self.problem(Severity::Error, ProblemKind::Invalid, holder, reason, right);
                Read { value: None, names: vec![found.name.clone()] }
            }
        }
    }

    fn not_found(self) -> Read<F> {
        let name = self.declared.name.clone();
        if let Some(missed) = &self.declared.wanted {
            let right = format!("{}; without it {missed}", self.declared.right());
            let holder = Holder { name: name.clone(), value: None, origin: None };
            let severity = Severity::Warning;
            self.vars.findings.problems.push(Pending {
                severity,
                kind: ProblemKind::NotSet,
                holders: vec![holder],
                reason: Reason::NotSet,
                right: right.into(),
            });
        }
        let profile = self.vars.profile;
        let default = self.declared.default_in(profile);
        if let Some((of, text)) = default {
            let holder = Holder {
                name: name.clone(),
                value: Some(Shown::new(text, self.declared.is_secret)),
                origin: Some(of.map_or(Origin::Default, Origin::ProfileDefault)),
            };
            let mut passwords = print::passwords(text).peekable();
            let has_secret = self.declared.is_secret || passwords.peek().is_some();
            self.vars.findings.secrets.extend(passwords.map(Secret::from));
            if self.declared.is_secret {
                self.vars.findings.keep_secret(text);
            }
            if has_secret && profile.is_production() {
                self.vars.findings.holds(holder.clone());
                let reason = Reason::Fixed("is the default, which everybody knows".into());
                let right = format!("{} of your own", self.declared.right());
                self.problem(Severity::Error, ProblemKind::Rule, holder, reason, right);
                return Read { value: None, names: vec![name] };
            }
            // It was looked at before.
            let Ok(value) = self.parsed(text, &name) else {
                return Read { value: None, names: vec![name] };
            };
            return self.judged(value, holder);
        }
        let holder = Holder { name: name.clone(), value: None, origin: Some(Origin::Default) };
        self.vars.findings.settings.push((holder, self.declared.otherwise.clone()));
        if self.declared.is_required_in(profile) {
            let holder = Holder { name: name.clone(), value: None, origin: None };
            let right = self.declared.right();
            self.problem(Severity::Error, ProblemKind::NotSet, holder, Reason::NotSet, right);
            return Read { value: None, names: vec![name] };
        }
        let value = self.unset.map_or_else(|| (self.field)(None), Some);
        Read { value, names: vec![name] }
    }

    fn judged(self, value: T, holder: Holder) -> Read<F> {
        let is_production = self.vars.profile.is_production();
        for rule in &self.rules {
            let rule = rule.of(&value);
            if rule.holds || rule.in_production && !is_production {
                continue;
            }
            let reason =
                if rule.in_production { "is not allowed in production" } else { "is not allowed" };
            self.vars.findings.problems.push(Pending {
                severity: rule.severity,
                kind: ProblemKind::Rule,
                holders: vec![holder.clone()],
                reason: Reason::Fixed(reason.into()),
                right: rule.right,
            });
        }
        let names = vec![holder.name.clone()];
        self.vars.findings.holds(holder);
        Read { value: (self.field)(Some(value)), names }
    }

    fn unclear(self, unclear: Unclear) -> Read<F> {
        let unseen = |name: String, origin| Holder { name, value: None, origin: Some(origin) };
        let right = self.declared.right();
        let (kind, holders, reason, right) = match unclear {
            Unclear::NotUnicode { name, origin } => {
                let reason = "is no text in UTF-8".into();
                (ProblemKind::Invalid, vec![unseen(name, origin)], reason, right)
            }
            Unclear::Conflict { names, origin } => {
                let right = format!("one of them, {right}");
                let is_file = names.last() == Some(&file_twin(&self.declared.name));
                let reason = if is_file { "are both set" } else { "say different things" }.into();
                let holders = names.into_iter().map(|name| unseen(name, origin.clone()));
                (ProblemKind::Conflict, holders.collect(), reason, right)
            }
            Unclear::File { name, origin, error } => {
                let reason = format!("names a file that cannot be read: {error}");
                let right = format!("the path of a file that holds {right}");
                (ProblemKind::File, vec![unseen(name, origin)], reason, right)
            }
        };
        let names = vec![self.declared.name];
        self.vars.findings.problems.push(Pending {
            severity: Severity::Error,
            kind,
            holders,
            reason: Reason::Fixed(reason.into()),
            right: right.into(),
        });
        Read { value: None, names }
    }

    fn problem(
        self,
        severity: Severity,
        kind: ProblemKind,
        holder: Holder,
        reason: Reason,
        right: String,
    ) {
        let holders = vec![holder];
        self.vars.findings.problems.push(Pending {
            severity,
            kind,
            holders,
            reason,
            right: right.into(),
        });
    }

    fn parsed(&self, text: &str, name: &str) -> Result<T, Invalid> {
        let is_censored = self.declared.is_secret && text.contains(CENSOR)
            || print::passwords(text).any(|password| password == CENSOR);
        if is_censored {
            return Err(Invalid::new("has [REDACTED] in it, as a log prints it"));
        }
        (self.parse)(text, Unit::of_name(name).or(self.unit))
    }
}

impl<F, T> fmt::Debug for Var<'_, '_, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Var").field("name", &self.declared.name).finish_non_exhaustive()
    }
}
