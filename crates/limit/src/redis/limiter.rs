//! The rules without HTTP, over Redis.

use std::{sync::Arc, time::Duration};

use super::{
    RedisStore,
    ask::{BY_REDIS, Begin, Hear, Question, Ruling},
    layer::CLOSED,
};
use crate::{
    decision::{Decision, Source},
    error::ConfigError,
    key::{Key, Keys},
    memory::nanos,
    meter::Nanos,
    plan::{Claims, Plan, Which, with_claims},
    rule::Rule,
    shared::Receipt,
};

/// Rules over a [`RedisStore`], for keys that are text or bytes: as [`Limiter`](crate::Limiter) is
/// over a store in memory. A clone shares all of it.
///
/// The rules are asked together: all of them admit a charge, or none is charged.
///
/// ```no_run
/// use buttress_limit::{RedisLimiter, RedisStore, Rule, requests, seconds};
///
/// # async fn run() -> Result<(), buttress_limit::ConfigError> {
/// let messages = Rule::new("messages", requests(3).per(seconds(1)))?;
/// let limiter = RedisLimiter::new(RedisStore::new("redis://127.0.0.1/")?, [messages])?;
/// let decision = limiter.check("ada").await;
/// if decision.is_limited() {
///     println!("{:?}, says {}", decision.retry_after(), decision.source().as_str());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RedisLimiter {
    store: RedisStore,
    plan: Arc<Plan>,
}

/// The decision itself.
struct Plainly;

impl<'a> Hear<'a> for Plainly {
    type Heard = Decision<'a>;

    fn hear<const N: usize>(&self, claims: &Claims<'a, N>, now: Nanos, _: bool) -> Decision<'a> {
        claims.decision(now)
    }
}

impl RedisLimiter {
    /// Keeps the counts of these rules in this store.
    ///
    /// # Errors
    /// When there is no rule or one twice, or the store counts for as many as it can.
    pub fn new(
        store: RedisStore,
        rules: impl IntoIterator<Item = Rule>,
    ) -> Result<Self, ConfigError> {
        let plan = Plan::bind(store.table(), rules, Key::everyone().rungs())?;
        Ok(Self { store, plan: Arc::new(plan) })
    }

    /// Charges the key one unit for each rule. It waits for Redis, and no longer than the store's
    /// timeout.
    pub async fn check(&self, key: impl AsRef<[u8]>) -> Decision<'_> {
        self.check_cost(key, 1).await
    }

    /// Charges the key so many units; 0 is to look only.
    pub async fn check_cost(&self, key: impl AsRef<[u8]>, cost: u64) -> Decision<'_> {
        let question = Question { plan: &self.plan, keys: self.keys(key.as_ref()), cost };
        let ruling = match self.store.begin(question, &Plainly) {
            Begin::Ruled(ruling) => ruling,
            Begin::Ask(asking) => self.store.ask(question, *asking, &Plainly).await,
        };
        let closed = Decision { limited: true, retry_after: Some(CLOSED), ..Decision::UNLIMITED };
        match ruling {
            Ruling::Heard(decision, by) => Decision { source: by.source, ..decision },
            Ruling::Open => Decision { source: Source::Fallback, ..Decision::UNLIMITED },
            Ruling::Closed => {
                Decision { source: Source::Fallback, limit: 0, remaining: 0, ..closed }
            }
        }
    }

    /// Where the key stands with each rule, as this node knows it; nothing is charged or asked.
    pub fn peek(&self, key: impl AsRef<[u8]>) -> Vec<Decision<'_>> {
        let (table, keys) = (self.store.table(), self.keys(key.as_ref()));
        let now = table.now();
        with_claims!(self.plan, |N| {
            let mut claims = self.plan.claims::<N>(&keys, 1);
            claims.peek(table, now);
            claims.decisions(now)
        })
    }

    /// Charges for what is done already, and never refuses; in the background. A debt ends at
    /// sixteen bursts, that of a window at its quota.
    pub fn charge(&self, key: impl AsRef<[u8]>, cost: u64) {
        self.store.force(Question { plan: &self.plan, keys: self.keys(key.as_ref()), cost });
    }

    /// Gives back what was charged so long ago, in the background; never more than is owed, nor
    /// what has come back by itself.
    pub fn refund(&self, key: impl AsRef<[u8]>, cost: u64, ago: Duration) {
        let keys = self.keys(key.as_ref());
        let at = self.store.table().now().saturating_sub(nanos(ago));
        let charged = u16::MAX >> 2 | BY_REDIS;
        let receipt = Receipt { keys, plan: 0, cost, at, charged };
        self.store.refund(&self.plan, &receipt, Which::All);
    }

    /// Forgets what the key was charged: here at once, in Redis in the background.
    pub fn reset(&self, key: impl AsRef<[u8]>) {
        self.store.reset(&self.plan, &self.keys(key.as_ref()));
    }

    /// The store.
    pub const fn store(&self) -> &RedisStore {
        &self.store
    }

    fn keys(&self, key: &[u8]) -> Keys {
        let mut hasher = self.store.table().secret().hasher();
        hasher.write(key);
        Keys::one(hasher.finish())
    }
}
