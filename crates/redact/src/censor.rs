//! What is printed in the place of what must not be.

use std::{
    borrow::Cow,
    fmt::{self, Write},
    hash::Hasher,
    sync::Arc,
};

use siphasher::sip::SipHasher24;

use crate::scratch;

/// What is printed in a sensitive value's place, unless another censor was chosen.
pub const CENSOR: &str = "[REDACTED]";

/// What happens to a sensitive value.
///
/// | | prints |
/// |---|---|
/// | [`text`](Self::text) | a text of yours; [`CENSOR`] is the default |
/// | [`remove`](Self::remove) | nothing: the field is left out, or in a text the value is |
/// | [`keep_last`](Self::keep_last) | `[..1111]` |
/// | [`hash`](Self::hash) | `[h:9f31c2aa]`: who has the same value can be told, what it is cannot |
/// | [`with`](Self::with) | what your function writes |
///
/// A value that is no scalar (a struct, a map, a list) under a sensitive key is replaced as a
/// whole, and a censor that needs a text prints [`CENSOR`] for it.
#[derive(Clone)]
pub struct Censor(Kind);

#[derive(Clone)]
enum Kind {
    Text(Cow<'static, str>),
    Remove,
    KeepLast(usize),
    Hash(SipHasher24),
    With(Arc<Function>),
}

type Function = dyn Fn(&str, &mut dyn Write) -> fmt::Result + Send + Sync;

/// What the rules say of one key, field or number.
///
/// ```
/// use buttress_redact::{Rules, Verdict};
///
/// let rules = Rules::new();
/// let mut line = String::new();
/// match rules.key("X-Api-Key") {
///     Verdict::Clear => line.push_str("sk-1234"),
///     Verdict::Censor(censor) => censor.write(&"sk-1234", &mut line).unwrap(),
///     Verdict::Remove => {}
/// }
/// assert_eq!(line, "[REDACTED]");
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub enum Verdict<'a> {
    /// Nothing is known against it. The value rules still apply to its text.
    Clear,
    /// The value is printed by this censor, whatever its type.
    Censor(&'a Censor),
    /// The field is left out, name and all.
    Remove,
}

impl Censor {
    pub(crate) const DEFAULT: Self = Self(Kind::Text(Cow::Borrowed(CENSOR)));

    /// A text of your own, an empty one included.
    #[must_use]
    pub fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self(Kind::Text(text.into()))
    }

    /// The field is not printed at all. Inside a text, a query or an array, where a field cannot be
    /// left out, nothing is printed in the value's place.
    #[must_use]
    pub const fn remove() -> Self {
        Self(Kind::Remove)
    }

    /// The last `n` characters. A value of fewer than `2 * n` characters is not shown at all: the
    /// end of it would be most of it.
    ///
    /// ```
    /// use buttress_redact::Censor;
    ///
    /// let mut out = String::new();
    /// Censor::keep_last(4).write(&"4111 1111 1111 1111", &mut out)?;
    /// Censor::keep_last(4).write(&"hunter2", &mut out)?;
    /// assert_eq!(out, "[..1111][REDACTED]");
    /// # Ok::<(), std::fmt::Error>(())
    /// ```
    #[must_use]
    pub const fn keep_last(n: usize) -> Self {
        Self(Kind::KeepLast(n))
    }

    /// The first 32 bits of a keyed hash (SipHash-2-4): equal values can be found by it, and nobody
    /// without the key can try out guesses.
    ///
    /// The key is 16 random bytes that are kept as a secret. At 77,000 different values the odds
    /// are even that two of them share a hash.
    #[must_use]
    pub fn hash(key: &[u8; 16]) -> Self {
        Self(Kind::Hash(SipHasher24::new_with_key(key)))
    }

    /// What the function writes, given the value as text.
    ///
    /// It must not emit tracing events: they would come back to it.
    #[must_use]
    pub fn with(
        function: impl Fn(&str, &mut dyn Write) -> fmt::Result + Send + Sync + 'static,
    ) -> Self {
        Self(Kind::With(Arc::new(function)))
    }

    /// Whether a field under this censor is left out.
    #[must_use]
    pub const fn removes(&self) -> bool {
        matches!(self.0, Kind::Remove)
    }

    /// Writes what stands in the place of `value`. Only a censor that needs the text formats it.
    ///
    /// # Errors
    /// Those of `out`, and of a function given to [`with`](Self::with).
    pub fn write(&self, value: &dyn fmt::Display, out: &mut dyn Write) -> fmt::Result {
        match &self.0 {
            Kind::Text(text) => out.write_str(text),
            Kind::Remove => Ok(()),
            _ => scratch::formatted(format_args!("{value}"), |text| self.write_str(text, out)),
        }
    }

    fn write_str(&self, value: &str, out: &mut dyn Write) -> fmt::Result {
        match &self.0 {
            Kind::Text(text) => out.write_str(text),
            Kind::Remove => Ok(()),
            Kind::KeepLast(n) => match last(value, *n) {
                Some(kept) => write!(out, "[..{kept}]"),
                None => out.write_str(CENSOR),
            },
            Kind::Hash(keyed) => {
                let mut keyed = *keyed;
                keyed.write(value.as_bytes());
                write!(out, "[h:{:08x}]", keyed.finish() >> 32)
            }
            Kind::With(function) => function(value, out),
        }
    }

    /// The text that stands in for a value that has none: a struct, a map, a list.
    #[cfg(feature = "serde")]
    pub(crate) fn whole(&self) -> &str {
        match &self.0 {
            Kind::Text(text) => text,
            Kind::Remove => "",
            Kind::KeepLast(_) | Kind::Hash(_) | Kind::With(_) => CENSOR,
        }
    }

    #[cfg(feature = "serde")]
    pub(crate) const fn needs_text(&self) -> bool {
        !matches!(self.0, Kind::Text(_) | Kind::Remove)
    }
}

/// The last `n` characters of at least twice as many.
fn last(value: &str, n: usize) -> Option<&str> {
    if value.chars().count() < n.saturating_mul(2) {
        return None;
    }
    let (start, _) = value.char_indices().rev().take(n).last()?;
    value.get(start..)
}

impl Default for Censor {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl From<&'static str> for Censor {
    fn from(text: &'static str) -> Self {
        Self::text(text)
    }
}

impl fmt::Debug for Censor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Text(text) => write!(f, "text({text:?})"),
            Kind::Remove => f.write_str("remove"),
            Kind::KeepLast(n) => write!(f, "keep_last({n})"),
            Kind::Hash(_) => f.write_str("hash(<key>)"),
            Kind::With(_) => f.write_str("with(<fn>)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(censor: &Censor, value: &str) -> String {
        let mut out = String::new();
        censor.write(&value, &mut out).unwrap();
        out
    }

    /// The key and the input of the paper's test vector (Aumasson and Bernstein, `SipHash`: a fast
    /// short-input PRF, appendix A): `a129ca6149be45e5`.
    #[test]
    fn the_hash_is_siphash_of_the_texts_bytes() {
        let key: [u8; 16] = std::array::from_fn(|index| u8::try_from(index).unwrap());
        let text: String = ('\0'..='\x0e').collect();
        assert_eq!(print(&Censor::hash(&key), &text), "[h:a129ca61]");
    }

    #[test]
    fn only_the_end_of_a_long_value_is_kept() {
        for (n, value, printed) in [
            (4, "12345678", "[..5678]"),
            (4, "1234567", CENSOR),
            (2, "\u{e4}\u{f6}\u{fc}\u{df}", "[..\u{fc}\u{df}]"),
            (0, "hunter2", CENSOR),
            (usize::MAX, "hunter2", CENSOR),
            (1, "", CENSOR),
        ] {
            assert_eq!(print(&Censor::keep_last(n), value), printed, "{n} of {value}");
        }
    }

    #[test]
    fn nothing_of_a_key_is_printed() {
        assert_eq!(format!("{:?}", Censor::hash(&[7; 16])), "hash(<key>)");
    }
}
