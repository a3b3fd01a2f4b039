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
    counting::Owed,
    link::Link,
    script::{Call, Mode, Of},
};
use crate::{
    error::{ConfigError, ConfigErrorKind as Kind},
    key::{Key, Keys, Secret},
    memory::MemoryStore,
    plan::Plan,
    rule::{Rule, check_name},
};

mod ask;
mod breaker;
mod counting;
mod denied;
mod forgot;
mod later;
mod layer;
mod lease;
mod limiter;
mod link;
mod outage;
mod script;
mod supervise;
#[cfg(all(test, not(loom)))]
mod tests;

pub(crate) use self::ask::Question;
pub use self::limiter::RedisLimiter;

/// In front of every key.
const PREFIX: &str = "limit:";
/// How long a decision may take.
const TIMEOUT: Duration = Duration::from_millis(30);
/// The most units of a lease.
const MAX_LEASE: u32 = 1_000;

/// Counts in one Redis, for all nodes that use it: they share each limit exactly.
///
/// A decision is one call of a script, whatever the number of rules, and it goes by the server's
/// clock. A key that Redis has refused is refused without asking again, until its time has come; a
/// [lease](Self::lease) spares more calls. A call takes no longer than the
/// [timeout](Self::timeout), 30 ms: then, or where Redis is down, refuses to write or is out of
/// memory, the [fall-back](Fallback) decides. After five failures in a row, or where half of at
/// least twenty in a second failed, or with a lost connection, no request waits for Redis at all,
/// until a task in the background has made a charge over a new connection. It tries again after
/// 50 ms, and later every half second, with jitter; then the keys come back over a quarter of a
/// second.
///
/// What Redis counts is mirrored in a table in memory, by which an outage begins where Redis has
/// left off. What an outage charged (to 16,384 counts) is told to Redis when it is back, and also
/// what a key owed before, if Redis has lost its counts. Refunds and later charges are sent in the
/// background; up to 1,024 wait for it.
///
/// Keys begin with the [prefix](Self::prefix), expire when they say nothing any more, and those of
/// one request share a hash tag. The hash has no secret but what [`secret`](Self::secret) gives it,
/// since all nodes must find the same. It needs Redis 5 or later.
///
/// The first request connects, and is decided by the fall-back; await [`connected`](Self::connected)
/// when the service starts. Set it up before its first use: what changes how it connects begins
/// anew, apart from clones that were made before.
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
    lease: u32,
    fallback: Fallback,
    link: Arc<Link>,
    counts: Arc<Counts>,
}

/// What decides while Redis does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fallback {
    /// Each node by its own mirror. With a share of 1, the default, by the whole quota; of `K`, by
    /// a `K`th of what is left of each rule and of what comes back, and one request at least: what
    /// `K` nodes admit together is then no more than the quota, or `K` where the quota is less.
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
    /// Decisions by units that were taken from Redis before.
    pub by_lease: u64,
    /// Refusals by what Redis had said before.
    pub by_deny_cache: u64,
    /// Decisions by the fall-back.
    pub by_fallback: u64,
    /// Questions that had no answer in time, or an error for one.
    pub failures: u64,
    /// Refunds and later charges that were lost, as too many waited to be sent.
    pub lost: u64,
}

#[derive(Debug, Default)]
struct Counts {
    redis: AtomicU64,
    lease: AtomicU64,
    denied: AtomicU64,
    fallback: AtomicU64,
}

impl RedisStore {
    /// At this address: `redis://[user:password@]host[:port][/database]`, or
    /// `redis+unix:///path`. Nothing is connected yet.
    ///
    /// # Errors
    /// When it is no such address, or the operating system has no random bytes. `rediss://` is
    /// refused: the connection is not encrypted, so that beyond a network of one's own it is to go
    /// through a tunnel.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        if url.starts_with("rediss:") || url.starts_with("valkeys:") {
            let message = "the address of Redis: no TLS here: \
                           use redis:// to a tunnel on this node (stunnel, a service mesh)";
            return Err(ConfigError::new(Kind::Redis, message));
        }
        // The address may have a password in it, and is not said.
        let client = Client::open(url).map_err(|_| {
            let message = "the address of Redis: it must be redis://[user:password@]host[:port]\
                           [/database] or redis+unix:///path";
            ConfigError::new(Kind::Redis, message)
        })?;
        let memory = MemoryStore::new()?.with_secret(Secret::of(b""));
        let prefix: Arc<str> = PREFIX.into();
        let link = link(&client, &memory, &prefix, (TIMEOUT, 1))?;
        let (fallback, counts) = (Fallback::default(), Arc::default());
        Ok(Self { memory, client, prefix, timeout: TIMEOUT, lease: 1, fallback, link, counts })
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

    /// Takes so many requests' charges (2 to 1,000; 1 is the default, and none) from Redis at once
    /// for a key, where there is room for them, and admits the next ones without asking: one round
    /// trip for so many requests.
    ///
    /// What a node has not used after a second it gives back, and at once what it took for one who
    /// has left; with a node that ends, it is lost, and comes back with time. Until then others cannot have it: a client may be refused up to
    /// `K × (requests - 1)` too early where it comes to `K` nodes, and as many may be admitted up to
    /// a second after they were charged. All rules are charged for them together or not at all.
    ///
    /// # Errors
    /// When it is none, or more than 1,000.
    pub fn lease(mut self, requests: u32) -> Result<Self, ConfigError> {
        if !(1..=MAX_LEASE).contains(&requests) {
            let message = format!("a lease of {requests}: it must be of 1 to {MAX_LEASE}");
            return Err(ConfigError::new(Kind::Requests, message));
        }
        self.lease = requests;
        self.begin_anew()
    }

    /// What every key in Redis begins with, in place of `limit:`; another for each service whose
    /// rules of the same names are not to share their counts.
    ///
    /// # Errors
    /// When it is not 1 to 64 ASCII letters, digits and `_` `-` `.` `:` `/`.
    pub fn prefix(mut self, prefix: &str) -> Result<Self, ConfigError> {
        check_name(prefix).map_err(|error| error.about("the prefix"))?;
        self.prefix = prefix.into();
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
        let secret = self.memory.table.secret().clone();
        self.memory = MemoryStore::with_capacity(slots)?.with_secret(secret);
        self.begin_anew()
    }

    /// Waits until Redis decides, for every key. It is for a service's start; requests never wait for it.
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
            by_lease: self.counts.lease.load(Relaxed),
            by_deny_cache: self.counts.denied.load(Relaxed),
            by_fallback: self.counts.fallback.load(Relaxed),
            failures: self.link.failures.load(Relaxed),
            lost: self.link.lost.load(Relaxed),
        }
    }

    /// The mirror.
    #[must_use]
    pub const fn memory(&self) -> &MemoryStore {
        &self.memory
    }

    fn begin_anew(mut self) -> Result<Self, ConfigError> {
        let settings = (self.timeout, self.lease);
        self.link = link(&self.client, &self.memory, &self.prefix, settings)?;
        Ok(self)
    }
}

impl Counts {
    fn redis(&self) {
        self.redis.fetch_add(1, Relaxed);
    }

    fn lease(&self) {
        self.lease.fetch_add(1, Relaxed);
    }

    fn denied(&self) {
        self.denied.fetch_add(1, Relaxed);
    }

    fn fallback(&self) {
        self.fallback.fetch_add(1, Relaxed);
    }
}

/// The probe is a charge like any other, for a key that nobody has.
fn link(
    client: &Client,
    memory: &MemoryStore,
    prefix: &str,
    (timeout, lease): (Duration, u32),
) -> Result<Arc<Link>, ConfigError> {
    let probe = MemoryStore::with_capacity(0)?;
    let plan = Plan::bind(&probe.table, [Rule::burst()], Key::everyone().rungs())?;
    let mut hasher = memory.table.secret().hasher();
    hasher.write(b"probe");
    let keys = Keys::one(hasher.finish());
    // Without a question: it must not be refused.
    let of = Of::all(&plan, &keys, 1);
    let call = Call::new(&format!("{prefix}probe:"), Mode::Force, of, |_| Owed::default());
    let probe = (call, format!("{prefix}born"));
    Ok(Link::new(client.clone(), probe, memory.clone(), (timeout, lease)))
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
