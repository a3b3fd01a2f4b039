//! What a text could have in it at all, told by two quick looks.
//!
//! Most of what is logged has no secret and none of the signs of one: it costs three or four
//! instructions a byte to see that, and up to ten times as many to try each rule at each digit,
//! blank and colon. A sign may mislead, and then the rule is tried in vain; a text without it has
//! nothing for the rule.

use super::ValueRule;

/// The rules for which a text has a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signs(u8);

/// So many places are looked at together: the loop over them becomes a few vector instructions.
const LANES: usize = 16;

/// From the first to the last byte of a sign: from the `a` of `Bearer ` and `Basic ` to the blank.
const REACH: usize = 4;
const WINDOW: usize = LANES + REACH;

/// Nothing shorter is any of them: `a://:p@h`.
const SHORTEST: usize = 8;

/// The shortest of what has neither small letters nor other signs than blanks and hyphens:
/// `-----BEGIN `, before a card's number and the id of a key.
const RUN: usize = 11;

const CARD_DIGITS: usize = 13;
const KEY_ID: usize = 20;

impl Signs {
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn with(self, rule: ValueRule) -> Self {
        Self(self.0 | bit(rule))
    }

    pub(super) const fn of_both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn has(self, rule: ValueRule) -> bool {
        self.0 & bit(rule) != 0
    }

    pub(super) fn of(text: &[u8]) -> Self {
        if text.len() < SHORTEST { Self::NONE } else { Self(marks(text) | runs(text)) }
    }
}

const fn bit(rule: ValueRule) -> u8 {
    1 << rule.index()
}

// === what stands close together ===

/// The signs that are a few bytes, wherever they stand.
fn marks(text: &[u8]) -> u8 {
    // `second` does not come so far, and one letter behind it is enough.
    let quote = when(matches!(text, [.., b'"', _, _] | [.., b'"', _]), ValueRule::Member);
    // Most have none: which they are is asked when there are some.
    match look(text, any) {
        0 => quote,
        _ => quote | look(text, each),
    }
}

/// What `mark` makes of each place, one over the other.
fn look(text: &[u8], mark: impl Fn(u8, u8, u8) -> u8 + Copy) -> u8 {
    let mut found = [0; LANES];
    let mut rest = text;
    while let Some(window) = rest.first_chunk() {
        look_at(window, mark, &mut found);
        rest = rest.get(LANES..).unwrap_or_default();
    }
    // What is left is looked at with what is before it, or with nothing behind it.
    match text.last_chunk() {
        Some(window) => look_at(window, mark, &mut found),
        None => look_at(&padded(text), mark, &mut found),
    }
    if u128::from_ne_bytes(found) == 0 {
        return 0;
    }
    found.into_iter().fold(0, |all, lane| all | lane)
}

fn look_at(window: &[u8; WINDOW], mark: impl Fn(u8, u8, u8) -> u8, found: &mut [u8; LANES]) {
    let (_, second) = window.split_at(1);
    let (_, last) = window.split_at(REACH);
    for (((found, first), second), last) in found.iter_mut().zip(window).zip(second).zip(last) {
        *found |= mark(*first, *second, *last);
    }
}

/// A short text, and nothing behind it. Words that overlap are moved: that is shorter than a call.
fn padded(text: &[u8]) -> [u8; WINDOW] {
    const WORD: usize = SHORTEST;
    let mut window = [0; WINDOW];
    let last = text.len().saturating_sub(WORD);
    for at in [0, last.min(WORD), last] {
        let from = text.get(at..).and_then(|rest| rest.first_chunk::<WORD>());
        let to = window.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<WORD>());
        if let (Some(from), Some(to)) = (from, to) {
            *to = *from;
        }
    }
    window
}

// What is asked of three bytes: one, that behind it, and that `REACH` behind it. A secret has some
// letters before and behind its sign: that `second` is not the first byte of a text, or one of the
// last three, and `last` not one of the first four, does no harm.
//
// Nothing here branches, or it would not become vector instructions.

/// Whether they are a sign of anything.
fn any(first: u8, second: u8, last: u8) -> u8 {
    let is = (last == b'@') | (second == b'"') | (second == b'J') | scheme(first, second, last);
    0_u8.wrapping_sub(u8::from(is))
}

/// What they are signs of.
fn each(first: u8, second: u8, last: u8) -> u8 {
    when(last == b'@', ValueRule::UrlPassword)
        | when(second == b'"', ValueRule::Member)
        | when(second == b'J', ValueRule::Jwt)
        | when(scheme(first, second, last), ValueRule::Credentials)
}

/// The `ar` of `Bearer ` and the `as` of `Basic `, in capitals too, with the blank.
const fn scheme(first: u8, second: u8, last: u8) -> bool {
    (first | 0x20 == b'a') & (second | 0x21 == b's') & (last == b' ')
}

const fn when(is: bool, rule: ValueRule) -> u8 {
    if is { bit(rule) } else { 0 }
}

// === what is long ===

/// The signs that are a run of digits, capitals, blanks and hyphens.
///
/// The last of `RUN` bytes is looked at first: where it is none of these no run goes over it, and
/// the rest of them need no look (Boyer and Moore, A Fast String Searching Algorithm, 1977).
fn runs(text: &[u8]) -> u8 {
    let mut found = 0;
    let mut rest = text;
    while let Some(start) = rest.first_chunk::<RUN>() {
        let end = start.iter().rposition(|byte| !is_in_run(byte)).unwrap_or_else(|| {
            let (signs, length) = run(rest);
            found |= signs;
            length
        });
        match rest.get(end + 1..) {
            Some(behind) => rest = behind,
            None => break,
        }
    }
    found
}

/// The signs of the run at the start, and its length.
#[cold]
fn run(text: &[u8]) -> (u8, usize) {
    let length = text.iter().take_while(|byte| is_in_run(byte)).count();
    let run = text.get(..length).unwrap_or_default();
    let is_card = run.iter().filter(|byte| byte.is_ascii_digit()).count() >= CARD_DIGITS;
    let is_id =
        length >= KEY_ID && run.windows(4).any(|four| matches!(four, [b'A', _, b'I' | b'C', b'A']));
    let is_key = run.windows(2).any(|two| two == b"--");
    let signs = when(is_card, ValueRule::CardNumber)
        | when(is_id, ValueRule::AwsKeyId)
        | when(is_key, ValueRule::PrivateKey);
    (signs, length)
}

const IN_RUN: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest: &mut [bool] = &mut table;
    let mut byte = 0_u8;
    while let Some((is_in_run, tail)) = rest.split_first_mut() {
        *is_in_run = matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b' ' | b'-');
        byte = byte.wrapping_add(1);
        rest = tail;
    }
    table
};

fn is_in_run(byte: &u8) -> bool {
    IN_RUN.get(usize::from(*byte)).copied().unwrap_or(false)
}
