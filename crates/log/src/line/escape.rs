//! JSON strings (RFC 8259 §7) that stay one line and cannot steer a terminal.

use super::{Bytes, Line};

/// No character is longer when it is escaped: `\u001b`, and twice that beyond the first plane.
const LONGEST: usize = 6;

/// So many bytes are looked at together.
const BLOCK: usize = 16;

impl Line {
    /// Appends a text as a JSON string.
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes.push(b'"');
        self.escape(text);
        self.bytes.push(b'"');
    }

    /// Appends a text for the inside of a JSON string; of a line that is full only what still
    /// fits.
    ///
    /// Beyond what JSON asks, control characters of all sorts are escaped, line separators, and
    /// what turns the direction of text around.
    pub(crate) fn escape(&mut self, text: &str) {
        let room = self.limit.saturating_sub(self.bytes.len());
        if text.len() <= room / LONGEST {
            if !self.push_clear(text.as_bytes()) {
                escape(&mut self.bytes, text);
            }
            return;
        }
        for c in text.chars() {
            let before = self.bytes.len();
            push(&mut self.bytes, c);
            if self.bytes.len() > self.limit {
                self.bytes.truncate(before);
                self.cut = true;
                self.limit = 0;
                return;
            }
        }
    }
}

impl Line {
    /// Appends what needs no escape, and nothing where one is needed. A short text is
    /// looked at and written as two blocks that overlap: that takes fewer steps than a loop, and
    /// than to copy what is not known to be short.
    #[inline]
    pub(super) fn push_clear(&mut self, text: &[u8]) -> bool {
        let length = text.len();
        if let (Some(first), Some(last)) = (text.first_chunk::<BLOCK>(), text.last_chunk::<BLOCK>())
        {
            if length > 2 * BLOCK {
                if !is_clear(text) {
                    return false;
                }
                self.push(text);
            } else {
                if any_stops(first) | any_stops(last) {
                    return false;
                }
                self.bytes.part(first, length - BLOCK);
                self.push(last);
            }
        } else if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>())
        {
            if any_of_word(*first) | any_of_word(*last) {
                return false;
            }
            self.bytes.part(first, length - 8);
            self.push(last);
        } else if let (Some(first @ [a, b, c, d]), Some(last @ [e, f, g, h])) =
            (text.first_chunk(), text.last_chunk())
        {
            if any_of_word([*a, *b, *c, *d, *e, *f, *g, *h]) {
                return false;
            }
            self.bytes.part(first, length - 4);
            self.push(last);
        } else {
            if text.iter().any(stops) {
                return false;
            }
            self.bytes.extend(text);
        }
        true
    }
}

fn escape(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    loop {
        let clear = clear(rest.as_bytes());
        out.extend_from_slice(rest.as_bytes().get(..clear).unwrap_or_default());
        let mut chars = rest.get(clear..).unwrap_or_default().chars();
        let Some(c) = chars.next() else { return };
        push(out, c);
        rest = chars.as_str();
    }
}

/// How many bytes from the start on need no escape.
fn clear(bytes: &[u8]) -> usize {
    let (chunks, _) = bytes.as_chunks::<BLOCK>();
    let clear = chunks.iter().take_while(|chunk| !any_stops(chunk)).count();
    let rest = bytes.get(clear * BLOCK..).unwrap_or_default();
    clear * BLOCK + rest.iter().position(stops).unwrap_or(rest.len())
}

/// Whether no byte of a block or more needs an escape. The last look overlaps the one before, so
/// that there is no remainder to go through byte by byte.
fn is_clear(bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    !blocks.iter().any(any_stops) && (rest.is_empty() || !bytes.last_chunk().is_none_or(any_stops))
}

/// Printable ASCII but for `"` and `\` needs no escape; neither does most else, but that takes a
/// closer look.
fn stops(byte: &u8) -> bool {
    !matches!(byte, b' '..=b'~') | (*byte == b'"') | (*byte == b'\\')
}

/// Sixteen at once are one comparison to the processor.
fn any_stops(chunk: &[u8; BLOCK]) -> bool {
    chunk.iter().fold(false, |any, byte| any | stops(byte))
}

/// [`stops`] of eight bytes in one word: a borrow or a carry is where a byte stops, or above one
/// (Warren, Hacker's Delight, §6-1).
fn any_of_word(bytes: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes);
    let is = |byte: u8| {
        let same = word ^ (ONES * u64::from(byte));
        same.wrapping_sub(ONES) & !same
    };
    let below = word.wrapping_sub(ONES * u64::from(b' ')) & !word;
    (word | below | is(b'"') | is(b'\\') | is(0x7f)) & (ONES << 7) != 0
}

fn push(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(br#"\""#),
        '\\' => out.extend_from_slice(br"\\"),
        '\n' => out.extend_from_slice(br"\n"),
        '\r' => out.extend_from_slice(br"\r"),
        '\t' => out.extend_from_slice(br"\t"),
        c if is_printed(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        c => {
            // All of them are in the first plane.
            out.extend_from_slice(br"\u");
            let code = u32::from(c);
            for shift in [12, 8, 4, 0] {
                let digit = char::from_digit(code >> shift & 0xf, 16).unwrap_or('0');
                out.push(u8::try_from(digit).unwrap_or(b'0'));
            }
        }
    }
}

/// Whether the character is one to look at: no control character, no line or paragraph separator,
/// and none of those that turn the direction of text around (Unicode Standard Annex #9 §2), by
/// which a log line can be made to look like another one.
pub(crate) fn is_printed(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}
