//! Beside the governor crate: its limiters over our table, and one of them as a rule.
//!
//! A governor limiter that keeps its state in a [`MemoryStore`] has bounded memory, and no lock on
//! a key that is known:
//!
//! ```
//! use buttress_limit::MemoryStore;
//! use governor::Quota;
//! use std::num::NonZeroU32;
//!
//! let quota = Quota::per_second(NonZeroU32::new(2).unwrap());
//! let store = MemoryStore::with_capacity(1 << 16)?;
//! let limiter = buttress_limit::governor::keyed(&store, "logins", quota)?;
//! assert!(limiter.check_key(&"ada").is_ok());
//! # Ok::<(), buttress_limit::ConfigError>(())
//! ```
//!
//! The other way round, [`LimitLayer::governor`](crate::LimitLayer::governor) asks a governor
//! limiter beside the layer's own rules.

use std::{
    fmt,
    hash::Hash,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter, clock::Clock, middleware::NoOpMiddleware, nanos::Nanos, state::StateStore,
};

use crate::{
    error::ConfigError,
    key::KeyHasher,
    memory::{Claim, MemoryStore, Variant, table::Table},
    meter::{Gcra, Meter},
    rule::check_name,
};

/// A governor limiter over a [`MemoryStore`].
pub type TableLimiter<K> = RateLimiter<K, TableState<K>, StoreClock, NoOpMiddleware<Duration>>;

/// A keyed governor limiter that keeps its state in this store, under a name that no rule of the
/// store has.
///
/// A state is kept to a 2³²th of the time in which a full burst comes back, and rounded up. Where
/// the store is full, keys share a cell, and may be refused together.
///
/// # Errors
/// When the store counts for as many as it can, or the name is no rule's, or taken by one that
/// counts in another way.
pub fn keyed<K: Hash>(
    store: &MemoryStore,
    name: &str,
    quota: Quota,
) -> Result<TableLimiter<K>, ConfigError> {
    check_name(name)?;
    let own = crate::requests(1).per(quota.replenish_interval());
    let gcra = Gcra::to_the_nanosecond(&own.burst(quota.burst_size().get().into()));
    let meter = Meter::Gcra(gcra);
    let table = Arc::clone(&store.table);
    let variant = table.bind(&format!("governor {name}"), &meter)?;
    let clock = StoreClock { table: Arc::clone(&table), started: AtomicBool::new(false) };
    let state = TableState { table, variant, gcra, meter, keys: PhantomData };
    Ok(RateLimiter::new(quota, state, clock))
}

/// A [`MemoryStore`] as governor's state store; made by [`keyed`].
pub struct TableState<K> {
    table: Arc<Table>,
    variant: Variant,
    gcra: Gcra,
    meter: Meter,
    keys: PhantomData<fn(&K)>,
}

impl<K: Hash> StateStore for TableState<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let now = self.table.now();
        let mut hasher: KeyHasher = self.table.secret().hasher();
        key.hash(hasher.raw());
        let mut claim = Claim::new(self.variant, &self.meter, hasher.finish(), 1);
        let measure = |cell: Option<u64>| {
            let arrival = cell.and_then(|cell| self.gcra.arrival(cell, now)).map(Nanos::new);
            let (outcome, next) = f(arrival)?;
            Ok((outcome, self.gcra.cell_of(next.as_u64())))
        };
        match self.table.replace(&mut claim, now, measure)? {
            Some(outcome) => Ok(outcome),
            // What it shares is used up: as one who has never paid.
            None => f(Some(Nanos::new(u64::MAX / 2))).map(|(outcome, _)| outcome),
        }
    }
}

impl<K> fmt::Debug for TableState<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableState").field("gcra", &self.gcra).finish_non_exhaustive()
    }
}

/// The store's own clock: what tells whether a slot's time has passed, tells governor the time.
pub struct StoreClock {
    table: Arc<Table>,
    started: AtomicBool,
}

impl Clock for StoreClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        // governor takes what it reads first for the beginning, and counts from there; the store
        // counts from its own.
        if !self.started.load(Ordering::Relaxed) && !self.started.swap(true, Ordering::Relaxed) {
            return Duration::ZERO;
        }
        Duration::from_nanos(self.table.now())
    }
}

impl fmt::Debug for StoreClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreClock").finish_non_exhaustive()
    }
}
