//! What is sensitive by its own look, wherever it stands: one scan for all of it.

mod card;
mod credential;
mod member;
mod signs;
#[cfg(test)]
mod tests;

use std::ops::Range;

use signs::Signs;

pub(crate) use card::SMALLEST as SMALLEST_CARD;

use crate::keys::Keys;

/// What can be told by its look.
///
/// All are on unless [`Rules::allow_value`](crate::Rules::allow_value) turns one off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueRule {
    /// A payment card's number: 13 to 19 digits, in groups by single spaces or hyphens or in none,
    /// with the prefix and the length of a known issuer and a right check digit (Luhn, ISO/IEC
    /// 7812-1 annex B). A number counts as well as a text.
    CardNumber,
    /// A JSON web token (RFC 7519): its header begins with `eyJ`, which is `{"` in base64.
    Jwt,
    /// What follows `Bearer` (RFC 6750 §2.1), and what follows `Basic` if it decodes to something
    /// with a colon (RFC 7617 §2). The scheme's name stays.
    ///
    /// Where the text is these two and nothing else, any word after `Bearer` counts. Within a
    /// longer text one of 16 characters does, and one of 8 that looks like no word of a language:
    /// `bearer token missing` and `Basic Operations` stay as they are.
    Credentials,
    /// The id of an AWS access key: `AKIA`, `ASIA`, `ABIA` or `ACCA`, and 16 capitals or digits
    /// (AWS IAM user guide, unique identifiers).
    AwsKeyId,
    /// A private key in PEM (RFC 7468 §10, §11), from its first line to its last, or to the end
    /// of the text.
    PrivateKey,
    /// The password in a URL's authority (RFC 3986 §3.2.1): `postgres://app:hunter2@db/main`.
    UrlPassword,
    /// A quoted text behind a sensitive key: `password: "x"` and `pin: Some("x")`, as `Debug`
    /// prints a struct, in one line or in many; `"password":"x"`, as JSON has it, also where the
    /// whole was quoted once more. It is censored as its key is. A number is not found that way,
    /// nor what is in a list.
    Member,
}

impl ValueRule {
    pub(crate) const ALL: [Self; 7] = [
        Self::CardNumber,
        Self::Jwt,
        Self::Credentials,
        Self::AwsKeyId,
        Self::PrivateKey,
        Self::UrlPassword,
        Self::Member,
    ];

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::CardNumber => 0,
            Self::Jwt => 1,
            Self::Credentials => 2,
            Self::AwsKeyId => 3,
            Self::PrivateKey => 4,
            Self::UrlPassword => 5,
            Self::Member => 6,
        }
    }

    /// The bytes at which it may be found.
    const fn pivots(self) -> &'static [u8] {
        match self {
            Self::CardNumber => b"0123456789",
            Self::Jwt => b"J",
            Self::Credentials => b" ",
            Self::AwsKeyId => b"A",
            Self::PrivateKey => b"-",
            Self::UrlPassword | Self::Member => b":",
        }
    }
}

/// The censor of each kind, if it is on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values {
    censors: [Option<u16>; ValueRule::ALL.len()],
    on: Signs,
}

/// A text that is looked through, for what it has signs of.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    values: &'a Values,
    keys: &'a Keys,
    text: &'a str,
    pivots: Pivots,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) range: Range<usize>,
    pub(crate) censor: u16,
}

/// The bytes at which something may be found, all of them from `FIRST` on, as bits. Each is rare in
/// what is logged, or told apart by its neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pivots(u64);

const FIRST: u8 = b' ';

impl Values {
    pub(crate) fn new(censors: [Option<u16>; ValueRule::ALL.len()]) -> Self {
        let on = ValueRule::ALL.into_iter().zip(censors).filter(|(_, censor)| censor.is_some());
        Self { censors, on: on.fold(Signs::NONE, |signs, (rule, _)| signs.with(rule)) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.on.is_empty()
    }

    /// Looks through the text, if it has signs of anything.
    pub(crate) fn scan<'a>(&'a self, keys: &'a Keys, text: &'a str) -> Option<Scan<'a>> {
        let signs = self.signs(text);
        let pivots = (!signs.is_empty()).then(|| Pivots::of(signs))?;
        Some(Scan { values: self, keys, text, pivots })
    }

    fn signs(&self, text: &str) -> Signs {
        if self.is_empty() {
            return Signs::NONE;
        }
        self.on.of_both(Signs::of(text.as_bytes()))
    }

    fn censor(&self, value: ValueRule) -> Option<u16> {
        self.censors.get(value.index()).copied().flatten()
    }

    /// The censor for a number that is a card's.
    pub(crate) fn number(&self, number: u128) -> Option<u16> {
        let censor = self.censor(ValueRule::CardNumber)?;
        card::is_number(number).then_some(censor)
    }
}

// === impl Scan ===

impl Scan<'_> {
    /// The first at or after `from`, from left to right. Its ends are on characters' boundaries.
    pub(crate) fn find(&self, from: usize) -> Option<Found> {
        let text = self.text.as_bytes();
        let mut at = from;
        loop {
            while !self.pivots.has(*text.get(at)?) {
                at += 1;
            }
            let before = at.checked_sub(1).and_then(|before| text.get(before));
            let after = text.get(at + 1);
            // Most are told apart by a neighbour.
            let value = match text.get(at)? {
                b'0'..=b'9' => ValueRule::CardNumber,
                b'J' if before == Some(&b'y') => ValueRule::Jwt,
                b' ' if matches!(before, Some(b'r' | b'R' | b'c' | b'C')) => ValueRule::Credentials,
                b'A' if matches!(after, Some(b'K' | b'S' | b'B' | b'C')) => ValueRule::AwsKeyId,
                b'-' if after == Some(&b'-') => ValueRule::PrivateKey,
                b':' if after == Some(&b'/') => ValueRule::UrlPassword,
                b':' if after.is_some_and(member::may_follow) => ValueRule::Member,
                _ => {
                    at += 1;
                    continue;
                }
            };
            // Only what is on is looked for: what is found and let be would be looked for again
            // and again.
            let Some(censor) = self.values.censor(value) else {
                at += 1;
                continue;
            };
            let found = match value {
                ValueRule::CardNumber => match card::at(text, from, at) {
                    card::Run::Card(range) => Some(range),
                    card::Run::Digits(end) => {
                        at = end;
                        continue;
                    }
                },
                ValueRule::Jwt => credential::jwt(text, from, at),
                ValueRule::Credentials => credential::scheme(text, from, at),
                ValueRule::AwsKeyId => credential::aws(text, from, at),
                ValueRule::PrivateKey => credential::pem(text, at),
                ValueRule::UrlPassword => credential::password(text, at),
                ValueRule::Member => {
                    if let Some(found) = named(self.keys, text, from, at, censor) {
                        return Some(found);
                    }
                    None
                }
            };
            if let Some(range) = found {
                return Some(Found { range, censor });
            }
            at += 1;
        }
    }
}

// === impl Pivots ===

impl Pivots {
    /// Where to look for what there are signs of.
    fn of(signs: Signs) -> Self {
        let found = ValueRule::ALL.into_iter().filter(|rule| signs.has(*rule));
        Self(found.flat_map(ValueRule::pivots).fold(0, |all, byte| all | 1 << (byte - FIRST)))
    }

    const fn has(self, byte: u8) -> bool {
        let bit = byte.wrapping_sub(FIRST);
        bit < 64 && self.0 >> bit & 1 == 1
    }
}

/// A quoted value behind a sensitive key, censored as the key is unless the rule has a censor of
/// its own.
fn named(keys: &Keys, text: &[u8], from: usize, pivot: usize, censor: u16) -> Option<Found> {
    let member = member::at(text, from, pivot)?;
    let key = keys.judge(member.name.iter().copied())?;
    Some(Found { range: member.value(text)?, censor: if censor == 0 { key } else { censor } })
}
