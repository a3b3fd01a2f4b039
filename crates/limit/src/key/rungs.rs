//! The networks of an IPv6 client, narrow to wide, and a key for each.

use super::Hashed;
use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// The most rungs of a ladder.
pub(crate) const MAX_RUNGS: usize = 3;

/// The prefixes by which IPv6 clients are grouped, and how many times the quota each may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rungs {
    pub(super) rungs: [(u8, u32); MAX_RUNGS],
    pub(super) len: usize,
}

impl Rungs {
    /// What a provider gives to one customer is a /56 as a rule (RIPE-690 §4.2), and each customer
    /// has all of its addresses at will.
    pub(super) const DEFAULT: Self = Self { rungs: [(56, 1); MAX_RUNGS], len: 1 };

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u8, u32)> + '_ {
        self.rungs.iter().copied().take(self.len)
    }

    /// Of pairs of a prefix and how many times the quota all of it may use, narrowest first.
    pub(super) fn ladder<I>(rungs: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item = (u8, u32)>,
    {
        let mut ladder = Self { rungs: [(0, 0); MAX_RUNGS], len: 0 };
        let mut last = None;
        for (prefix, times) in rungs {
            let error = |message: String| ConfigError::new(Kind::Prefix, message);
            if !(32..=128).contains(&prefix) {
                return Err(error(format!("/{prefix}: the prefix must be 32 to 128")));
            }
            if times == 0 {
                return Err(error(format!("/{prefix}: a rung must be worth the quota at least")));
            }
            if let Some(last) = last.filter(|last| *last <= prefix) {
                let message = "the rungs of a ladder go from narrow to wide";
                return Err(error(format!("/{prefix} after /{last}: {message}")));
            }
            last = Some(prefix);
            let Some(rung) = ladder.rungs.get_mut(ladder.len) else {
                return Err(error(format!("a ladder has at most {MAX_RUNGS} rungs")));
            };
            if ladder.len == 0 && times != 1 {
                return Err(error(format!("/{prefix}: the first rung is worth the quota: 1")));
            }
            *rung = (prefix, times);
            ladder.len += 1;
        }
        if ladder.len == 0 {
            return Err(ConfigError::new(Kind::Prefix, "a ladder has one rung at least"));
        }
        Ok(ladder)
    }
}

/// A request's keys: one for each rung that it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    keys: [Hashed; MAX_RUNGS],
    len: usize,
}

impl Keys {
    #[inline]
    pub(crate) const fn one(key: Hashed) -> Self {
        Self { keys: [key; MAX_RUNGS], len: 1 }
    }

    pub(super) fn push(&mut self, key: Hashed) {
        if let Some(place) = self.keys.get_mut(self.len) {
            *place = key;
            self.len += 1;
        }
    }

    /// The narrowest.
    #[inline]
    pub(crate) const fn first(&self) -> Hashed {
        let [first, ..] = &self.keys;
        *first
    }

    /// The widest.
    #[cfg(feature = "redis")]
    pub(crate) fn last(&self) -> Hashed {
        self.iter().last().unwrap_or(self.first())
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = Hashed> + '_ {
        self.keys.iter().copied().take(self.len)
    }
}
