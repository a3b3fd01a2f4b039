//! Texts and keys (RFC 8259 §7, §8).

use super::scan;
use crate::{
    chars::class,
    rule::Rule,
    tree::Tree,
    utf8::{Partial, Step},
};

/// What has begun within a text.
#[derive(Clone, Copy, Debug)]
enum Unit {
    /// Nothing.
    Plain,
    /// A character beyond ASCII.
    Wide(Partial),
    /// `\`
    Escape,
    /// `\u` and some of its digits; and the high half of a pair before it.
    Hex { value: u16, left: u8, high: Option<u16> },
    /// The high half of a pair: `\` must follow.
    High(u16),
    /// The high half and a `\`: `u` must follow.
    HighEscape(u16),
}

/// A text that has begun.
#[derive(Debug)]
pub(super) struct Text {
    unit: Unit,
    is_key: bool,
    // Decoded, in bytes of UTF-8.
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { unit: Unit::Plain, is_key: false, length: 0 }
    }
}

impl Text {
    #[inline]
    pub(super) fn begin(&mut self, is_key: bool) {
        *self = Self { unit: Unit::Plain, is_key, length: 0 };
    }

    #[inline]
    pub(super) const fn is_key(&self) -> bool {
        self.is_key
    }

    /// Goes on up to the closing quote; what comes after it, or `None` when it has not come.
    #[inline]
    pub(super) fn walk<'a>(
        &mut self,
        bytes: &'a [u8],
        tree: &mut Tree,
        offset: u64,
    ) -> Result<Option<&'a [u8]>, (Rule, usize)> {
        let mut rest = bytes;
        loop {
            if matches!(self.unit, Unit::Plain) {
                let (run, after) = rest.split_at_checked(scan::plain(rest)).unwrap_or((rest, &[]));
                self.take(run, tree).map_err(|(rule, at)| (rule, bytes.len() - rest.len() + at))?;
                match after.split_first() {
                    Some((b'"', after)) => return Ok(Some(after)),
                    Some((b'\\', after)) => {
                        self.unit = Unit::Escape;
                        rest = after;
                        continue;
                    }
                    _ => rest = after,
                }
            }
            let Some((&byte, after)) = rest.split_first() else { return Ok(None) };
            let position = bytes.len() - rest.len();
            let at = offset + position as u64;
            self.step(byte, tree, at).map_err(|rule| (rule, position))?;
            rest = after;
        }
    }

    fn step(&mut self, byte: u8, tree: &mut Tree, at: u64) -> Result<(), Rule> {
        self.unit = match (self.unit, byte) {
            (Unit::Plain, 0x00..0x20) => return Err(Rule::Syntax),
            (Unit::Plain, 0x80..) => Unit::Wide(Partial::begin(byte).ok_or(Rule::Encoding)?),
            // Only a delete character comes here.
            (Unit::Plain, _) => return self.decoded(byte.into(), tree, at),
            (Unit::Wide(partial), _) => match partial.next(byte).ok_or(Rule::Encoding)? {
                Step::More(partial) => Unit::Wide(partial),
                Step::Done(character) => return self.decoded(character, tree, at),
            },
            (Unit::Escape, b'u') => Unit::Hex { value: 0, left: 4, high: None },
            (Unit::Escape, _) => {
                let character = match byte {
                    b'"' | b'\\' | b'/' => byte.into(),
                    b'b' => '\u{8}',
                    b'f' => '\u{c}',
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    _ => return Err(Rule::Syntax),
                };
                return self.decoded(character, tree, at);
            }
            (Unit::Hex { value, left, high }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(Rule::Syntax)?;
                let value = value << 4 | u16::try_from(digit).unwrap_or_default();
                match left {
                    1 => return self.escaped(value, high, tree, at),
                    _ => Unit::Hex { value, left: left - 1, high },
                }
            }
            (Unit::High(high), b'\\') => Unit::HighEscape(high),
            (Unit::HighEscape(high), b'u') => Unit::Hex { value: 0, left: 4, high: Some(high) },
            (Unit::High(_) | Unit::HighEscape(_), _) => return Err(Rule::LoneSurrogate),
        };
        Ok(())
    }

    /// A code unit of UTF-16, and the one before it if that was the first half of a pair.
    fn escaped(
        &mut self,
        unit: u16,
        high: Option<u16>,
        tree: &mut Tree,
        at: u64,
    ) -> Result<(), Rule> {
        let character = match (high, unit) {
            (None, 0xd800..=0xdbff) => {
                self.unit = Unit::High(unit);
                return Ok(());
            }
            (None, _) => char::from_u32(unit.into()),
            (Some(high), _) => char::decode_utf16([high, unit]).next().and_then(Result::ok),
        };
        self.decoded(character.ok_or(Rule::LoneSurrogate)?, tree, at)
    }

    /// A character is whole.
    fn decoded(&mut self, character: char, tree: &mut Tree, at: u64) -> Result<(), Rule> {
        self.unit = Unit::Plain;
        let mut buffer = [0; 4];
        self.take(character.encode_utf8(&mut buffer).as_bytes(), tree).map_err(|(rule, _)| rule)?;
        match class(character).rule() {
            Some(rule) => tree.found(rule, Some(at)).map(drop),
            None => Ok(()),
        }
    }

    #[inline]
    fn take(&mut self, bytes: &[u8], tree: &mut Tree) -> Result<(), (Rule, usize)> {
        self.length += bytes.len();
        if !self.is_key {
            return match self.length.checked_sub(tree.policy.limits.string as usize) {
                None | Some(0) => Ok(()),
                Some(over) => Err((Rule::StringLength, bytes.len().saturating_sub(over))),
            };
        }
        match self.length.checked_sub(tree.policy.limits.key.into()) {
            None | Some(0) => {
                tree.extend_key(bytes);
                Ok(())
            }
            Some(over) => {
                let fits = bytes.len().saturating_sub(over);
                tree.extend_key(bytes.get(..fits).unwrap_or(bytes));
                Err((Rule::KeyLength, fits))
            }
        }
    }
}
