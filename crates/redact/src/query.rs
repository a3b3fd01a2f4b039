//! Query strings, printed without the values of sensitive keys.

use std::fmt::{self, Write};

use crate::{Censor, Rules, Verdict, scratch};

#[cfg(test)]
mod tests;

/// A URL in a URL in a URL: what is encoded more often than that is not looked into.
const MAX_ENCODINGS: u32 = 3;

/// A query string as it may be printed, from [`Rules::query`].
///
/// The values of sensitive keys are replaced, and so are values that are sensitive by their look,
/// encoded or not. A value may have pairs of its own, behind a `;` or in a URL: what follows the
/// first sensitive key in it is replaced, up to the next `&`, or all of it where it is encoded.
/// Keys, their order, every `&`, empty parts and all other values stay as they are, byte for byte.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    rules: &'a Rules,
    query: &'a str,
}

impl Rules {
    /// The query as it may be printed. Keys are judged after percent-decoding, as a form's are:
    /// `p%61ssword` is a password. Paths do not count.
    ///
    /// ```
    /// let rules = buttress_redact::Rules::new();
    /// let query = rules.query("page=2&access_t%6Fken=s3cr3t&&flag");
    /// assert_eq!(query.to_string(), "page=2&access_t%6Fken=[REDACTED]&&flag");
    /// ```
    #[must_use]
    pub const fn query<'a>(&'a self, query: &'a str) -> Query<'a> {
        Query { rules: self, query }
    }
}

impl Query<'_> {
    /// Whether these pairs may be printed as they are, by a quick look.
    fn is_plain(&self, pairs: &str) -> bool {
        self.rules.keys().passes_query(pairs) && self.rules.is_unmarked(pairs)
    }

    fn pairs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pair) in self.query.split('&').enumerate() {
            if index > 0 {
                f.write_char('&')?;
            }
            match self.is_plain(pair) {
                true => f.write_str(pair)?,
                false => self.pair(pair, f)?,
            }
        }
        Ok(())
    }

    fn pair(&self, pair: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((key, value)) = pair.split_once('=') else {
            return self.value(pair, f);
        };
        self.value(key, f)?;
        f.write_char('=')?;
        match self.rules.key_of(key) {
            Verdict::Clear => self.value(value, f),
            // A parser does not mind an empty value, but a lost pair changes what it counts.
            Verdict::Remove => Ok(()),
            Verdict::Censor(censor) => censored(censor, value, f),
        }
    }

    /// What stands under a clear key, or is one: it may have pairs of its own, as a URL has.
    fn value(&self, value: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((at, verdict)) = self.rules.inner_pair(value) {
            let (clear, secret) = value.split_at_checked(at).unwrap_or((value, ""));
            self.value(clear, f)?;
            return match verdict {
                Verdict::Censor(censor) => censored(censor, secret, f),
                Verdict::Clear | Verdict::Remove => Ok(()),
            };
        }
        if is_encoded(value)
            && !scratch::formatted(format_args!("{}", Decoded(value)), |text| {
                self.rules.is_clear_value(text, MAX_ENCODINGS)
            })
        {
            return censored(self.rules.default_censor(), value, f);
        }
        self.rules.text(value, f)
    }
}

impl Rules {
    fn key_of(&self, key: &str) -> Verdict<'_> {
        self.verdict(self.keys().judge(Decoded(key).bytes()))
    }

    /// Where the value of the first pair begins that is inside of this value and sensitive. What
    /// ends it is not asked: one parser ends a value at a `;`, and another does not.
    fn inner_pair(&self, value: &str) -> Option<(usize, Verdict<'_>)> {
        let mut at = 0;
        value.split_inclusive(['?', '#', ';', '&', '=']).find_map(|part| {
            at += part.len();
            let verdict = self.key_of(part.strip_suffix('=')?);
            (!matches!(verdict, Verdict::Clear) && at < value.len()).then_some((at, verdict))
        })
    }

    /// Whether a decoded value has nothing to hide, and nor has what is in it encoded once more.
    fn is_clear_value(&self, text: &str, encodings: u32) -> bool {
        let is_clear = self.is_clear(text) && self.inner_pair(text).is_none();
        if !is_clear || encodings == 0 || !text.contains('%') {
            return is_clear;
        }
        scratch::formatted(format_args!("{}", Decoded(text)), |text| {
            self.is_clear_value(text, encodings - 1)
        })
    }
}

fn is_encoded(value: &str) -> bool {
    value.bytes().any(|byte| matches!(byte, b'%' | b'+'))
}

impl fmt::Display for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_plain(self.query) {
            true => f.write_str(self.query),
            false => self.pairs(f),
        }
    }
}

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({self})")
    }
}

/// A censor sees the decoded value: its hash is the same wherever the value stands.
fn censored(censor: &Censor, value: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    censor.write(&Decoded(value), &mut Encoded(f))
}

/// A key or a value of `application/x-www-form-urlencoded`, decoded (WHATWG URL §5.1).
struct Decoded<'a>(&'a str);

impl Decoded<'_> {
    fn bytes(&self) -> impl Iterator<Item = u8> + Clone {
        let mut rest = self.0.as_bytes();
        std::iter::from_fn(move || {
            let (first, tail) = rest.split_first()?;
            rest = tail;
            let byte = match (first, tail) {
                (b'+', _) => b' ',
                (b'%', [high, low, tail @ ..]) => match (nibble(*high), nibble(*low)) {
                    (Some(high), Some(low)) => {
                        rest = tail;
                        high << 4 | low
                    }
                    _ => b'%',
                },
                (other, _) => *other,
            };
            Some(byte)
        })
    }
}

impl fmt::Display for Decoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bytes().all(|byte| byte.is_ascii()) {
            return self.bytes().try_for_each(|byte| f.write_char(char::from(byte)));
        }
        let bytes: Vec<u8> = self.bytes().collect();
        f.write_str(&String::from_utf8_lossy(&bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|nibble| u8::try_from(nibble).ok())
}

/// What a censor keeps of a value must not become a pair, or a line.
struct Encoded<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Encoded<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '&' | '=' | '#' | '%' | '+' | ' ' | '\0'..='\x1f' | '\x7f' => {
                write!(self.0, "%{:02X}", u32::from(c))
            }
            _ => self.0.write_char(c),
        })
    }
}
