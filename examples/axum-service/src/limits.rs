//! How often each client may come.

use std::time::Duration;

use buttress::{
    Secret,
    config::Url,
    limit::{
        ConfigError, Fallback, Key, LimitHandle, LimitLayer, MemoryStore, RedisStore, Rule,
        SlowDown, Store, minutes, requests,
    },
    settings::Quotas,
};
use tokio::time::timeout;

/// How many of a client's requests `/slow` takes as they come …
const UNHINDERED: u64 = 5;
/// … and how much longer than the one before each further one waits, and at most.
const STEP: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(2);

/// How long the start waits for Redis.
const PATIENCE: Duration = Duration::from_secs(1);

/// The limits, over one store. A clone shares the counts.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Of all routes together, but for the operators'.
    pub(crate) every: LimitLayer,
    /// Of wrong passwords.
    pub(crate) login: LimitLayer,
    pub(crate) search: LimitLayer,
    pub(crate) slow: LimitLayer,
    redis: Option<RedisStore>,
}

impl Limits {
    /// Counted in Redis, where all instances share them, or in this one's memory.
    pub(crate) fn new(quotas: Quotas, redis: Option<&Secret<Url>>) -> Result<Self, ConfigError> {
        let redis = redis.map(|url| RedisStore::new(url.expose().as_str())).transpose()?;
        // While Redis is away, each instance goes by its own copy of the counts. With
        // `share: K`, `K` of them together stay within the quota then, too.
        let redis = redis.map(|redis| redis.fallback(Fallback::Local { share: 1 }));
        let store = match &redis {
            Some(redis) => Store::from(redis.clone()),
            None => Store::from(MemoryStore::new()?),
        };
        // By the client that the context has: the one that the log shows.
        let limit = |rules: &[Rule]| {
            LimitLayer::with_store(store.clone(), Key::client(), rules.iter().cloned())
        };
        let slow = Rule::new("slow", requests(30).per(minutes(5)))?;
        Ok(Self {
            // In one layer: what one of them refuses, the other is not charged for.
            every: limit(&quotas.rules()?)?.headers_of_all_rules(),
            login: limit(&[Rule::auth()])?,
            search: limit(&[Rule::strict()])?,
            slow: limit(&[slow])?.slow_down(SlowDown::new(UNHINDERED, STEP, LONGEST)?),
            redis,
        })
    }

    /// Gives Redis a moment to be there. The service starts without it, too.
    pub(crate) async fn connected(&self) {
        let Some(redis) = &self.redis else { return };
        if timeout(PATIENCE, redis.connected()).await.is_err() {
            tracing::warn!("Redis does not answer: until it does, limits are this instance's own");
        }
    }

    /// For a page of metrics.
    pub(crate) fn sources(&self) -> impl Iterator<Item = LimitHandle> {
        let Self { every, login, search, slow, .. } = self;
        [every, login, search, slow].map(LimitLayer::handle).into_iter()
    }
}
