//! Percent-encoding (RFC 3986 §2.1) one byte after the other.

/// Where in a `%XX` we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Percent {
    #[default]
    None,
    Begun,
    High(u8),
}

impl Percent {
    pub(crate) fn is_whole(self) -> bool {
        self == Self::None
    }

    /// The byte that is whole with this one, if one is; `None` when no digit comes where one must.
    #[inline]
    #[expect(clippy::option_option, reason = "the outer one is the verdict, the inner the byte")]
    pub(crate) fn step(&mut self, byte: u8) -> Option<Option<u8>> {
        let digit = || char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (next, whole) = match *self {
            Self::None if byte == b'%' => (Self::Begun, None),
            Self::None => (Self::None, Some(byte)),
            Self::Begun => (Self::High(digit()?), None),
            Self::High(high) => (Self::None, Some(high << 4 | digit()?)),
        };
        *self = next;
        Some(whole)
    }
}

/// Looks for a `%XX` that is still there after decoding.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Remains(u8);

impl Remains {
    /// Whether an encoded byte ends with this character.
    #[inline]
    pub(crate) const fn is_encoded(&mut self, character: char) -> bool {
        self.0 = match (character, self.0) {
            ('%', _) => 1,
            (_, 1) if character.is_ascii_hexdigit() => 2,
            (_, 2) if character.is_ascii_hexdigit() => {
                self.0 = 0;
                return true;
            }
            _ => 0,
        };
        false
    }
}
