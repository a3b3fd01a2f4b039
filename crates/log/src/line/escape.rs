//! JSON strings (RFC 8259 §7) that stay one line and cannot steer a terminal.

use super::Line;

/// No character is longer when it is escaped: `\u001b`, and twice that beyond the first plane.
const LONGEST: usize = 6;

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
            if is_clear(text.as_bytes()) {
                return self.push(text.as_bytes());
            }
            return escape(&mut self.bytes, text);
        }
        for c in text.chars() {
            let before = self.bytes.len();
            push(&mut self.bytes, c);
            if self.bytes.len() > self.limit {
                self.bytes.truncate(before);
                self.cut = true;
                self.full = true;
                return;
            }
        }
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
    let (chunks, _) = bytes.as_chunks::<16>();
    let clear = chunks.iter().take_while(|chunk| !any_stops(chunk)).count();
    let rest = bytes.get(clear * 16..).unwrap_or_default();
    clear * 16 + rest.iter().position(stops).unwrap_or(rest.len())
}

/// Whether no byte needs an escape. The last look overlaps the one before, so that there is no
/// remainder to go through byte by byte.
#[inline]
pub(super) fn is_clear(bytes: &[u8]) -> bool {
    if let Some(last) = bytes.last_chunk::<16>() {
        let (chunks, _) = bytes.as_chunks::<16>();
        return !chunks.iter().any(any_stops) && !any_stops(last);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        return !any_of_word(*first) & !any_of_word(*last);
    }
    if let (Some([a, b, c, d]), Some([e, f, g, h])) = (bytes.first_chunk(), bytes.last_chunk()) {
        return !any_of_word([*a, *b, *c, *d, *e, *f, *g, *h]);
    }
    !bytes.iter().any(stops)
}

/// Printable ASCII but for `"` and `\` needs no escape; neither does most else, but that takes a
/// closer look.
fn stops(byte: &u8) -> bool {
    !matches!(byte, b' '..=b'~') | (*byte == b'"') | (*byte == b'\\')
}

/// Sixteen at once are one comparison to the processor.
fn any_stops(chunk: &[u8; 16]) -> bool {
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
