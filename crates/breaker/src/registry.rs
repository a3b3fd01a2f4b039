//! A circuit for each key, and no more than so many.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use crate::{
    clock::{Nanos, nanos},
    core::Core,
    error::{ConfigError, ConfigErrorKind as Kind},
    settings::Settings,
    snapshot::CircuitTotals,
    state::State,
    sync::{AtomicU64, Mutex, Ordering::Relaxed, lock},
};

mod shard;

use self::shard::Shard;

const MAX_CAPACITY: usize = 10_000_000;
const MAX_SHARDS: usize = 64;
/// The longest key that is kept, in bytes: twice as long as a host and its port may be.
const MAX_KEY: usize = 512;
/// Below so many circuits, a second shard is not worth its uneven share.
const CIRCUITS_OF_A_SHARD: usize = 128;

/// How many circuits a layer with a [key](crate::BreakerLayer::key) keeps, and for how long.
///
/// When it is full, a new key takes the place of a closed circuit: of some that are looked at, the
/// one that was not used for longest. An open circuit makes room for none. Where nothing but open
/// ones is found, calls of the new key pass, and are [counted](crate::BreakerHandle::untracked).
/// So are those of a key of more than 512 bytes, which is not kept: what a request names takes no
/// more memory than that.
///
/// ```
/// use buttress_breaker::{BreakerLayer, Policy, Registry};
/// use std::time::Duration;
///
/// let registry = Registry::new().capacity(10_000).idle(Duration::from_secs(600));
/// let layer = BreakerLayer::new("upstream", Policy::new())?.per_host().registry(registry)?;
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Registry {
    capacity: usize,
    idle: Duration,
}

impl Registry {
    /// Room for 10,000 circuits; one that was not used for ten minutes may go.
    pub const fn new() -> Self {
        Self { capacity: 10_000, idle: Duration::from_secs(600) }
    }

    /// Room for so many circuits, 1 to 10,000,000, by default 10,000. A circuit of the default
    /// window takes about 1 kB.
    pub const fn capacity(mut self, circuits: usize) -> Self {
        self.capacity = circuits;
        self
    }

    /// When a circuit is idle: after so long without a call, from 1 ms, by default ten minutes. A
    /// closed one then goes when new keys come, even if there is room; so does an open one whose
    /// time is over as well, and a half-open one when no probe can be under way.
    pub const fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    pub(crate) fn check(self) -> Result<Self, ConfigError> {
        if !(1..=MAX_CAPACITY).contains(&self.capacity) {
            let message = format!(
                "a registry of {} circuits: there must be from 1 to {MAX_CAPACITY}",
                self.capacity
            );
            return Err(ConfigError::new(Kind::Capacity, message));
        }
        if self.idle < Duration::from_millis(1) {
            let message = format!("a circuit that is idle after {:?} always is", self.idle);
            return Err(ConfigError::new(Kind::Time, message));
        }
        Ok(self)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

/// The circuits of one layer, by key.
#[derive(Debug)]
pub(crate) struct Circuits {
    pub(crate) settings: Arc<Settings>,
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    idle: Nanos,
    /// The state that new circuits are in; see [`State::ALL`].
    mode: AtomicU64,
    untracked: AtomicU64,
}

impl Circuits {
    pub(crate) fn new(settings: Arc<Settings>, registry: Registry) -> Self {
        let shards = (registry.capacity / CIRCUITS_OF_A_SHARD).clamp(1, MAX_SHARDS);
        let (each, rest) = (registry.capacity / shards, registry.capacity % shards);
        Self {
            settings,
            shards: (0..shards)
                .map(|at| Mutex::new(Shard::new(each + usize::from(at < rest))))
                .collect(),
            hasher: RandomState::new(),
            idle: nanos(registry.idle),
            mode: AtomicU64::new(0),
            untracked: AtomicU64::new(0),
        }
    }

    /// The circuit of a key, made if need be. `None` where there is no room for one.
    pub(crate) fn get_or_make(&self, key: &str) -> Option<Arc<Core>> {
        if key.len() > MAX_KEY {
            self.untracked.fetch_add(1, Relaxed);
            return None;
        }
        let now = self.settings.clock.now();
        let mut shard = lock(self.shard(key)?);
        if let Some(core) = shard.get(key, now) {
            return Some(core);
        }
        // Under the lock: who steers goes through the shards after the mode is set, and finds a
        // circuit that has not seen it.
        let mode = self.mode();
        if !shard.make_room(mode, now, self.idle) {
            drop(shard);
            self.untracked.fetch_add(1, Relaxed);
            return None;
        }
        let (key, settings) = (Arc::<str>::from(key), Arc::clone(&self.settings));
        let core = Arc::new(Core::new_in(mode, settings, Some(Arc::clone(&key))));
        shard.insert(key, Arc::clone(&core), now);
        Some(core)
    }

    /// The state that new circuits are in.
    fn mode(&self) -> State {
        let mode = usize::try_from(self.mode.load(Relaxed)).ok();
        mode.and_then(|mode| State::ALL.get(mode)).copied().unwrap_or(State::Closed)
    }

    pub(crate) fn get(&self, key: &str) -> Option<Arc<Core>> {
        lock(self.shard(key)?).peek(key)
    }

    fn shard(&self, key: &str) -> Option<&Mutex<Shard>> {
        let hash = self.hasher.hash_one(key);
        let at = usize::try_from(hash % self.shards.len() as u64).ok()?;
        self.shards.get(at)
    }

    /// All circuits that are there, and those to come.
    pub(crate) fn force(&self, state: State) {
        let mode = State::ALL.iter().position(|mode| *mode == state).unwrap_or(0);
        self.mode.store(mode as u64, Relaxed);
        for core in self.all() {
            core.force(state);
        }
    }

    /// Copied out shard by shard: nothing is done under a lock.
    pub(crate) fn all(&self) -> Vec<Arc<Core>> {
        self.shards.iter().flat_map(|shard| lock(shard).all()).collect()
    }

    /// What those have seen that made room for others.
    pub(crate) fn retired(&self) -> CircuitTotals {
        let mut totals = CircuitTotals::default();
        for shard in &self.shards {
            totals.add(lock(shard).retired());
        }
        totals
    }

    pub(crate) fn untracked(&self) -> u64 {
        self.untracked.load(Relaxed)
    }
}
