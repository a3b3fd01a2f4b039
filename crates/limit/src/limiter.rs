//! The rules without HTTP: for messages of a socket, jobs, or whatever else comes too often.

use std::{sync::Arc, time::Duration};

use crate::{
    decision::Decision,
    error::ConfigError,
    key::{Key, Keys},
    memory::{MemoryStore, nanos},
    plan::{Plan, Which, with_claims},
    rule::Rule,
};

/// Rules over a store, for keys that are text or bytes. A clone shares all of it.
///
/// The rules are asked together: all of them admit a charge, or none is charged. Methods that end
/// in `_at` take the time: as the store counts it ([`MemoryStore::now`]), never back.
///
/// ```
/// use buttress_limit::{Limiter, MemoryStore, Rule, requests, seconds};
///
/// let messages = Rule::new("messages", requests(3).per(seconds(1)))?;
/// let limiter = Limiter::new(MemoryStore::new()?, [messages])?;
/// for _ in 0..3 {
///     assert!(!limiter.check_at("ada", 1, seconds(5)).is_limited());
/// }
/// let decision = limiter.check_at("ada", 1, seconds(5));
/// assert!(decision.is_limited());
/// assert_eq!(decision.retry_after().unwrap().as_millis(), 333);
/// # Ok::<(), buttress_limit::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Limiter {
    store: MemoryStore,
    plan: Arc<Plan>,
}

impl Limiter {
    /// Keeps the counts of these rules in this store.
    ///
    /// # Errors
    /// When there is no rule or one twice, or the store counts for as many as it can.
    pub fn new(
        store: MemoryStore,
        rules: impl IntoIterator<Item = Rule>,
    ) -> Result<Self, ConfigError> {
        let plan = Plan::bind(&store.table, rules, Key::everyone().rungs())?;
        Ok(Self { store, plan: Arc::new(plan) })
    }

    /// Charges the key one unit for each rule, now.
    pub fn check(&self, key: impl AsRef<[u8]>) -> Decision<'_> {
        let (table, keys) = (&self.store.table, self.keys(key.as_ref()));
        let now = table.now();
        if let Some(admitted) = self.plan.admit_known(table, &keys, 1, now) {
            return admitted;
        }
        with_claims!(self.plan, |N| {
            let mut claims = self.plan.claims::<N>(&keys, 1);
            let (now, _) = claims.decide(table, now, || table.now());
            claims.decision(now)
        })
    }

    /// Charges the key so many units (0 is to look only), at this time.
    pub fn check_at(&self, key: impl AsRef<[u8]>, cost: u64, now: Duration) -> Decision<'_> {
        let (table, keys) = (&self.store.table, self.keys(key.as_ref()));
        let now = nanos(now);
        if let Some(admitted) = self.plan.admit_known(table, &keys, cost, now) {
            return admitted;
        }
        with_claims!(self.plan, |N| {
            let mut claims = self.plan.claims::<N>(&keys, cost);
            claims.decide(table, now, || now);
            claims.decision(now)
        })
    }

    /// Where the key stands with each rule; nothing is charged.
    pub fn peek_at(&self, key: impl AsRef<[u8]>, now: Duration) -> Vec<Decision<'_>> {
        let (now, keys) = (nanos(now), self.keys(key.as_ref()));
        with_claims!(self.plan, |N| {
            let mut claims = self.plan.claims::<N>(&keys, 1);
            claims.peek(&self.store.table, now);
            claims.decisions(now)
        })
    }

    /// Charges for what is done already, and never refuses. A debt ends at sixteen bursts, that of
    /// a window at its quota.
    pub fn charge_at(&self, key: impl AsRef<[u8]>, cost: u64, now: Duration) {
        let (now, keys) = (nanos(now), self.keys(key.as_ref()));
        with_claims!(self.plan, |N| {
            self.plan.claims::<N>(&keys, cost).force(&self.store.table, now);
        });
    }

    /// Gives back what was charged at the time `then`; never more than is owed.
    pub fn refund_at(&self, key: impl AsRef<[u8]>, cost: u64, then: Duration, now: Duration) {
        let (then, now, keys) = (nanos(then), nanos(now), self.keys(key.as_ref()));
        with_claims!(self.plan, |N| {
            let claims = self.plan.claims::<N>(&keys, cost);
            claims.refund(&self.store.table, then, now, (Which::All, u16::MAX));
        });
    }

    /// Forgets what the key was charged.
    pub fn reset(&self, key: impl AsRef<[u8]>) {
        let keys = self.keys(key.as_ref());
        with_claims!(self.plan, |N| self.plan.claims::<N>(&keys, 1).reset(&self.store.table));
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &MemoryStore {
        &self.store
    }

    #[inline]
    fn keys(&self, key: &[u8]) -> Keys {
        let mut hasher = self.store.table.secret().hasher();
        hasher.write(key);
        Keys::one(hasher.finish())
    }
}
