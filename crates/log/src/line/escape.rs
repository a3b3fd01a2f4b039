//! JSON strings (RFC 8259 §7) that stay one line and cannot steer a terminal.

use super::{Line, MAX_LINE, TAIL};

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
        let room = (MAX_LINE - TAIL).saturating_sub(self.bytes.len());
        if text.len() <= room / LONGEST {
            return escape(&mut self.bytes, text);
        }
        for c in text.chars() {
            let before = self.bytes.len();
            push(&mut self.bytes, c);
            if self.bytes.len() > MAX_LINE - TAIL {
                self.bytes.truncate(before);
                self.cut = true;
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

/// How many bytes from the start on need no look: printable ASCII but for `"` and `\`.
fn clear(bytes: &[u8]) -> usize {
    let stops = |byte: &u8| !matches!(byte, b' '..=b'~') | (*byte == b'"') | (*byte == b'\\');
    // Sixteen at once are one comparison to the processor.
    let (chunks, _) = bytes.as_chunks::<16>();
    let clear = chunks
        .iter()
        .take_while(|chunk| !chunk.iter().fold(false, |any, byte| any | stops(byte)))
        .count();
    let rest = bytes.get(clear * 16..).unwrap_or_default();
    clear * 16 + rest.iter().position(stops).unwrap_or(rest.len())
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
