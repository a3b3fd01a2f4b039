//! The store in Redis: many nodes, one limit.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use redis::Client;

use self::{
    link::{Job, Link, Live},
    script::{Call, Mode, Of},
};
use crate::{
    error::{ConfigError, ConfigErrorKind as Kind},
    key::{Key, Keys, Secret},
    memory::MemoryStore,
    meter::Nanos,
    plan::{Plan, Which},
    rule::Rule,
};

mod ask;
mod breaker;
mod link;
mod script;
#[cfg(all(test, not(loom)))]
mod tests;

pub(crate) use self::{ask::Begin, script::check};

/// In front of every key.
const PREFIX: &str = "limit:";
/// How long a decision may take.
const TIMEOUT: Duration = Duration::from_millis(30);

/// Counts in one Redis, for all nodes that use it: they share each limit exactly.
///
/// A decision is one call of a script, whatever the number of rules, and it goes by the server's
/// clock. It takes no longer than the [timeout](Self::timeout), 30 ms: then, or where Redis is
/// down, refuses to write or is out of memory, the [fall-back](Fallback) decides. After five
/// failures in a row, or where half of at least twenty in a second failed, or with a lost
/// connection, no request waits for Redis at all, until a task in the background has made a charge
/// over a new connection. It tries again after 50 ms, and later every half second, with jitter.
///
/// What Redis counts is mirrored in a table in memory, by which an outage begins where Redis has
/// left off. What was charged in an outage, Redis does not learn. Refunds and later charges are
/// sent in the background; up to 1,024 wait for it, and those of an outage are lost.
///
/// Keys are `limit:{hash}:rule:rung`, expire when they say nothing any more, and a key's rules share a
/// hash tag. The hash has no secret but what [`secret`](Self::secret) gives it, since all nodes
/// must find the same. Sliding windows are refused. It needs Redis 5 or later.
///
/// The first request connects, and is decided by the fall-back; await [`connected`](Self::connected)
/// when the service starts.
///
/// ```no_run
/// use buttress_limit::{Fallback, Key, LimitLayer, RedisStore, Rule};
///
/// # async fn run() -> Result<(), buttress_limit::ConfigError> {
/// let store = RedisStore::new("redis://127.0.0.1/")?.fallback(Fallback::Local { share: 3 });
/// let layer = LimitLayer::with_store(store.clone(), Key::peer(), [Rule::general()])?;
/// store.connected().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct RedisStore {
    memory: MemoryStore,
    client: Client,
    prefix: Arc<str>,
    timeout: Duration,
    fallback: Fallback,
    link: Arc<Link>,
    counts: Arc<Counts>,
}

/// What decides while Redis does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fallback {
    /// Each node by its own mirror. With a share of 1, the default, by the whole quota; of `K`, by
    /// a `K`th of it, and one request at least: what `K` nodes admit together is then no more than
    /// the quota, as long as no rule's burst is less than `K`.
    Local {
        /// Among how many nodes the quota is shared; 0 is as 1.
        share: u32,
    },
    /// Everyone passes, and nothing is counted.
    Open,
    /// Everyone is refused, with 503.
    Closed,
}

impl Default for Fallback {
    fn default() -> Self {
        Self::Local { share: 1 }
    }
}

/// How a store has decided since it was made, and whether Redis is up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisStats {
    /// Whether Redis decides now.
    pub is_up: bool,
    /// Decisions by Redis.
    pub by_redis: u64,
    /// Decisions by the fall-back.
    pub by_fallback: u64,
    /// Questions that had no answer in time, or an error for one.
    pub failures: u64,
}

#[derive(Debug, Default)]
struct Counts {
    redis: AtomicU64,
    fallback: AtomicU64,
}

/// A question that is on its way.
pub(crate) struct Asking {
    live: Live,
    link: Arc<Link>,
    counts: Arc<Counts>,
    call: Call,
}

impl RedisStore {
    /// At this address: `redis://[user:password@]host[:port][/database]`. Nothing is connected yet.
    ///
    /// # Errors
    /// When it is no such address, or the operating system has no random bytes.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        // The address may have a password in it, and is not said.
        let client = Client::open(url).map_err(|error| {
            let message = format!("the address of Redis: {error}");
            ConfigError::new(Kind::Redis, message)
        })?;
        let memory = MemoryStore::new()?.with_secret(Secret::of(b""));
        let prefix: Arc<str> = PREFIX.into();
        let link = link(&client, &memory, &prefix, TIMEOUT)?;
        let (fallback, counts) = (Fallback::default(), Arc::default());
        Ok(Self { memory, client, prefix, timeout: TIMEOUT, fallback, link, counts })
    }

    /// How long a decision may take; 30 ms.
    ///
    /// # Errors
    /// When it is nothing.
    pub fn timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        if timeout.is_zero() {
            return Err(ConfigError::new(Kind::Delay, "the timeout must be longer than nothing"));
        }
        self.timeout = timeout;
        self.begin_anew()
    }

    /// What decides while Redis does not; each node, by all of the quota.
    pub const fn fallback(mut self, fallback: Fallback) -> Self {
        self.fallback = fallback;
        self
    }

    /// What keys are hashed with, the same for all nodes: 16 random bytes or more. Without it,
    /// whoever can choose a key can look for two that fall together.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub fn secret(mut self, secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.memory = self.memory.with_secret(Secret::of(secret.as_ref()));
        self.begin_anew()
    }

    /// The mirror, in place of 1 MiB: of so many slots, as
    /// [`MemoryStore::with_capacity`] has them.
    ///
    /// # Errors
    /// As there.
    pub fn mirror_capacity(mut self, slots: usize) -> Result<Self, ConfigError> {
        let secret = self.table().secret().clone();
        self.memory = MemoryStore::with_capacity(slots)?.with_secret(secret);
        self.begin_anew()
    }

    /// Waits until Redis decides. It is for a service's start; requests never wait for it.
    pub async fn connected(&self) {
        self.link.start();
        self.link.becomes(true).await;
    }

    /// Waits until Redis does not decide any more.
    pub async fn disconnected(&self) {
        self.link.becomes(false).await;
    }

    /// How it has decided.
    #[must_use]
    pub fn stats(&self) -> RedisStats {
        RedisStats {
            is_up: self.link.is_up(),
            by_redis: self.counts.redis.load(Relaxed),
            by_fallback: self.counts.fallback.load(Relaxed),
            failures: self.link.failures.load(Relaxed),
        }
    }

    /// The mirror.
    #[must_use]
    pub const fn memory(&self) -> &MemoryStore {
        &self.memory
    }

    /// Nothing was asked yet of one that is being made.
    fn begin_anew(mut self) -> Result<Self, ConfigError> {
        self.link = link(&self.client, &self.memory, &self.prefix, self.timeout)?;
        Ok(self)
    }

    fn asking(&self, of: Of<'_>) -> Option<Asking> {
        self.link.start();
        let live = self.link.live()?;
        let call = Call::new(&self.prefix, Mode::Check, of, 0, 0);
        let (link, counts) = (Arc::clone(&self.link), Arc::clone(&self.counts));
        Some(Asking { live, link, counts, call })
    }

    fn later(&self, mode: Mode, of: Of<'_>, ago: Nanos) {
        let call = Call::new(&self.prefix, mode, of, 0, ago);
        if !call.is_empty() && self.link.is_up() {
            self.link.later(Job::Run(call));
        }
    }

    fn forget(&self, call: Call) {
        if self.link.is_up() {
            self.link.later(Job::Forget(call));
        }
    }

    fn count_fallback(&self) {
        self.counts.fallback.fetch_add(1, Relaxed);
    }
}

impl Asking {
    async fn answer(self) -> Option<Vec<i64>> {
        let answer = self.link.ask(self.live, &self.call).await?;
        self.counts.redis.fetch_add(1, Relaxed);
        Some(answer)
    }
}

/// The probe is a decision like any other, for a key that nobody has.
fn link(
    client: &Client,
    memory: &MemoryStore,
    prefix: &str,
    timeout: Duration,
) -> Result<Arc<Link>, ConfigError> {
    let probe = MemoryStore::with_capacity(0)?;
    let plan = Plan::bind(&probe.table, [Rule::burst()], Key::everyone().rungs())?;
    let mut hasher = memory.table.secret().hasher();
    hasher.write(b"probe");
    let keys = Keys::one(hasher.finish());
    let prefix = format!("{prefix}probe:");
    // Without a question: it must not be refused.
    let call = Call::new(&prefix, Mode::Force, Of::all(&plan, &keys, 1), 0, 0);
    Ok(Link::new(client.clone(), call, timeout))
}

impl<'a> Of<'a> {
    /// All that a request of this cost is asked for.
    const fn all(plan: &'a Plan, keys: &'a Keys, cost: u64) -> Self {
        Self { plan, keys, cost, which: Which::All, charged: u16::MAX }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the address: it may have a password in it.
        f.debug_struct("RedisStore")
            .field("timeout", &self.timeout)
            .field("fallback", &self.fallback)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
