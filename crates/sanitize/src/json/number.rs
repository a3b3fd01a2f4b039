//! Numbers (RFC 8259 §6).

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

/// A number that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    part: Part,
    length: u16,
}

impl Number {
    /// The first character: `-` or a digit.
    #[inline]
    pub(super) const fn begin(byte: u8) -> Self {
        let part = match byte {
            b'-' => Part::Minus,
            b'0' => Part::Zero,
            _ => Part::Integer,
        };
        Self { part, length: 1 }
    }

    /// Whether it may end here.
    #[inline]
    pub(super) const fn is_whole(self) -> bool {
        matches!(self.part, Part::Zero | Part::Integer | Part::Fraction | Part::ExponentDigits)
    }

    /// Takes as many bytes as belong to it; what comes after it, or where it is too long.
    #[inline]
    pub(super) fn walk<'a>(&mut self, bytes: &'a [u8], limit: u16) -> Result<&'a [u8], usize> {
        let (mut part, mut rest) = (self.part, bytes);
        // In the order of the grammar: int, frac, exp.
        if part == Part::Minus {
            match rest.split_first() {
                Some((b'0', after)) => (part, rest) = (Part::Zero, after),
                Some((b'1'..=b'9', after)) => (part, rest) = (Part::Integer, after),
                _ => {}
            }
        }
        if part == Part::Integer {
            rest = after_digits(rest);
        }
        if let (Part::Zero | Part::Integer, [b'.', after @ ..]) = (part, rest) {
            (part, rest) = (Part::Point, after);
        }
        if let (Part::Point, [b'0'..=b'9', after @ ..]) = (part, rest) {
            (part, rest) = (Part::Fraction, after);
        }
        if part == Part::Fraction {
            rest = after_digits(rest);
        }
        if let (Part::Zero | Part::Integer | Part::Fraction, [b'e' | b'E', after @ ..]) =
            (part, rest)
        {
            (part, rest) = (Part::Exponent, after);
        }
        if let (Part::Exponent, [b'+' | b'-', after @ ..]) = (part, rest) {
            (part, rest) = (Part::ExponentSign, after);
        }
        if let (Part::Exponent | Part::ExponentSign, [b'0'..=b'9', after @ ..]) = (part, rest) {
            (part, rest) = (Part::ExponentDigits, after);
        }
        if part == Part::ExponentDigits {
            rest = after_digits(rest);
        }
        let count = bytes.len() - rest.len();
        let room = usize::from(limit.saturating_sub(self.length));
        if count > room {
            return Err(room);
        }
        self.part = part;
        self.length = self.length.saturating_add(u16::try_from(count).unwrap_or(u16::MAX));
        Ok(rest)
    }
}

#[inline]
const fn after_digits(mut bytes: &[u8]) -> &[u8] {
    while let [b'0'..=b'9', after @ ..] = bytes {
        bytes = after;
    }
    bytes
}
