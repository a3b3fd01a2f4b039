//! Which rules hold, and how much is allowed.

use std::sync::Arc;

use crate::{
    error::{ConfigError, ConfigErrorKind},
    form::{FormGuard, name::canonical},
    json::JsonGuard,
    limits::Limits,
    path,
    rule::{Action, RULES, Rule},
    violation::Violation,
};

/// Which rules hold, what happens where one is broken, and how much is allowed of everything.
///
/// Begin with a preset. A clone shares what is large.
///
/// ```
/// use buttress_sanitize::{Action, JsonGuard, Policy, Rule};
///
/// let policy = Policy::strict_json()
///     .max_body(64 * 1024)
///     .max_depth(8)
///     .on(Rule::PrototypeKey, Action::Strip)?
///     .on(Rule::Bidi, Action::Reject)?;
/// let mut guard = JsonGuard::new(&policy);
/// assert_eq!(guard.push(br#"{"name":"a\u202eb"}"#).unwrap_err().rule(), Rule::Bidi);
/// # Ok::<(), buttress_sanitize::ConfigError>(())
/// ```
///
/// | limit | default | counted in |
/// |---|---|---|
/// | [`max_body`](Self::max_body) | 1 MiB | bytes, as they come |
/// | [`max_depth`](Self::max_depth) | 32 | arrays and objects within each other |
/// | [`max_keys`](Self::max_keys) | 10,000 | keys in all objects together |
/// | [`max_object_keys`](Self::max_object_keys) | 1,000 | keys in one object |
/// | [`max_array_items`](Self::max_array_items) | 10,000 | items in one array |
/// | [`max_string`](Self::max_string) | 256 KiB | bytes of UTF-8, escapes decoded |
/// | [`max_key`](Self::max_key) | 256 | bytes of UTF-8, escapes decoded |
/// | [`max_number`](Self::max_number) | 64 | characters |
/// | [`max_query`](Self::max_query) | 8 KiB | bytes, as they come |
/// | [`max_parameters`](Self::max_parameters) | 1,000 | parameters of a query or form |
/// | [`max_parameter_depth`](Self::max_parameter_depth) | 5 | brackets in a name |
/// | [`max_path`](Self::max_path) | 4 KiB | bytes, as they come |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(crate) limits: Limits,
    actions: [Action; RULES],
    repeatable: Option<Arc<[Box<[u8]>]>>,
}

impl Policy {
    /// For JSON APIs.
    ///
    /// Refused: prototype keys, duplicate keys and parameters, U+0000, path traversal, double
    /// encoding. Reported: control, bidi and zero-width characters, and values of parameters
    /// that are encoded twice. Operator keys are not looked at.
    #[must_use]
    pub const fn strict_json() -> Self {
        let mut actions = [Action::Reject; RULES];
        set(&mut actions, Rule::OperatorKey, Action::Off);
        set(&mut actions, Rule::Control, Action::Report);
        set(&mut actions, Rule::Bidi, Action::Report);
        set(&mut actions, Rule::ZeroWidth, Action::Report);
        set(&mut actions, Rule::EncodedValue, Action::Report);
        Self { limits: Limits::DEFAULT, actions, repeatable: None }
    }

    /// For HTML forms: as [`strict_json`](Self::strict_json), but a value that is encoded twice
    /// is what somebody has typed, and is not looked at.
    #[must_use]
    pub const fn forms() -> Self {
        let mut policy = Self::strict_json();
        set(&mut policy.actions, Rule::EncodedValue, Action::Off);
        policy
    }

    /// For what goes into a document database: as [`strict_json`](Self::strict_json), and keys
    /// that begin with `$` or have a `.` are refused.
    #[must_use]
    pub const fn mongo() -> Self {
        let mut policy = Self::strict_json();
        set(&mut policy.actions, Rule::OperatorKey, Action::Reject);
        policy
    }

    /// Looks at nothing, and allows what can be counted.
    #[cfg(feature = "serde")]
    pub(crate) const fn nothing() -> Self {
        Self { limits: Limits::NONE, actions: [Action::Off; RULES], repeatable: None }
    }

    /// Chooses what happens where a rule is broken.
    ///
    /// # Errors
    ///
    /// For a rule that always refuses ([`Rule::is_adjustable`]), and for [`Action::Strip`] where
    /// there is no JSON member to leave out ([`Rule::can_strip`]). In a query or a form, where
    /// nothing is stripped, [`Action::Strip`] refuses.
    pub fn on(mut self, rule: Rule, action: Action) -> Result<Self, ConfigError> {
        if !rule.is_adjustable() {
            let message = format!("{rule}: always refuses");
            return Err(ConfigError::new(ConfigErrorKind::NotAdjustable, message));
        }
        if action == Action::Strip && !rule.can_strip() {
            let message = format!("{rule}: only a JSON member can be stripped");
            return Err(ConfigError::new(ConfigErrorKind::NotStrippable, message));
        }
        set(&mut self.actions, rule, action);
        Ok(self)
    }

    /// Parameters that may come more than once, by the name without its list brackets:
    /// `tag` allows `tag=1&tag=2`, `tag[]=1&tag[]=2` and `tag[0]=1&tag[1]=2`; `items[id]` allows
    /// `items[0][id]=1&items[1][id]=2`.
    ///
    /// # Errors
    ///
    /// For an empty name, and one whose brackets do not match.
    pub fn repeatable<'a>(
        mut self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ConfigError> {
        let mut all: Vec<Box<[u8]>> = self.repeatable.iter().flat_map(|all| all.to_vec()).collect();
        for name in names {
            let mut one = Vec::new();
            if !canonical(name.as_bytes(), &mut one).is_matched || one.is_empty() {
                let message = format!("{name:?} is no parameter's name");
                return Err(ConfigError::new(ConfigErrorKind::Name, message));
            }
            all.push(one.into());
        }
        self.repeatable = Some(all.into());
        Ok(self)
    }

    /// What happens where this rule is broken.
    #[must_use]
    pub fn action(&self, rule: Rule) -> Action {
        self.actions.get(rule as usize).copied().unwrap_or(Action::Reject)
    }

    /// Whether anything is stripped.
    #[must_use]
    pub fn strips(&self) -> bool {
        self.actions.contains(&Action::Strip)
    }

    /// Judges a whole JSON text.
    ///
    /// ```
    /// use buttress_sanitize::{Policy, Rule};
    ///
    /// let policy = Policy::strict_json();
    /// assert!(policy.check_json(b"[1, 2]").is_ok());
    /// assert_eq!(policy.check_json(b"[1, 2,]").unwrap_err().rule(), Rule::Syntax);
    /// ```
    ///
    /// # Errors
    ///
    /// The first rule that is broken. Here, where nothing is passed on, what would be stripped is
    /// refused. `Ok` has the first place of each rule that is only reported; so it is with the
    /// checks below.
    pub fn check_json(&self, text: &[u8]) -> Result<Vec<Violation>, Violation> {
        let mut guard = JsonGuard::new(self);
        guard.push(text)?;
        guard.finish()?;
        Ok(guard.into_reports())
    }

    /// Judges a whole form. See [`FormGuard`].
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn check_form(&self, form: &[u8]) -> Result<Vec<Violation>, Violation> {
        let mut guard = FormGuard::new(self);
        guard.push(form)?;
        guard.finish()?;
        Ok(guard.into_reports())
    }

    /// Judges the query of a URI, without its `?`. See [`FormGuard`].
    ///
    /// ```
    /// use buttress_sanitize::{Policy, Rule};
    ///
    /// let policy = Policy::strict_json();
    /// assert!(policy.check_query("q=rust&page=2").is_ok());
    /// assert_eq!(policy.check_query("id=1&id[]=2").unwrap_err().rule(), Rule::RepeatedParameter);
    /// ```
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn check_query(&self, query: &str) -> Result<Vec<Violation>, Violation> {
        let mut guard = FormGuard::query(self);
        guard.push(query.as_bytes())?;
        guard.finish()?;
        Ok(guard.into_reports())
    }

    /// Judges the path of a URI: dot segments, encoded slashes and backslashes in whatever
    /// notation, what is encoded twice, U+0000, what decodes to no UTF-8.
    ///
    /// ```
    /// use buttress_sanitize::{Policy, Rule};
    ///
    /// let policy = Policy::strict_json();
    /// assert!(policy.check_path("/files/J%C3%BCrgen..txt").is_ok());
    /// let rule = |path| policy.check_path(path).unwrap_err().rule();
    /// assert_eq!(rule("/files/%2e%2e/secret"), Rule::Traversal);
    /// assert_eq!(rule("/files/%252e%252e/secret"), Rule::DoubleEncoding);
    /// ```
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn check_path(&self, path: &str) -> Result<Vec<Violation>, Violation> {
        path::check(self, path)
    }

    pub(crate) fn is_repeatable(&self, canonical: &[u8]) -> bool {
        self.repeatable.iter().flat_map(|all| all.iter()).any(|name| &**name == canonical)
    }
}

/// The limits. Each is exact: `n` pass, `n + 1` do not.
impl Policy {
    /// The most bytes that a body may have.
    #[must_use]
    pub const fn max_body(mut self, bytes: u64) -> Self {
        self.limits.body = bytes;
        self
    }

    /// The most arrays and objects within each other; 0 allows only texts, numbers, `true`,
    /// `false` and `null`. (`serde_json` itself stops at 127.)
    #[must_use]
    pub const fn max_depth(mut self, levels: u8) -> Self {
        self.limits.depth = levels;
        self
    }

    /// The most keys in all objects of a document together.
    #[must_use]
    pub const fn max_keys(mut self, keys: u32) -> Self {
        self.limits.keys = keys;
        self
    }

    /// The most keys in one object.
    #[must_use]
    pub const fn max_object_keys(mut self, keys: u32) -> Self {
        self.limits.object_keys = keys;
        self
    }

    /// The most items in one array.
    #[must_use]
    pub const fn max_array_items(mut self, items: u32) -> Self {
        self.limits.array_items = items;
        self
    }

    /// The longest text, in bytes of UTF-8 after its escapes are decoded.
    #[must_use]
    pub const fn max_string(mut self, bytes: u32) -> Self {
        self.limits.string = bytes;
        self
    }

    /// The longest key, or name of a parameter, in bytes of UTF-8 after its escapes are decoded.
    #[must_use]
    pub const fn max_key(mut self, bytes: u16) -> Self {
        self.limits.key = bytes;
        self
    }

    /// The longest number, in characters: sign, point and exponent count.
    #[must_use]
    pub const fn max_number(mut self, characters: u16) -> Self {
        self.limits.number = characters;
        self
    }

    /// The longest query, in bytes, without its `?`.
    #[must_use]
    pub const fn max_query(mut self, bytes: u32) -> Self {
        self.limits.query = bytes;
        self
    }

    /// The most parameters of a query or a form.
    #[must_use]
    pub const fn max_parameters(mut self, parameters: u32) -> Self {
        self.limits.parameters = parameters;
        self
    }

    /// The most brackets in a parameter's name: `a[b][c]` has two.
    #[must_use]
    pub const fn max_parameter_depth(mut self, brackets: u8) -> Self {
        self.limits.parameter_depth = brackets;
        self
    }

    /// The longest path, in bytes.
    #[must_use]
    pub const fn max_path(mut self, bytes: u32) -> Self {
        self.limits.path = bytes;
        self
    }
}

const fn set(actions: &mut [Action; RULES], rule: Rule, action: Action) {
    let (_, rest) = actions.split_at_mut(rule as usize);
    if let Some(slot) = rest.first_mut() {
        *slot = action;
    }
}
