//! A field by which something is found again.

use std::{borrow::Cow, error::Error, fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, Unexpected},
};
use unicode_normalization::UnicodeNormalization;

use crate::chars::{Class, class};

/// A name by which something is found again, such as a user's: 1 to 256 bytes in NFC (Unicode
/// UAX #15).
///
/// `é` can be one character or two, and two names that nobody can tell apart would be two
/// accounts. So it is composed when it is read. Control, bidi and zero-width characters, and white
/// space at its ends or other than U+0020, are refused. Letters of different scripts that look
/// alike stay different.
///
/// ```
/// use buttress_sanitize::Identifier;
///
/// let one: Identifier = "Jose\u{301}".parse()?;
/// assert_eq!(one.as_str(), "Jos\u{e9}");
/// for text in ["", " a", "a\u{a0}b", "ad\u{200b}min", "a\u{202e}b", "a\nb"] {
///     assert!(text.parse::<Identifier>().is_err(), "{text:?}");
/// }
/// # Ok::<(), buttress_sanitize::IdentifierError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(String);

/// A text is no [`Identifier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentifierError(());

const WANTED: &str = "1 to 256 bytes of text without control or invisible characters";

impl Identifier {
    /// The longest, in bytes.
    pub const MAX: usize = 256;

    /// The name.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl FromStr for Identifier {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        // Looked at before it is composed: no work is done for what is too long.
        if text.len() > Self::MAX {
            return Err(IdentifierError(()));
        }
        let name: String = text.nfc().collect();
        let is_taken = |character: char| {
            // The empty pattern of Braille is white space to all but Unicode.
            let is_blank = character.is_whitespace() || character == '\u{2800}';
            class(character) == Class::Plain && (character == ' ' || !is_blank)
        };
        let has_ends = name.starts_with(' ') || name.ends_with(' ');
        match (1..=Self::MAX).contains(&name.len()) && !has_ends && name.chars().all(is_taken) {
            true => Ok(Self(name)),
            false => Err(IdentifierError(())),
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for IdentifierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {WANTED}")
    }
}

impl Error for IdentifierError {}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        text.parse().map_err(|_| D::Error::invalid_value(Unexpected::Other("another"), &WANTED))
    }
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}
