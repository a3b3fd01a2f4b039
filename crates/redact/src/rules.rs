//! What is sensitive, compiled once.

use std::{
    fmt::{self, Write},
    sync::{Arc, LazyLock},
};

use http::HeaderName;
use tracing_core::Metadata;

use crate::{
    Censor, ConfigError, ConfigErrorKind, Fields, ValueRule, Verdict,
    callsite::Callsites,
    defaults,
    keys::{self, Keys, Rule},
    path::{self, MAX_SEGMENTS, Paths, Segment},
    scratch,
    value::{Found, SMALLEST_CARD, Scan, Values},
};

/// What is sensitive, and what is printed instead.
///
/// The verbs (`redact_…`, `allow_…`, `censor`, `show_headers`) add to the rules and compile them
/// anew: they are for start-up. The rest asks them, allocates nothing where there is nothing to
/// censor, and never fails on what it reads. A clone shares the compiled rules.
///
/// ```
/// use buttress_redact::{Censor, Rules, ValueRule};
///
/// let rules = Rules::new()
///     .redact_key("email")?
///     .redact_key_with("iban", Censor::keep_last(4))?
///     .redact_keys_containing("diagnos")?
///     .redact_path("customers[*].address.street")?
///     .redact_path_with("**.notes", Censor::remove())?
///     .redact_value_with(ValueRule::CardNumber, Censor::keep_last(4))
///     .allow_key("session_count")?
///     .censor(Censor::text("***"));
/// # Ok::<(), buttress_redact::ConfigError>(())
/// ```
///
/// # Which rule counts
///
/// The first of: a path; an allowed key; an exact key, or one that is a part of a dotted name; the
/// longest word in a key; a value rule. Of two rules for the same name the later one counts, and of
/// two paths that hit the same value the one that was given later.
#[derive(Clone)]
pub struct Rules(Arc<Compiled>);

struct Compiled {
    plan: Plan,
    // The default first.
    censors: Vec<Censor>,
    keys: Keys,
    paths: Paths,
    values: Values,
    callsites: Callsites,
}

/// The rules as they were given.
#[derive(Clone, Default)]
struct Plan {
    censor: Censor,
    keys: Vec<(String, Match, Option<Censor>)>,
    paths: Vec<(Vec<Segment>, Option<Censor>)>,
    values: [Option<Option<Censor>>; ValueRule::ALL.len()],
    headers: Vec<HeaderName>,
}

#[derive(Clone, Copy)]
enum Match {
    Exact,
    Word,
    Allow,
}

static STANDARD: LazyLock<Rules> = LazyLock::new(|| {
    let mut plan = Plan::default();
    let lists = [
        (defaults::KEYS, Match::Exact),
        (defaults::WORDS, Match::Word),
        (defaults::ALLOWED, Match::Allow),
    ];
    for (names, how) in lists {
        plan.keys.extend(names.iter().map(|name| ((*name).to_owned(), how, None)));
    }
    plan.values = std::array::from_fn(|_| Some(None));
    plan.headers = defaults::HEADERS.iter().map(|name| HeaderName::from_static(name)).collect();
    Rules::compile(plan)
});

/// Making rules.
impl Rules {
    /// The defaults: the keys, words and exceptions that the crate's page lists, all value rules,
    /// no paths, and headers that say nothing about anybody.
    #[must_use]
    pub fn new() -> Self {
        Self::standard().clone()
    }

    /// The defaults, made once.
    #[must_use]
    pub(crate) fn standard() -> &'static Self {
        &STANDARD
    }

    /// No rules: everything is printed but header values.
    #[must_use]
    pub fn none() -> Self {
        Self::compile(Plan::default())
    }

    /// What is printed where a rule has no censor of its own. [`CENSOR`](crate::CENSOR) unless said.
    #[must_use]
    pub fn censor(self, censor: impl Into<Censor>) -> Self {
        self.edit(|plan| plan.censor = censor.into())
    }

    /// Censors the key of this name, however it is written: `birth_date` is `birthDate`,
    /// `Birth-Date`, `birth.date` and `BIRTH DATE` too.
    ///
    /// # Errors
    /// When the name has no letter or digit, or anything but letters, digits, `-`, `_`, `.` and
    /// spaces.
    pub fn redact_key(self, name: &str) -> Result<Self, ConfigError> {
        self.with_key(name, Match::Exact, None)
    }

    /// Like [`redact_key`](Self::redact_key), with a censor of its own.
    ///
    /// # Errors
    /// As there.
    pub fn redact_key_with(self, name: &str, censor: Censor) -> Result<Self, ConfigError> {
        self.with_key(name, Match::Exact, Some(censor))
    }

    /// Censors each key that has this in it, however it is written. Words of up to three letters
    /// are not found across two words: there is no `ssn` in `class_name`.
    ///
    /// # Errors
    /// As [`redact_key`](Self::redact_key).
    pub fn redact_keys_containing(self, word: &str) -> Result<Self, ConfigError> {
        self.with_key(word, Match::Word, None)
    }

    /// Like [`redact_keys_containing`](Self::redact_keys_containing), with a censor of its own.
    ///
    /// # Errors
    /// As there.
    pub fn redact_keys_containing_with(
        self,
        word: &str,
        censor: Censor,
    ) -> Result<Self, ConfigError> {
        self.with_key(word, Match::Word, Some(censor))
    }

    /// Lets the key of this name be, whatever words are in it. Paths and value rules still apply.
    ///
    /// # Errors
    /// As [`redact_key`](Self::redact_key).
    pub fn allow_key(self, name: &str) -> Result<Self, ConfigError> {
        self.with_key(name, Match::Allow, None)
    }

    /// Censors what is at this path, in pino's syntax: `a.b.c`, `a["x-y"].d`, `a[*].b`, `*.c`,
    /// `a[0]`; and `**.k` for a `k` at any depth, the topmost included.
    ///
    /// Keys are compared as they are written. In a tracing field the dots of its name make the
    /// path; queries and headers have none.
    ///
    /// # Errors
    /// When it does not follow the syntax, with the column at which it stops; or when there are
    /// more than 512 segments in all paths together.
    pub fn redact_path(self, path: &str) -> Result<Self, ConfigError> {
        self.with_path(path, None)
    }

    /// Like [`redact_path`](Self::redact_path), with a censor of its own.
    ///
    /// # Errors
    /// As there.
    pub fn redact_path_with(self, path: &str, censor: Censor) -> Result<Self, ConfigError> {
        self.with_path(path, Some(censor))
    }

    /// Censors what looks like this, wherever it stands. All are on by default.
    #[must_use]
    pub fn redact_value(self, value: ValueRule) -> Self {
        self.with_value(value, Some(None))
    }

    /// Like [`redact_value`](Self::redact_value), with a censor of its own.
    #[must_use]
    pub fn redact_value_with(self, value: ValueRule, censor: Censor) -> Self {
        self.with_value(value, Some(Some(censor)))
    }

    /// Lets what looks like this be, unless its key is sensitive.
    #[must_use]
    pub fn allow_value(self, value: ValueRule) -> Self {
        self.with_value(value, None)
    }

    /// Lets all texts be: only keys and paths count. A tracing callsite without a sensitive field
    /// then costs one look-up, whatever its values are.
    #[must_use]
    pub fn allow_values(self) -> Self {
        ValueRule::ALL.into_iter().fold(self, Self::allow_value)
    }

    /// The headers whose values are printed, in place of the default list. One whose name is
    /// sensitive by the key rules is never printed, listed or not.
    #[must_use]
    pub fn show_headers(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.edit(|plan| plan.headers = names.into_iter().collect())
    }

    fn with_key(self, name: &str, how: Match, censor: Option<Censor>) -> Result<Self, ConfigError> {
        if !keys::is_name(name) {
            return Err(ConfigError::new(
                ConfigErrorKind::InvalidKey,
                format!(
                    "key {name:?}: it needs a letter or a digit, and takes '-', '_', '.' and spaces"
                ),
            ));
        }
        Ok(self.edit(|plan| plan.keys.push((name.to_owned(), how, censor))))
    }

    fn with_path(self, path: &str, censor: Option<Censor>) -> Result<Self, ConfigError> {
        let segments = path::parse(path)?;
        let given: usize = self.0.plan.paths.iter().map(|(path, _)| path.len()).sum();
        if given + segments.len() > MAX_SEGMENTS {
            return Err(ConfigError::new(
                ConfigErrorKind::TooManyPaths,
                format!("path {path:?}: the paths have more than {MAX_SEGMENTS} segments in all"),
            ));
        }
        Ok(self.edit(|plan| plan.paths.push((segments, censor))))
    }

    fn with_value(self, value: ValueRule, censor: Option<Option<Censor>>) -> Self {
        self.edit(|plan| {
            if let Some(old) = plan.values.get_mut(value.index()) {
                *old = censor;
            }
        })
    }

    fn edit(self, edit: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = self.0.plan.clone();
        edit(&mut plan);
        Self::compile(plan)
    }

    fn compile(plan: Plan) -> Self {
        Self(Arc::new(Compiled::new(plan)))
    }
}

/// Asking rules.
impl Rules {
    /// What to do with the value of this key, whatever its type: a JSON member, a form field, a
    /// tracing field that no callsite declares. A dotted name is taken for a path as well.
    pub fn key(&self, name: &str) -> Verdict<'_> {
        self.verdict(self.0.judge(name))
    }

    /// What to do with the fields of a callsite, in one look-up: it is judged when it is first
    /// asked for, and what was found is shared by all clones of these rules.
    #[must_use]
    pub fn fields(&self, metadata: &'static Metadata<'static>) -> Fields<'_> {
        let censors = self.0.callsites.get_or_judge(metadata, |name| self.0.judge(name));
        Fields::new(self, censors)
    }

    /// Writes a text with what is sensitive by its look censored, in one scan. What is clear is
    /// written as it is, in as few pieces as there are.
    ///
    /// ```
    /// use buttress_redact::Rules;
    ///
    /// let mut line = String::new();
    /// Rules::new().text("GET postgres://app:hunter2@db/main", &mut line)?;
    /// assert_eq!(line, "GET postgres://app:[REDACTED]@db/main");
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of `out`, and of a censor's function.
    pub fn text(&self, text: &str, out: &mut dyn Write) -> fmt::Result {
        let Some(scan) = self.0.scan(text) else {
            return out.write_str(text);
        };
        let mut from = 0;
        while let Some(Found { range, censor }) = scan.find(from) {
            out.write_str(text.get(from..range.start).unwrap_or_default())?;
            let secret = text.get(range.clone()).unwrap_or_default();
            self.censor_at(censor).write(&secret, out)?;
            from = range.end;
        }
        out.write_str(text.get(from..).unwrap_or_default())
    }

    /// Like [`text`](Self::text), for what is not yet a text: it is formatted into a buffer that
    /// the thread keeps, then scanned.
    ///
    /// ```
    /// use buttress_redact::Rules;
    ///
    /// let secrets = vec!["AKIAIOSFODNN7EXAMPLE"];
    /// let mut line = String::new();
    /// Rules::new().format(format_args!("{secrets:?}"), &mut line)?;
    /// assert_eq!(line, r#"["[REDACTED]"]"#);
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub fn format(&self, args: fmt::Arguments<'_>, out: &mut dyn Write) -> fmt::Result {
        if self.0.values.is_empty() {
            return out.write_fmt(args);
        }
        scratch::formatted(args, |text| self.text(text, out))
    }

    /// Whether nothing in the text is sensitive by its look.
    #[must_use]
    pub fn is_clear(&self, text: &str) -> bool {
        self.0.scan(text).is_none_or(|scan| scan.find(0).is_none())
    }

    /// Whether the text has not even a sign of anything sensitive; then no part of it has one.
    pub(crate) fn is_unmarked(&self, text: &str) -> bool {
        self.0.scan(text).is_none()
    }

    /// Like [`is_clear`](Self::is_clear), for the texts in bytes that may be anything.
    pub(crate) fn are_clear(&self, bytes: &[u8]) -> bool {
        bytes.utf8_chunks().all(|chunk| self.is_clear(chunk.valid()))
    }

    /// What to do with a number under a clear key: it may be a card's.
    #[inline]
    pub fn number(&self, number: u128) -> Verdict<'_> {
        match SMALLEST_CARD <= number {
            true => self.verdict(self.0.values.number(number)),
            false => Verdict::Clear,
        }
    }

    /// Like [`number`](Self::number), for one that came as a float.
    #[inline]
    pub fn float(&self, number: f64) -> Verdict<'_> {
        // Only what has as many digits as a card is formatted.
        match (1e12..1e19).contains(&number) {
            true => self.long_float(number),
            false => Verdict::Clear,
        }
    }

    fn long_float(&self, number: f64) -> Verdict<'_> {
        let whole = scratch::formatted(format_args!("{number}"), str::parse);
        whole.map_or(Verdict::Clear, |whole| self.number(whole))
    }

    /// Like [`number`](Self::number), for one that came as the text of its digits.
    #[cfg(feature = "serde")]
    pub(crate) fn digits(&self, digits: &str) -> Verdict<'_> {
        digits.parse().map_or_else(
            |_| digits.parse().map_or(Verdict::Clear, |float| self.float(float)),
            |whole| self.number(whole),
        )
    }

    /// Whether any value rule is on.
    pub(crate) fn has_values(&self) -> bool {
        !self.0.values.is_empty()
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    #[cfg(feature = "serde")]
    pub(crate) fn paths(&self) -> &Paths {
        &self.0.paths
    }

    /// Whether any censor leaves fields out.
    #[cfg(feature = "serde")]
    pub(crate) fn removes(&self) -> bool {
        self.0.censors.iter().any(Censor::removes)
    }

    pub(crate) fn shows(&self, name: &HeaderName) -> bool {
        self.0.plan.headers.contains(name)
    }

    pub(crate) fn default_censor(&self) -> &Censor {
        &self.0.plan.censor
    }

    pub(crate) fn censor_at(&self, number: u16) -> &Censor {
        self.0.censors.get(usize::from(number)).unwrap_or(&self.0.plan.censor)
    }

    pub(crate) fn verdict(&self, number: Option<u16>) -> Verdict<'_> {
        match number.map(|number| self.censor_at(number)) {
            None => Verdict::Clear,
            Some(censor) if censor.removes() => Verdict::Remove,
            Some(censor) => Verdict::Censor(censor),
        }
    }
}

// === impl Compiled ===

impl Compiled {
    fn new(mut plan: Plan) -> Self {
        let mut censors = vec![plan.censor.clone()];
        let mut number = |censor: &Option<Censor>| match censor {
            None => 0,
            Some(censor) => {
                censors.push(censor.clone());
                // Past 65,535 of them the default one stands in.
                u16::try_from(censors.len() - 1).unwrap_or(0)
            }
        };
        let keys = Keys::new(plan.keys.iter().map(|(name, how, censor)| {
            let rule = match how {
                Match::Exact => Rule::Exact(number(censor)),
                Match::Word => Rule::Word(number(censor)),
                Match::Allow => Rule::Allow,
            };
            (name.as_str(), rule)
        }));
        let paths =
            Paths::new(plan.paths.iter().map(|(path, censor)| (path.as_slice(), number(censor))));
        let mut values = [None; ValueRule::ALL.len()];
        for (compiled, planned) in values.iter_mut().zip(&plan.values) {
            *compiled = planned.as_ref().map(&mut number);
        }
        plan.headers.retain(|name| keys.judge(name.as_str().bytes()).is_none());
        let values = Values::new(values);
        Self { plan, censors, keys, paths, values, callsites: Callsites::default() }
    }

    fn scan<'a>(&'a self, text: &'a str) -> Option<Scan<'a>> {
        self.values.scan(&self.keys, text)
    }

    /// A path is the most particular thing that can be said of a value.
    fn judge(&self, name: &str) -> Option<u16> {
        self.paths.judge(name).or_else(|| self.keys.judge(name.bytes()))
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { censor, keys, paths, values, headers } = &self.0.plan;
        f.debug_struct("Rules")
            .field("censor", censor)
            .field("keys", &keys.len())
            .field("paths", &paths.len())
            .field("values", &values.iter().flatten().count())
            .field("headers", &headers.len())
            .finish()
    }
}
