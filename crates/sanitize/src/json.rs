//! JSON, judged as it streams.

use bytes::Bytes;

use self::{
    number::Number,
    sieve::{Judge, Sieve, Sink},
    text::Text,
};
use crate::{policy::Policy, reports::Verdict, rule::Rule, tree::Tree, violation::Violation};

mod number;
pub(crate) mod scan;
mod sieve;
mod text;

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
/// the keys of the objects that are open, and no value: what a client makes it hold is less than
/// what the client has sent.
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
#[derive(Debug)]
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
    /// held passes whole.
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
        self.tree.reports()
    }

    /// How many bytes have been judged.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    pub(crate) fn into_reports(self) -> Vec<Violation> {
        self.tree.into_reports()
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

    fn walk<S: Sink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), Fail> {
        // What has begun in an earlier chunk.
        let mut rest = match self.state {
            State::Text => self.walk_text(chunk, chunk, sink)?,
            State::Number => self.walk_number(chunk, chunk, sink)?,
            State::Literal => self.walk_literal(self.word, chunk, chunk, sink)?,
            State::Mark1 | State::Mark2 => self.walk_mark(chunk, chunk)?,
            _ => chunk,
        };
        while let Some((byte, after)) = first_of(rest) {
            #[cfg(test)]
            {
                self.steps += 1;
            }
            rest = after;
            let position = chunk.len() - after.len() - 1;
            match self.state {
                State::After => match (byte, self.tree.in_object()) {
                    (b',', Some(true)) => {
                        sink.hold(position);
                        self.state = State::Key;
                        if let [b'"', after @ ..] = rest {
                            rest = self.walk_key(chunk, after, sink)?;
                        }
                    }
                    (b',', Some(false)) => self.state = State::Value,
                    (b'}', Some(true)) | (b']', Some(false)) => self.close(position, sink),
                    _ => return Err((Rule::Syntax, position)),
                },
                State::Value | State::FirstItem | State::Start => {
                    if byte == b']' && self.state == State::FirstItem {
                        self.close(position, sink);
                        continue;
                    }
                    self.tree.value().map_err(|rule| (rule, position))?;
                    rest = match byte {
                        b'"' => self.walk_value(chunk, after, sink)?,
                        b'-' | b'0'..=b'9' => {
                            if self.tree.policy.limits.number == 0 {
                                return Err((Rule::NumberLength, position));
                            }
                            self.number = Number::begin(byte);
                            self.walk_number(chunk, after, sink)?
                        }
                        b'{' => self.open(State::FirstKey, position, after)?,
                        b'[' => self.open(State::FirstItem, position, after)?,
                        b't' => self.walk_literal(b"rue", chunk, after, sink)?,
                        b'f' => self.walk_literal(b"alse", chunk, after, sink)?,
                        b'n' => self.walk_literal(b"ull", chunk, after, sink)?,
                        // A byte order mark is one at the very beginning.
                        0xef if self.seen == 0 && position == 0 => {
                            self.state = State::Mark1;
                            self.walk_mark(chunk, after)?
                        }
                        _ => return Err((Rule::Syntax, position)),
                    }
                }
                State::Colon if byte == b':' => self.state = State::Value,
                State::Key if byte == b'"' => rest = self.walk_key(chunk, after, sink)?,
                State::FirstKey if byte == b'"' => {
                    sink.hold(position);
                    rest = self.walk_key(chunk, after, sink)?;
                }
                State::FirstKey if byte == b'}' => self.close(position, sink),
                _ => return Err((Rule::Syntax, position)),
            }
        }
        Ok(())
    }

    /// Most texts are plain and whole, and need no more than a look for their end.
    #[inline]
    fn walk_value<'a, S: Sink>(
        &mut self,
        chunk: &[u8],
        after: &'a [u8],
        sink: &mut S,
    ) -> Result<&'a [u8], Fail> {
        let length = scan::plain(after);
        if length <= self.tree.policy.limits.string as usize
            && let Some([b'"', rest @ ..]) = after.get(length..)
        {
            self.end_value(chunk.len() - rest.len(), sink);
            return Ok(rest);
        }
        self.text.begin(false);
        self.walk_text(chunk, after, sink)
    }

    #[inline]
    fn walk_key<'a, S: Sink>(
        &mut self,
        chunk: &[u8],
        after: &'a [u8],
        sink: &mut S,
    ) -> Result<&'a [u8], Fail> {
        self.tree.begin_key();
        let length = scan::plain(after);
        if length <= self.tree.policy.limits.key.into()
            && let Some((key, [b'"', rest @ ..])) = after.split_at_checked(length)
        {
            self.tree.extend_key(key);
            self.end_key(chunk.len() - rest.len(), sink)?;
            // Mostly the colon is next.
            if let [b':', rest @ ..] = rest {
                self.state = State::Value;
                return Ok(rest);
            }
            return Ok(rest);
        }
        self.text.begin(true);
        self.walk_text(chunk, after, sink)
    }

    #[inline]
    fn open<'a>(
        &mut self,
        first: State,
        position: usize,
        after: &'a [u8],
    ) -> Result<&'a [u8], Fail> {
        self.state = first;
        match self.tree.open(first == State::FirstKey) {
            Ok(()) => Ok(after),
            Err(rule) => Err((rule, position)),
        }
    }

    #[inline]
    fn close(&mut self, position: usize, sink: &mut impl Sink) {
        self.tree.close();
        self.end_value(position + 1, sink);
    }

    /// A value has ended; the next byte is the one at this position.
    #[inline]
    fn end_value<S: Sink>(&mut self, position: usize, sink: &mut S) {
        self.state = State::After;
        if S::STRIPS && self.stripped_at == Some(self.tree.depth()) {
            self.stripped_at = None;
            sink.resume(position);
        }
    }

    fn walk_text<'a, S: Sink>(
        &mut self,
        chunk: &[u8],
        rest: &'a [u8],
        sink: &mut S,
    ) -> Result<&'a [u8], Fail> {
        let offset = chunk.len() - rest.len();
        let walked = self.text.walk(rest, &mut self.tree, self.seen + offset as u64);
        let after = walked.map_err(|(rule, position)| (rule, offset + position))?;
        let Some(after) = after else {
            self.state = State::Text;
            return Ok(&[]);
        };
        let position = chunk.len() - after.len();
        if self.text.is_key() {
            self.end_key(position, sink)?;
        } else {
            self.end_value(position, sink);
        }
        Ok(after)
    }

    #[inline]
    fn end_key<S: Sink>(&mut self, position: usize, sink: &mut S) -> Result<(), Fail> {
        self.state = State::Colon;
        // Where the key's closing quote is.
        let at = position.saturating_sub(1);
        let verdict = self.tree.end_key(Some(self.seen + at as u64)).map_err(|rule| (rule, at))?;
        // What is in a member that is left out is judged, and stays out.
        if !S::STRIPS || self.stripped_at.is_some() {
            return Ok(());
        }
        match verdict {
            Verdict::Pass => sink.release(self.tree.pass_member()),
            Verdict::Strip => {
                sink.drop_held();
                self.stripped_at = Some(self.tree.depth());
            }
        }
        Ok(())
    }

    #[inline]
    fn walk_number<'a>(
        &mut self,
        chunk: &[u8],
        rest: &'a [u8],
        sink: &mut impl Sink,
    ) -> Result<&'a [u8], Fail> {
        let offset = chunk.len() - rest.len();
        let after = self
            .number
            .walk(rest, self.tree.policy.limits.number)
            .map_err(|position| (Rule::NumberLength, offset + position))?;
        if after.is_empty() {
            self.state = State::Number;
            return Ok(after);
        }
        let position = chunk.len() - after.len();
        if !self.number.is_whole() {
            return Err((Rule::Syntax, position));
        }
        self.end_value(position, sink);
        Ok(after)
    }

    #[inline]
    fn walk_literal<'a>(
        &mut self,
        word: &'static [u8],
        chunk: &[u8],
        rest: &'a [u8],
        sink: &mut impl Sink,
    ) -> Result<&'a [u8], Fail> {
        let offset = chunk.len() - rest.len();
        if let Some(after) = rest.strip_prefix(word) {
            self.end_value(offset + word.len(), sink);
            return Ok(after);
        }
        let same = word.iter().zip(rest).take_while(|(wanted, byte)| wanted == byte).count();
        if same < rest.len() {
            return Err((Rule::Syntax, offset + same));
        }
        self.state = State::Literal;
        self.word = word.get(same..).unwrap_or_default();
        Ok(&[])
    }

    /// U+FEFF is EF BB BF.
    #[cold]
    fn walk_mark<'a>(&mut self, chunk: &[u8], rest: &'a [u8]) -> Result<&'a [u8], Fail> {
        let Some((&byte, after)) = rest.split_first() else { return Ok(rest) };
        let position = chunk.len() - rest.len();
        match (self.state, byte) {
            (State::Mark1, 0xbb) => {
                self.state = State::Mark2;
                self.walk_mark(chunk, after)
            }
            (State::Mark2, 0xbf) => Err((Rule::ByteOrderMark, position)),
            _ => Err((Rule::Syntax, position)),
        }
    }
}

/// The first byte that is no blank, and what comes after it.
#[inline]
fn first_of(mut rest: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let (&byte, after) = rest.split_first()?;
        if !is_blank(byte) {
            return Some((byte, after));
        }
        rest = after;
    }
}

#[inline]
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests;
