//! Queries and forms (`application/x-www-form-urlencoded`), judged as they stream.

use std::fmt;

use self::name::{canonical, parts};
use crate::{
    chars::{Unseen, is_layout},
    keys::{Keys, Level},
    percent::{Percent, Remains},
    pointer,
    policy::Policy,
    reports::Reports,
    rule::Rule,
    tree::{is_operator, is_prototype},
    utf8::Utf8,
    violation::{Place, Violation},
};

pub(crate) mod name;

/// A push machine that judges a form, or a query, under a [`Policy`] while it comes, in chunks
/// that may be cut anywhere.
///
/// Parameters are separated by `&` and read as browsers write them (WHATWG URL §5.1): `+` is a
/// space, `%` needs its two digits. What it decodes to must be UTF-8. `a`, `a[]`, `a[0]` and
/// `a%5B0%5D` are one parameter, and it may come once unless it was declared
/// [`repeatable`](Policy::repeatable): those who read a form take the first, the last or all of
/// them, and whoever can choose gets past a check. It holds the names, and no value.
///
/// ```
/// use buttress_sanitize::{FormGuard, Policy, Rule};
///
/// let policy = Policy::forms().repeatable(["tag"])?;
/// let mut guard = FormGuard::new(&policy);
/// guard.push(b"name=J%C3%BCrgen&tag=a&tag[]=b&us")?;
/// guard.push(b"er[id]=1")?;
/// let violation = guard.push(b"&user%5Bid%5D=2").unwrap_err();
/// assert_eq!((violation.rule(), violation.pointer()), (Rule::RepeatedParameter, "/user/id"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FormGuard {
    policy: Policy,
    place: Place,
    most: u64,
    in_value: bool,
    percent: Percent,
    utf8: Utf8,
    unseen: Unseen,
    remains: Remains,
    name: Vec<u8>,
    // The name without its list brackets; kept for its room.
    canonical: Vec<u8>,
    value: u32,
    parameters: u32,
    keys: Keys,
    level: Level,
    reports: Reports,
    seen: u64,
    failed: Option<Violation>,
}

impl FormGuard {
    /// A guard for the body of a request: at most [`max_body`](Policy::max_body) bytes.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self::of(policy, Place::Body, policy.limits.body)
    }

    /// A guard for the query of a URI, without its `?`: at most [`max_query`](Policy::max_query)
    /// bytes.
    #[must_use]
    pub fn query(policy: &Policy) -> Self {
        Self::of(policy, Place::Query, policy.limits.query.into())
    }

    fn of(policy: &Policy, place: Place, most: u64) -> Self {
        let keys = Keys::default();
        Self {
            policy: policy.clone(),
            place,
            most,
            in_value: false,
            percent: Percent::default(),
            utf8: Utf8::default(),
            unseen: Unseen::default(),
            remains: Remains::default(),
            name: Vec::new(),
            canonical: Vec::new(),
            value: 0,
            parameters: 0,
            level: keys.open(),
            keys,
            reports: Reports::default(),
            seen: 0,
            failed: None,
        }
    }

    /// Judges the next bytes.
    ///
    /// # Errors
    ///
    /// The first rule that is broken; the same again on every further call.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Violation> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        for &byte in chunk {
            let judged = if self.seen < self.most { self.step(byte) } else { Err(self.too_long()) };
            judged.map_err(|rule| self.fail(rule))?;
            self.seen += 1;
        }
        Ok(())
    }

    /// There are no more bytes.
    ///
    /// # Errors
    ///
    /// When the last parameter is cut short or breaks a rule, or something was refused before.
    pub fn finish(&mut self) -> Result<(), Violation> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        self.end_parameter().map_err(|rule| self.fail(rule))
    }

    /// The first place of each rule that is broken and only reported, in their order.
    #[must_use]
    pub fn reports(&self) -> &[Violation] {
        self.reports.reported()
    }

    pub(crate) fn into_reports(self) -> Vec<Violation> {
        self.reports.into_reported()
    }

    const fn too_long(&self) -> Rule {
        match self.place {
            Place::Body => Rule::BodySize,
            _ => Rule::QueryLength,
        }
    }

    #[cold]
    fn fail(&mut self, rule: Rule) -> Violation {
        let pointer = match rule {
            // They are about the whole.
            Rule::BodySize | Rule::QueryLength => String::new(),
            _ => pointer(&self.name),
        };
        let violation = Violation::new(rule, self.place, pointer, Some(self.seen));
        self.failed = Some(violation.clone());
        violation
    }

    fn step(&mut self, byte: u8) -> Result<(), Rule> {
        match byte {
            b'&' => {
                self.end_parameter()?;
                self.in_value = false;
                self.name.clear();
                Ok(())
            }
            b'=' if !self.in_value => {
                self.end_name()?;
                self.in_value = true;
                self.value = 0;
                Ok(())
            }
            b'+' => match self.percent.is_whole() {
                true => self.decoded(b' '),
                false => Err(Rule::PercentEncoding),
            },
            _ => match self.percent.step(byte).ok_or(Rule::PercentEncoding)? {
                Some(byte) => self.decoded(byte),
                None => Ok(()),
            },
        }
    }

    fn decoded(&mut self, byte: u8) -> Result<(), Rule> {
        let Some(character) = self.utf8.step(byte).ok_or(Rule::Encoding)? else { return Ok(()) };
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        if self.in_value {
            self.value = self.value.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            if self.value > self.policy.limits.string {
                return Err(Rule::StringLength);
            }
        } else {
            if self.name.len() + bytes.len() > self.policy.limits.key.into() {
                return Err(Rule::KeyLength);
            }
            self.name.extend_from_slice(bytes);
        }
        for rule in self.unseen.next(character) {
            self.found(rule)?;
        }
        if !self.in_value && is_layout(character) {
            self.found(Rule::Control)?;
        }
        if self.remains.is_encoded(character) {
            self.found(if self.in_value { Rule::EncodedValue } else { Rule::DoubleEncoding })?;
        }
        Ok(())
    }

    /// What was begun must be whole.
    fn end_text(&mut self) -> Result<(), Rule> {
        self.remains = Remains::default();
        if !self.percent.is_whole() {
            return Err(Rule::PercentEncoding);
        }
        if !self.utf8.is_whole() {
            return Err(Rule::Encoding);
        }
        let cut = self.unseen.end();
        self.unseen = Unseen::default();
        cut.map_or(Ok(()), |rule| self.found(rule))
    }

    fn end_parameter(&mut self) -> Result<(), Rule> {
        if self.in_value {
            return self.end_text();
        }
        // Between two `&` there may be nothing, and then it is no parameter.
        match self.name.is_empty() && self.percent.is_whole() && self.utf8.is_whole() {
            true => Ok(()),
            false => self.end_name(),
        }
    }

    fn end_name(&mut self) -> Result<(), Rule> {
        self.end_text()?;
        self.parameters = self.parameters.saturating_add(1);
        if self.parameters > self.policy.limits.parameters {
            return Err(Rule::Parameters);
        }
        let start = self.keys.begin();
        self.canonical.clear();
        let shape = canonical(&self.name, &mut self.canonical);
        if shape.depth > self.policy.limits.parameter_depth.into() {
            return Err(Rule::ParameterDepth);
        }
        if !shape.is_matched {
            self.found(Rule::ParameterName)?;
        }
        if names_prototype(&self.name) {
            self.found(Rule::PrototypeKey)?;
        }
        if parts(&self.name).any(is_operator) {
            self.found(Rule::OperatorKey)?;
        }
        self.keys.extend(&self.canonical);
        if !self.keys.insert(self.level, start) && !self.policy.is_repeatable(&self.canonical) {
            self.found(Rule::RepeatedParameter)?;
        }
        Ok(())
    }

    #[cold]
    fn found(&mut self, rule: Rule) -> Result<(), Rule> {
        let violation = || Violation::new(rule, self.place, pointer(&self.name), Some(self.seen));
        // Nothing is stripped of a form.
        self.reports.found(&self.policy, false, rule, violation).map(drop)
    }
}

/// Nothing of what was sent.
impl fmt::Debug for FormGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormGuard")
            .field("policy", &self.policy)
            .field("place", &self.place)
            .field("seen", &self.seen)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// Dots part a name too, for those who read it so.
fn names_prototype(name: &[u8]) -> bool {
    let mut parent = None;
    for part in parts(name).flat_map(|part| part.split(|byte| *byte == b'.')) {
        if is_prototype(part, parent) {
            return true;
        }
        parent = Some(part);
    }
    false
}

/// `a[b][]` is `/a/b/`: the last part is empty.
fn pointer(name: &[u8]) -> String {
    let mut out = String::new();
    if !name.is_empty() {
        for part in parts(name) {
            pointer::push_key(&mut out, part);
        }
    }
    out
}
