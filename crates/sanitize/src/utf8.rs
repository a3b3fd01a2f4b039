//! UTF-8 one byte after the other, as the table of well-formed sequences has it (Unicode 16,
//! table 3-7; the same as RFC 3629 §4).

/// A character that has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Partial {
    value: u32,
    left: u8,
    // What the next byte may be.
    from: u8,
    to: u8,
}

/// What a byte has made of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    More(Partial),
    Done(char),
}

impl Partial {
    /// The first byte of a character beyond ASCII; `None` when none begins so.
    #[inline]
    pub(crate) const fn begin(byte: u8) -> Option<Self> {
        let (left, from, to, bits) = match byte {
            0xc2..=0xdf => (1, 0x80, 0xbf, 0x1f),
            0xe0 => (2, 0xa0, 0xbf, 0x0f),
            0xed => (2, 0x80, 0x9f, 0x0f),
            0xe1..=0xec | 0xee | 0xef => (2, 0x80, 0xbf, 0x0f),
            0xf0 => (3, 0x90, 0xbf, 0x07),
            0xf1..=0xf3 => (3, 0x80, 0xbf, 0x07),
            0xf4 => (3, 0x80, 0x8f, 0x07),
            _ => return None,
        };
        Some(Self { value: (byte & bits) as u32, left, from, to })
    }

    /// The next byte; `None` when it cannot follow.
    #[inline]
    pub(crate) const fn next(self, byte: u8) -> Option<Step> {
        if byte < self.from || byte > self.to {
            return None;
        }
        let value = self.value << 6 | (byte & 0x3f) as u32;
        if self.left > 1 {
            return Some(Step::More(Self { value, left: self.left - 1, from: 0x80, to: 0xbf }));
        }
        match char::from_u32(value) {
            Some(character) => Some(Step::Done(character)),
            None => None,
        }
    }
}

/// A text that comes byte by byte.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Utf8(Option<Partial>);

impl Utf8 {
    /// The character that is whole with this byte, if one is; `None` when it cannot be there.
    #[inline]
    #[expect(
        clippy::option_option,
        reason = "the outer one is the verdict, the inner the character"
    )]
    pub(crate) fn step(&mut self, byte: u8) -> Option<Option<char>> {
        let step = match self.0.take() {
            None if byte < 0x80 => return Some(Some(byte.into())),
            None => Step::More(Partial::begin(byte)?),
            Some(partial) => partial.next(byte)?,
        };
        match step {
            Step::Done(character) => Some(Some(character)),
            Step::More(partial) => {
                self.0 = Some(partial);
                Some(None)
            }
        }
    }

    /// Whether no character is cut.
    pub(crate) const fn is_whole(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Option<String> {
        let (mut text, mut utf8) = (String::new(), Utf8::default());
        for &byte in bytes {
            text.extend(utf8.step(byte)?);
        }
        utf8.is_whole().then_some(text)
    }

    #[test]
    fn every_character_is_read() {
        for character in '\0'..=char::MAX {
            let text = character.to_string();
            assert_eq!(decode(text.as_bytes()), Some(text));
        }
    }

    #[test]
    fn it_agrees_with_the_standard_library_on_every_two_bytes_and_many_longer_ones() {
        let edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
        for one in 0..=255 {
            for two in 0..=255 {
                let bytes = [one, two];
                assert_eq!(decode(&bytes).as_deref(), std::str::from_utf8(&bytes).ok());
            }
            for two in edges {
                for three in edges {
                    for four in edges {
                        let bytes = [one, two, three, four];
                        assert_eq!(decode(&bytes).as_deref(), std::str::from_utf8(&bytes).ok());
                    }
                }
            }
        }
    }
}
