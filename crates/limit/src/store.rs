//! Where counts are kept.

use crate::memory::{MemoryStore, table::Table};

/// Where a layer keeps its counts; made of a [`MemoryStore`].
///
/// ```
/// use buttress_limit::{Key, LimitLayer, MemoryStore, Rule};
///
/// let store = MemoryStore::with_capacity(1 << 20)?;
/// let layer = LimitLayer::with_store(store, Key::peer(), [Rule::general()])?;
/// # Ok::<(), buttress_limit::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Store(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Memory(MemoryStore),
}

impl From<MemoryStore> for Store {
    fn from(store: MemoryStore) -> Self {
        Self(Kind::Memory(store))
    }
}

impl Store {
    /// The table in memory: of every store, for those that keep their counts elsewhere decide by
    /// it while they cannot.
    pub(crate) fn table(&self) -> &Table {
        match &self.0 {
            Kind::Memory(store) => &store.table,
        }
    }

    pub(crate) const fn memory(&self) -> &MemoryStore {
        match &self.0 {
            Kind::Memory(store) => store,
        }
    }
}
