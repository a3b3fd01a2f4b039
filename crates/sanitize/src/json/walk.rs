//! The grammar (RFC 8259 §2 to §5), walked over one chunk.

use super::{Fail, JsonGuard, State, number::Number, scan, sieve::Sink};
use crate::{reports::Verdict, rule::Rule};

impl JsonGuard {
    pub(super) fn walk<S: Sink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), Fail> {
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
