//! How a variable is read, and what is told of it.

use buttress_core::{CENSOR, Secret};

use super::Var;
use crate::{
    declared::file_twin,
    effective::Origin,
    findings::{Holder, Pending, Reason, Shown},
    lookup::{self, Found, Unclear},
    print,
    report::{ProblemKind, Severity},
    unit::Unit,
    value::Invalid,
    vars::Read,
};

impl<F, T> Var<'_, '_, F, T> {
    /// Reads it. Whatever is wrong is written down in the [`Vars`](crate::Vars).
    pub fn read(mut self) -> Read<F> {
        let has_secret_name = !self.is_public && self.declared.names().any(print::is_sensitive);
        self.is_named_so = self.is_text && has_secret_name && !self.declared.is_secret;
        self.declared.is_secret |= self.is_named_so;
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
            let is_secret = self.declared.is_secret && !self.is_named_so;
            let is_known_to_all = is_secret || passwords.peek().is_some();
            self.vars.findings.secrets.extend(passwords.map(Secret::from));
            if is_secret {
                self.vars.findings.keep_secret(text);
            }
            if is_known_to_all && profile.is_production() {
                self.vars.findings.holds(holder.clone());
                let reason = Reason::Fixed("is the default, which everybody knows".into());
                let right = format!("{} of your own", self.declared.right());
                self.problem(Severity::Error, ProblemKind::Rule, holder, reason, right);
                return Read { value: None, names: vec![name] };
            }
            if self.is_named_so && profile.is_production() {
                let right = self.declared.right();
                let right =
                    format!("{right} of your own, or `public` in the program where it is none");
                self.vars.findings.problems.push(Pending {
                    severity: Severity::Warning,
                    kind: ProblemKind::Rule,
                    holders: vec![holder.clone()],
                    reason: Reason::Fixed("is the default, and named like a secret".into()),
                    right: right.into(),
                });
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
        let parsed = (self.parse)(text, Unit::of_name(name).or(self.unit));
        parsed.map_err(
            |error| if self.is_quoted(text, &error) { error.into_quoting() } else { error },
        )
    }

    /// Whether what takes the value has told of it what nobody is to see, against its promise.
    fn is_quoted(&self, text: &str, error: &Invalid) -> bool {
        let said = error.to_string();
        let has = |secret: &str| {
            secret.len() >= print::SHORTEST_PART
                && (said.contains(secret) || said.contains(&secret.escape_debug().to_string()))
        };
        let is_secret = self.declared.is_secret || print::passwords(text).next().is_some();
        is_secret && has(text.trim()) || print::passwords(text).any(has)
    }
}
