//! Texts and keys (RFC 8259 §7, §8).

use super::scan;
use crate::{
    chars::Unseen,
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

/// The longest run that is looked at before it is known to fit: near a limit, it is in vain.
const WIDE_RUN: usize = 128;

/// A text that has begun.
#[derive(Debug)]
pub(super) struct Text {
    unit: Unit,
    is_key: bool,
    // Decoded, in bytes of UTF-8.
    length: usize,
    unseen: Unseen,
}

impl Default for Text {
    fn default() -> Self {
        Self { unit: Unit::Plain, is_key: false, length: 0, unseen: Unseen::default() }
    }
}

impl Text {
    #[inline]
    pub(super) fn begin(&mut self, is_key: bool) {
        *self = Self { is_key, ..Self::default() };
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
                let start = bytes.len() - rest.len();
                if let Some(rule) = self.unseen.plain(run) {
                    found(rule, tree, offset, start)?;
                }
                self.take(run, tree).map_err(|(rule, at)| (rule, start + at))?;
                rest = after;
                match after {
                    [b'"', rest @ ..] => {
                        if let Some(rule) = self.unseen.end() {
                            found(rule, tree, offset, bytes.len() - after.len())?;
                        }
                        return Ok(Some(rest));
                    }
                    [b'\\', letter @ (b'"' | b'\\' | b'/' | b'n' | b'r' | b't'), after @ ..] => {
                        let position = bytes.len() - after.len() - 1;
                        let character = [unescaped(*letter)];
                        self.take(&character, tree).map_err(|(rule, _)| (rule, position))?;
                        if let Some(rule) = self.unseen.plain(&character) {
                            found(rule, tree, offset, position)?;
                        }
                        rest = after;
                        continue;
                    }
                    [0x80..=0xff, ..] => {
                        let taken =
                            self.wide_run(after, tree, offset, bytes.len() - after.len())?;
                        if taken > 0 {
                            rest = after.get(taken..).unwrap_or_default();
                            continue;
                        }
                    }
                    _ => {}
                }
            }
            let Some((&byte, after)) = rest.split_first() else { return Ok(None) };
            let position = bytes.len() - rest.len();
            let at = offset + position as u64;
            self.step(byte, tree, at).map_err(|rule| (rule, position))?;
            rest = after;
        }
    }

    /// Takes a run of whole characters beyond ASCII at once: how many bytes it has. What is cut,
    /// too long, no UTF-8, or in a key, of which pointers show no more than was read, goes byte
    /// by byte.
    fn wide_run(
        &mut self,
        bytes: &[u8],
        tree: &mut Tree,
        offset: u64,
        position: usize,
    ) -> Result<usize, (Rule, usize)> {
        if self.is_key {
            return Ok(0);
        }
        let length = bytes.iter().take(WIDE_RUN).take_while(|byte| **byte >= 0x80).count();
        let (run, _) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
        let run = run.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        if self.length + run.len() > tree.policy.limits.string as usize {
            return Ok(0);
        }
        self.length += run.len();
        for (start, character) in run.char_indices() {
            for rule in self.unseen.next(character) {
                found(rule, tree, offset, position + start + character.len_utf8() - 1)?;
            }
        }
        Ok(run.len())
    }

    fn step(&mut self, byte: u8, tree: &mut Tree, at: u64) -> Result<(), Rule> {
        self.unit = match (self.unit, byte) {
            (Unit::Plain, 0x00..0x20) => return Err(Rule::Syntax),
            (Unit::Plain, b'\\') => Unit::Escape,
            (Unit::Plain, 0x80..) => Unit::Wide(Partial::begin(byte).ok_or(Rule::Encoding)?),
            // Only a delete character comes here.
            (Unit::Plain, _) => return self.decoded(byte.into(), tree, at),
            (Unit::Wide(partial), _) => match partial.next(byte).ok_or(Rule::Encoding)? {
                Step::More(partial) => Unit::Wide(partial),
                Step::Done(character) => return self.decoded(character, tree, at),
            },
            (Unit::Escape, b'u') => Unit::Hex { value: 0, left: 4, high: None },
            (Unit::Escape, _) => {
                return match byte {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                        self.decoded(unescaped(byte).into(), tree, at)
                    }
                    _ => Err(Rule::Syntax),
                };
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
        self.unseen.next(character).try_for_each(|rule| tree.found(rule, Some(at)).map(drop))
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

/// A rule is broken with the byte at this position.
#[cold]
fn found(rule: Rule, tree: &mut Tree, offset: u64, position: usize) -> Result<(), (Rule, usize)> {
    match tree.found(rule, Some(offset + position as u64)) {
        Ok(_) => Ok(()),
        Err(rule) => Err((rule, position)),
    }
}

/// What a letter after a `\` stands for.
#[inline]
const fn unescaped(letter: u8) -> u8 {
    match letter {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        other => other,
    }
}
