//! What is known of a variable before anything is read.

use crate::{profile::Profile, report::Severity, rule::Requirement};

#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) section: String,
    pub(crate) about: String,
    pub(crate) expects: String,
    pub(crate) example: Option<String>,
    /// By profile; `None` is all of them.
    pub(crate) defaults: Vec<(Option<Profile>, String)>,
    /// What holds where it is not set, in words.
    pub(crate) otherwise: Option<String>,
    /// Why it is a pity when it is not set.
    pub(crate) wanted: Option<String>,
    pub(crate) is_required: bool,
    pub(crate) is_required_in_production: bool,
    pub(crate) is_secret: bool,
    pub(crate) empty_is_unset: bool,
    pub(crate) rules: Vec<Requirement>,
}

impl Declared {
    pub(crate) fn new(name: String, section: String, expects: String) -> Self {
        Self {
            name,
            aliases: Vec::new(),
            section,
            about: String::new(),
            expects,
            example: None,
            defaults: Vec::new(),
            otherwise: None,
            wanted: None,
            is_required: true,
            is_required_in_production: false,
            is_secret: false,
            empty_is_unset: false,
            rules: Vec::new(),
        }
    }

    /// Whatever it may be found under, the first name first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// The default of the profile, before that of all.
    pub(crate) fn default_in(&self, profile: Profile) -> Option<(Option<Profile>, &str)> {
        let of = |wanted: Option<Profile>| {
            let found = self.defaults.iter().rev().find(|(profile, _)| *profile == wanted);
            found.map(|(profile, text)| (*profile, text.as_str()))
        };
        of(Some(profile)).or_else(|| of(None))
    }

    /// Whether it must be set, at least in one profile.
    pub(crate) fn must_be_set(&self) -> bool {
        self.is_required && Profile::ALL.into_iter().any(|profile| self.is_required_in(profile))
    }

    /// Whether it must be set in this profile.
    pub(crate) fn is_required_in(&self, profile: Profile) -> bool {
        let is_required =
            self.is_required || self.is_required_in_production && profile.is_production();
        is_required && self.default_in(profile).is_none()
    }

    /// What would be right, by the type and by the rules.
    pub(crate) fn right(&self) -> String {
        let mut right = match &self.example {
            // The variable's own is better than its type's.
            Some(example) => {
                let expects = self.expects.split(", such as ").next().unwrap_or_default();
                format!("{expects}, such as {example}")
            }
            None => self.expects.clone(),
        };
        for rule in &self.rules {
            right.push_str("; ");
            right.push_str(&rule.right);
            if rule.in_production {
                right.push_str(" (in production)");
            }
            if rule.severity == Severity::Warning {
                right.push_str(" (else a warning)");
            }
        }
        right
    }
}

/// The twin of a secret's variable that names a file.
pub(crate) fn file_twin(name: &str) -> String {
    format!("{name}_FILE")
}
