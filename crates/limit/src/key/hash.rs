//! A key as it is kept: hashed with a secret, and never as it came.

use std::{fmt, hash::Hasher as _};

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// No part is as long as these are numbers.
const V4_MARK: u64 = 1 << 63;
const V6_MARK: u64 = 1 << 62;
const COUNT_MARK: u64 = 1 << 61;
const END_MARK: u64 = u64::MAX - 1;

/// With it, nobody outside can find keys that fall together.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(u64, u64);

impl Secret {
    pub(crate) fn random() -> Result<Self, ConfigError> {
        // A model is run again and again, and has to be the same each time.
        if cfg!(loom) {
            return Ok(Self(0, 0));
        }
        let word = || {
            getrandom::u64().map_err(|error| {
                let message = format!("the operating system has no random bytes: {error}");
                ConfigError::new(Kind::Randomness, message)
            })
        };
        Ok(Self(word()?, word()?))
    }

    /// That all know who know these bytes.
    #[cfg(feature = "redis")]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut hasher = Self(0, 0).hasher();
        hasher.write(bytes);
        let Hashed(one, two) = hasher.finish();
        Self(one, two)
    }

    pub(crate) fn hasher(&self) -> KeyHasher {
        KeyHasher(SipHasher13::new_with_keys(self.0, self.1))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// Takes a key's parts, each with its length before it: `ab` and `c` are not `a` and `bc`.
pub(crate) struct KeyHasher(SipHasher13);

impl KeyHasher {
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.0.write_u64(bytes.len() as u64);
        self.0.write(bytes);
    }

    /// An IPv4 address. It has a mark of its own, since it takes the place of a length.
    #[inline]
    pub(crate) fn write_word(&mut self, word: u32) {
        self.0.write_u64(V4_MARK | u64::from(word));
    }

    /// An IPv6 network, in three words.
    #[inline]
    pub(crate) fn write_words(&mut self, words: u128) {
        self.0.write_u64(V6_MARK);
        self.0.write_u64(high(words));
        self.0.write_u64(low(words));
    }

    /// So many parts follow that belong together; one alone needs no mark.
    pub(crate) fn write_count(&mut self, parts: usize) {
        self.0.write_u64(COUNT_MARK | parts as u64);
    }

    /// The end of parts that were not counted.
    pub(crate) fn write_end(&mut self) {
        self.0.write_u64(END_MARK);
    }

    /// What has no bytes: longer than anything that has.
    pub(crate) fn write_absent(&mut self) {
        self.0.write_u64(u64::MAX);
    }

    /// For what hashes itself.
    #[cfg(feature = "governor")]
    pub(crate) const fn raw(&mut self) -> &mut SipHasher13 {
        &mut self.0
    }

    #[inline]
    pub(crate) fn finish(&self) -> Hashed {
        let hash = self.0.finish128();
        Hashed(hash.h1, hash.h2)
    }
}

const fn high(words: u128) -> u64 {
    (words >> 64) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "half of it is what is wanted")]
const fn low(words: u128) -> u64 {
    words as u64
}

impl fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<key>")
    }
}

/// 128 bits for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hashed(u64, u64);

impl Hashed {
    pub(crate) const fn whole(self) -> u128 {
        ((self.0 as u128) << 64) | self.1 as u128
    }

    /// Of which the low bits say two lines.
    #[inline]
    pub(crate) const fn lines(self) -> [u64; 2] {
        [self.0 & 0xFFFF_FFFF, self.0 >> 32]
    }

    #[inline]
    pub(crate) const fn print(self, bits: u32) -> u64 {
        self.1 >> (u64::BITS - bits)
    }

    /// Bits that neither of the two has.
    #[inline]
    pub(crate) const fn spread(self) -> u64 {
        self.1 & 0xFFFF_FFFF
    }
}
