//! Numbers (RFC 8259 §6).

use crate::rule::Rule;

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

    /// Takes as many bytes as belong to it: it, and how many they are.
    #[inline]
    pub(super) fn walk(self, bytes: &[u8], limit: u16) -> Result<(Self, usize), (Rule, usize)> {
        let mut part = self.part;
        let mut count = 0;
        for &byte in bytes {
            part = match (part, byte) {
                (Part::Integer, b'0'..=b'9') => Part::Integer,
                (Part::Fraction | Part::Point, b'0'..=b'9') => Part::Fraction,
                (Part::Minus, b'0') => Part::Zero,
                (Part::Minus, b'1'..=b'9') => Part::Integer,
                (Part::Zero | Part::Integer, b'.') => Part::Point,
                (Part::Zero | Part::Integer | Part::Fraction, b'e' | b'E') => Part::Exponent,
                (Part::Exponent, b'+' | b'-') => Part::ExponentSign,
                (Part::Exponent | Part::ExponentSign | Part::ExponentDigits, b'0'..=b'9') => {
                    Part::ExponentDigits
                }
                _ => break,
            };
            count += 1;
        }
        let room = usize::from(limit.saturating_sub(self.length));
        if count > room {
            return Err((Rule::NumberLength, room));
        }
        let length = self.length.saturating_add(u16::try_from(count).unwrap_or(u16::MAX));
        Ok((Self { part, length }, count))
    }
}
