//! Where counts are kept.

#[cfg(feature = "redis")]
use crate::redis::RedisStore;
use crate::{
    error::ConfigError,
    key::Rungs,
    memory::{MemoryStore, table::Table},
    plan::Plan,
    rule::Rule,
};

/// Where a layer keeps its counts; made of a [`MemoryStore`], or a `RedisStore` with the
/// feature `redis`.
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
    #[cfg(feature = "redis")]
    Redis(Box<RedisStore>),
}

impl From<MemoryStore> for Store {
    fn from(store: MemoryStore) -> Self {
        Self(Kind::Memory(store))
    }
}

#[cfg(feature = "redis")]
impl From<RedisStore> for Store {
    fn from(store: RedisStore) -> Self {
        Self(Kind::Redis(Box::new(store)))
    }
}

impl Store {
    pub(crate) fn bind(
        &self,
        rules: impl IntoIterator<Item = Rule>,
        rungs: &Rungs,
    ) -> Result<Plan, ConfigError> {
        Plan::bind(self.table(), rules, rungs)
    }

    #[cfg(feature = "redis")]
    pub(crate) fn remote(&self) -> Option<&RedisStore> {
        match &self.0 {
            Kind::Memory(_) => None,
            Kind::Redis(store) => Some(store),
        }
    }

    /// The table in memory: of every store, for those that keep their counts elsewhere decide by
    /// it while they cannot.
    pub(crate) fn table(&self) -> &Table {
        match &self.0 {
            Kind::Memory(store) => &store.table,
            #[cfg(feature = "redis")]
            Kind::Redis(store) => store.table(),
        }
    }

    pub(crate) fn memory(&self) -> &MemoryStore {
        match &self.0 {
            Kind::Memory(store) => store,
            #[cfg(feature = "redis")]
            Kind::Redis(store) => store.memory(),
        }
    }
}
