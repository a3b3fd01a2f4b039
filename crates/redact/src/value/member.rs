//! Quoted texts behind sensitive names, as `Debug` and JSON print them.

use std::ops::Range;

/// A name is read so far back: a text of nothing but colons is still read once.
const MAX_NAME: usize = 64;

/// `Some(Password("x"))` and one more.
const MAX_WRAPPERS: usize = 3;

/// A value that a name and a quote have opened.
pub(super) struct Member<'a> {
    pub(super) name: &'a [u8],
    start: usize,
    // In front of the quote, as in a text that was quoted once more.
    slashes: usize,
}

/// Whether a quoted value may follow a colon behind which this stands.
pub(super) const fn may_follow(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\\')
}

/// The name before the colon at `pivot`, if a quoted text follows.
pub(super) fn at(text: &[u8], from: usize, pivot: usize) -> Option<Member<'_>> {
    let (start, slashes) = opening(text, pivot + 1)?;
    let before = match text.get(from..pivot)? {
        [quoted @ .., b'"'] => {
            quoted.get(..quoted.iter().rposition(|byte| *byte != b'\\').map_or(0, |at| at + 1))?
        }
        bare => bare,
    };
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let length = before.iter().rev().take(MAX_NAME).take_while(is_name).count();
    let name = before.get(before.len() - length..)?;
    Some(Member { name, start, slashes })
}

impl Member<'_> {
    /// The text between the quotes, or to the end of all; none if it is empty.
    pub(super) fn value(&self, text: &[u8]) -> Option<Range<usize>> {
        let mut run = 0;
        let mut end = text.len();
        for (at, byte) in text.iter().enumerate().skip(self.start) {
            match byte {
                b'\\' => run += 1,
                // Each quoting doubles the slashes of the last one and adds its own.
                b'"' if run % (2 * (self.slashes + 1)) == self.slashes => {
                    end = at - self.slashes;
                    break;
                }
                _ => run = 0,
            }
        }
        (end > self.start).then_some(self.start..end)
    }
}

/// Where a quoted value starts, and how many slashes are before its quote.
fn opening(text: &[u8], from: usize) -> Option<(usize, usize)> {
    let count = |at: usize, is: fn(&u8) -> bool| text.iter().skip(at).take_while(|b| is(b)).count();
    let blanks = |at| count(at, u8::is_ascii_whitespace);
    let mut at = from + blanks(from);
    for _ in 0..MAX_WRAPPERS {
        let name = count(at, u8::is_ascii_alphanumeric);
        if text.get(at + name) != Some(&b'(') {
            break;
        }
        at += name + 1;
        at += blanks(at);
    }
    // A text of bytes.
    at += usize::from(text.get(at) == Some(&b'b'));
    let slashes = count(at, |byte| *byte == b'\\');
    (text.get(at + slashes) == Some(&b'"')).then_some((at + slashes + 1, slashes))
}
