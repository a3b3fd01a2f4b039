//! JSON, judged as it streams.

use std::fmt;

use bytes::Bytes;

use self::{
    number::Number,
    sieve::{Judge, Sieve, Sink},
    text::Text,
};
use crate::{policy::Policy, rule::Rule, tree::Tree, violation::Violation};

mod number;
pub(crate) mod scan;
mod sieve;
mod text;
mod walk;

/// A rule that is broken at this position of the chunk.
type Fail = (Rule, usize);

/// What must come next, or what has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing has come yet.
    Start,
    /// The first byte of a byte order mark has come; or the first two.
    Mark1,
    Mark2,
    /// A value: after a colon, or after a comma in an array.
    Value,
    /// A value or the end of the array.
    FirstItem,
    /// A key or the end of the object.
    FirstKey,
    /// A key.
    Key,
    /// A colon.
    Colon,
    /// A comma or an end, or, outside of all, nothing.
    After,
    /// The rest of a text.
    Text,
    /// The rest of a number.
    Number,
    /// The rest of `true`, `false` or `null`.
    Literal,
}

/// A push machine that judges a JSON text (RFC 8259) under a [`Policy`] while it comes, in chunks
/// that may be cut anywhere. The verdict, its pointer and its offset do not depend on the cuts.
///
/// It is strict: one value, UTF-8, no byte order mark, no comments, no trailing commas. It holds
/// the keys of the objects that are open, and a few words for each, and no value.
///
/// ```
/// use buttress_sanitize::{JsonGuard, Policy, Rule};
///
/// let mut guard = JsonGuard::new(&Policy::strict_json());
/// guard.push(br#"{"id": 1, "\u0069"#)?;
/// let violation = guard.push(br#"d": 2}"#).unwrap_err();
/// assert_eq!((violation.rule(), violation.pointer()), (Rule::DuplicateKey, "/id"));
///
/// let mut guard = JsonGuard::new(&Policy::strict_json());
/// guard.push(br#"[1, 2"#)?;
/// assert_eq!(guard.finish().unwrap_err().rule(), Rule::Syntax);
/// # Ok::<(), buttress_sanitize::Violation>(())
/// ```
///
/// With [`Action::Strip`](crate::Action::Strip), [`strip`](Self::strip) passes on the rest:
///
/// ```
/// use buttress_sanitize::{Action, JsonGuard, Policy, Rule};
/// use bytes::Bytes;
///
/// let policy = Policy::strict_json().on(Rule::PrototypeKey, Action::Strip)?;
/// let mut guard = JsonGuard::new(&policy);
/// let mut out = Vec::new();
/// guard.strip(&Bytes::from_static(br#"{"__proto__": {"admin": true}, "name": "x"}"#), &mut out)?;
/// guard.finish()?;
/// assert_eq!(out.concat(), br#"{ "name": "x"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JsonGuard {
    state: State,
    text: Text,
    number: Number,
    // What is still to come of `true`, `false` or `null`.
    word: &'static [u8],
    tree: Tree,
    sieve: Sieve,
    // The depth at which a member is left out, while its value is read.
    stripped_at: Option<usize>,
    strips: bool,
    // Bytes before this chunk.
    seen: u64,
    failed: Option<Violation>,
    #[cfg(test)]
    steps: u64,
}

impl JsonGuard {
    /// A guard for one document.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self {
            state: State::Start,
            text: Text::default(),
            number: Number::begin(b'0'),
            word: &[],
            tree: Tree::new(policy),
            sieve: Sieve::default(),
            stripped_at: None,
            strips: policy.strips(),
            seen: 0,
            failed: None,
            #[cfg(test)]
            steps: 0,
        }
    }

    /// Judges the next bytes.
    ///
    /// # Errors
    ///
    /// The first rule that is broken; the same again on every further call. Here, where nothing is
    /// passed on, what would be stripped is refused.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Violation> {
        self.judge(chunk, &mut Judge)
    }

    /// Judges the next bytes, and appends to `out` what passes: slices of the chunk, without
    /// copying, and what was held back of an earlier one. A chunk of which nothing is stripped or
    /// held passes whole. A document is given to this or to [`push`](Self::push), not to both.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push), but for what is stripped. What `out` has got by then is the
    /// beginning of a document that is refused.
    pub fn strip(&mut self, chunk: &Bytes, out: &mut Vec<Bytes>) -> Result<(), Violation> {
        if !self.strips {
            self.push(chunk)?;
            if !chunk.is_empty() {
                out.push(chunk.clone());
            }
            return Ok(());
        }
        let mut sieve = std::mem::take(&mut self.sieve);
        let mut strain = sieve.strain(chunk, out);
        let judged = self.judge(chunk, &mut strain);
        if judged.is_ok() {
            strain.end();
        }
        self.sieve = sieve;
        judged
    }

    /// There are no more bytes.
    ///
    /// # Errors
    ///
    /// When the document is not whole, or was refused before.
    pub fn finish(&mut self) -> Result<(), Violation> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let is_whole = match self.state {
            State::After => true,
            State::Number => self.number.is_whole(),
            _ => false,
        };
        if is_whole && self.tree.depth() == 0 {
            return Ok(());
        }
        Err(self.fail(Rule::Syntax, self.seen))
    }

    /// The first place of each rule that is broken and only reported, in their order.
    ///
    /// ```
    /// use buttress_sanitize::{JsonGuard, Policy, Rule};
    ///
    /// let mut guard = JsonGuard::new(&Policy::strict_json());
    /// guard.push(br#"["safe\u202etxt.exe", "\u202e"]"#)?;
    /// guard.finish()?;
    /// let [report] = guard.reports() else { panic!("one rule, one report") };
    /// assert_eq!((report.rule(), report.pointer()), (Rule::Bidi, "/0"));
    /// # Ok::<(), buttress_sanitize::Violation>(())
    /// ```
    #[must_use]
    pub fn reports(&self) -> &[Violation] {
        self.tree.reports().reported()
    }

    /// The first place of each rule by which [`strip`](Self::strip) has left members out, in their
    /// order.
    ///
    /// ```
    /// use buttress_sanitize::{Action, JsonGuard, Policy, Rule};
    /// use bytes::Bytes;
    ///
    /// let policy = Policy::mongo().on(Rule::OperatorKey, Action::Strip)?;
    /// let mut guard = JsonGuard::new(&policy);
    /// let text = Bytes::from_static(br#"{"name": {"$ne": "", "$gt": ""}}"#);
    /// guard.strip(&text, &mut Vec::new())?;
    /// let [stripped] = guard.stripped() else { panic!("one rule, one place") };
    /// assert_eq!((stripped.rule(), stripped.pointer()), (Rule::OperatorKey, "/name/$ne"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stripped(&self) -> &[Violation] {
        self.tree.reports().stripped()
    }

    /// How many bytes have been judged.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    pub(crate) fn into_reports(self) -> Vec<Violation> {
        self.tree.into_reports().into_reported()
    }

    fn judge<S: Sink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), Violation> {
        self.tree.strips = S::STRIPS;
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        // What is wrong before the limit comes before the limit, however the body was cut.
        let room = self.tree.policy.limits.body.saturating_sub(self.seen);
        let within = match usize::try_from(room) {
            Ok(room) => chunk.get(..room).unwrap_or(chunk),
            Err(_) => chunk,
        };
        if let Err((rule, position)) = self.walk(within, sink) {
            return Err(self.fail(rule, self.seen + position as u64));
        }
        self.seen += within.len() as u64;
        if within.len() < chunk.len() {
            return Err(self.fail(Rule::BodySize, self.seen));
        }
        Ok(())
    }

    #[cold]
    fn fail(&mut self, rule: Rule, at: u64) -> Violation {
        let violation = self.tree.violation(rule, Some(at));
        self.failed = Some(violation.clone());
        violation
    }
}

/// Nothing of what was sent.
impl fmt::Debug for JsonGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonGuard")
            .field("policy", &self.tree.policy)
            .field("seen", &self.seen)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
