//! The store in memory: one table of fixed size.

use std::{fmt, sync::Arc, time::Duration};

use self::table::Table;
use crate::{
    error::{ConfigError, ConfigErrorKind as Kind},
    key::Secret,
    meter::Nanos,
    quota::Quota,
};

mod claim;
mod line;
mod sweep;
pub(crate) mod table;
mod variants;

pub(crate) use self::{claim::Claim, variants::Variant};

/// Slots where no capacity was said: 1 MiB.
const DEFAULT_SLOTS: usize = 1 << 17;
/// 8 GiB.
const MAX_SLOTS: usize = 1 << 30;

/// Counts in a table that is allocated once and never grows.
///
/// A slot is 8 bytes: 21 bits of the key's hash, and what its rule counts. A key that is new takes
/// a slot that is free, or one whose time has passed: it says nothing any more that a fresh one
/// would not. So neither memory nor the store's answers give way under a flood of keys: whoever is
/// over a limit stays over it.
///
/// Where all sixteen slots that a key may have are taken and live, [`Full`] decides. A clone is
/// another handle to the same table; rules of one name in layers over one store share their
/// counts.
///
/// Two keys share a slot where their hashes agree in the line and the 21 bits: at half load one
/// key in 260,000, in a full table one in 130,000. The hash has a secret of the store's own, so
/// nobody can look for such a key.
///
/// ```
/// use buttress_limit::{MemoryStore, minutes, requests};
///
/// let quota = requests(100).per(minutes(15));
/// let store = MemoryStore::with_capacity(MemoryStore::capacity_for(&quota, 100))?;
/// assert_eq!(store.capacity(), 262_144);
/// assert_eq!(store.bytes(), 262_144 * 8);
/// # Ok::<(), buttress_limit::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    pub(crate) table: Arc<Table>,
}

/// What becomes of a new key for which there is no slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Full {
    /// It shares one of sixteen cells of its rule, set aside for this, with others: the quota holds
    /// for all of them together. While a flood of keys lasts that fills the table, it uses these up
    /// too, and clients that are new are refused; those that have a slot are not touched.
    #[default]
    Share,
    /// It is refused, and told to come back when one who has used all of the quota may.
    Deny,
    /// It passes and is not counted.
    Allow,
}

impl MemoryStore {
    /// A table of so many slots, rounded up to a power of two: 16 to 2³⁰, at 8 bytes each.
    ///
    /// A key takes a slot for each rule. At five eighths of the table one new key in 30,000 finds
    /// no slot, at three quarters one in 100.
    ///
    /// # Errors
    /// When it is more than 2³⁰ slots, or the operating system has no random bytes.
    pub fn with_capacity(slots: usize) -> Result<Self, ConfigError> {
        if slots > MAX_SLOTS {
            let message = format!("{slots} slots: a store has at most {MAX_SLOTS}, which is 8 GiB");
            return Err(ConfigError::new(Kind::Capacity, message));
        }
        Ok(Self { table: Arc::new(Table::new(slots, Secret::random()?)) })
    }

    /// A table of 131,072 slots: 1 MiB.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub fn new() -> Result<Self, ConfigError> {
        Self::with_capacity(DEFAULT_SLOTS)
    }

    /// An empty table of the same size, whose keys are hashed with this.
    #[cfg(feature = "redis")]
    pub(crate) fn with_secret(&self, secret: Secret) -> Self {
        Self { table: Arc::new(Table::new(self.capacity(), secret)) }
    }

    /// An empty table of a node whose clock is so far ahead.
    #[cfg(all(test, feature = "redis"))]
    pub(crate) fn ahead(&self, by: Duration) -> Self {
        let table = Table::new(self.capacity(), self.table.secret().clone());
        Self { table: Arc::new(table.ahead(by)) }
    }

    /// What to do where there is no slot for a new key.
    #[must_use]
    pub fn full(self, full: Full) -> Self {
        self.table.set_full(full);
        self
    }

    /// How many slots a rule needs when so many new keys come in a second, each of which is
    /// remembered until all of its quota is back: the power of two that is at most five
    /// eighths full.
    #[must_use]
    pub fn capacity_for(quota: &Quota, new_keys_per_second: u64) -> usize {
        let live = u128::from(new_keys_per_second) * quota.reset_nanos() / 1_000_000_000;
        let slots = usize::try_from(live * 8 / 5).unwrap_or(MAX_SLOTS);
        slots.clamp(1 << 4, MAX_SLOTS).next_power_of_two()
    }

    /// How many slots there are.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.table.capacity()
    }

    /// How many bytes the slots take, from the first request to the last.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.capacity() * size_of::<u64>()
    }

    /// How often a new key found no slot.
    #[must_use]
    pub fn times_full(&self) -> u64 {
        self.table.times_full()
    }

    /// The store's time: since it was made.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.table.now())
    }
}

pub(crate) fn nanos(time: Duration) -> Nanos {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the secret, and not a million slots.
        f.debug_struct("MemoryStore")
            .field("capacity", &self.capacity())
            .field("times_full", &self.times_full())
            .finish_non_exhaustive()
    }
}
