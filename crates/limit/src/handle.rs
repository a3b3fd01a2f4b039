//! Reading and steering a layer that has gone into a service.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use buttress_core::source::{Metrics, Sample};
use http::Request;

#[cfg(feature = "redis")]
use crate::decision::Source;
use crate::{
    decision::Decision,
    key::{Found, Keys},
    memory::MemoryStore,
    plan::{Bound, Plan, with_claims},
    shared::Shared,
};

/// Reads and steers a [`LimitLayer`](crate::LimitLayer): where a client stands, what was refused,
/// the numbers for a metrics page.
///
/// ```
/// use buttress_limit::{Key, LimitLayer, Rule};
/// use http::Request;
///
/// let handle = LimitLayer::new(Key::everyone(), [Rule::general()])?.handle();
/// let request = Request::new(());
/// assert_eq!(handle.peek(&request)[0].remaining(), 100);
/// handle.reset(&request);
/// assert_eq!(handle.stats().admitted, 0);
/// # Ok::<(), buttress_limit::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LimitHandle {
    shared: Arc<Shared>,
}

/// How a layer has decided since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitStats {
    /// Requests that all rules admitted, those that count nothing aside.
    pub admitted: u64,
    /// Refusals, by each rule that refused.
    pub refused: u64,
    /// What rules in the shadow would have refused.
    pub shadow_refused: u64,
    /// Charges given back to requests that did not fail.
    pub refunded: u64,
    /// Requests that a list let pass.
    pub allowed: u64,
    /// Requests that a list refused.
    pub denied: u64,
    /// Requests that did not have what the key is made of.
    pub missing_key: u64,
    /// Refusals because too many were waiting.
    pub too_many_waiting: u64,
    /// Requests that are waiting now.
    pub waiting: usize,
    /// Who has decided, for a store in Redis: of all layers over it together.
    #[cfg(feature = "redis")]
    pub redis: Option<crate::RedisStats>,
}

impl LimitHandle {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Where the client of such a request stands with each rule; nothing is charged. Empty where
    /// the request does not have what the key is made of. Over Redis it is what this node knows.
    #[must_use]
    pub fn peek<B>(&self, request: &Request<B>) -> Vec<Decision<'_>> {
        let Some((plan, keys)) = self.find(request) else { return Vec::new() };
        let table = self.shared.store.table();
        let now = table.now();
        with_claims!(plan, |N| {
            let mut claims = plan.claims::<N>(&keys, 1);
            claims.peek(table, now);
            claims.decisions(now)
        })
    }

    /// Forgets what the client of such a request was charged. False where the request does not
    /// have what the key is made of.
    pub fn reset<B>(&self, request: &Request<B>) -> bool {
        let Some((plan, keys)) = self.find(request) else { return false };
        #[cfg(feature = "redis")]
        if let Some(redis) = self.shared.store.remote() {
            redis.reset(plan, &keys);
            return true;
        }
        with_claims!(plan, |N| plan.claims::<N>(&keys, 1).reset(self.shared.store.table()));
        true
    }

    /// How it has decided.
    #[must_use]
    pub fn stats(&self) -> LimitStats {
        let counts = &self.shared.counts;
        let rules = || self.rules().map(|(_, bound)| &*bound.counts);
        LimitStats {
            admitted: counts.admitted(),
            refused: counts.foreign_refused.load(Relaxed)
                + rules().map(|rule| rule.refused.load(Relaxed)).sum::<u64>(),
            shadow_refused: rules().map(|rule| rule.shadow_refused.load(Relaxed)).sum(),
            refunded: rules().map(|rule| rule.refunded.load(Relaxed)).sum(),
            allowed: counts.allowed.load(Relaxed),
            denied: counts.denied.load(Relaxed),
            missing_key: counts.missing.load(Relaxed),
            too_many_waiting: counts.too_many_waiting.load(Relaxed),
            waiting: self.shared.slow.waiting(),
            #[cfg(feature = "redis")]
            redis: self.shared.store.remote().map(crate::RedisStore::stats),
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &MemoryStore {
        self.shared.store.memory()
    }

    fn find<B>(&self, request: &Request<B>) -> Option<(&Plan, Keys)> {
        let (_, plan) = self.shared.plans.get(self.shared.plan_of(request))?;
        match self.shared.key.find(request, self.shared.store.table().secret()) {
            Found::Keys(keys) => Some((plan, keys)),
            Found::Missing(_) => None,
        }
    }

    fn rules(&self) -> impl Iterator<Item = (&'static str, &Bound)> {
        let plans = self.shared.plans.iter();
        plans.flat_map(|(tier, plan)| plan.rules.iter().map(move |bound| (*tier, bound)))
    }
}

impl Metrics for LimitHandle {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        let stats = self.stats();
        let limit = ("limit", self.shared.name());
        let mut requests = |outcome, count: u64| {
            let help = "Requests that a limit decided on, but for those that a rule refused.";
            let sample = Sample::counter("limit_requests_total", help, float(count));
            each(sample.labels(&[limit, ("outcome", outcome)]));
        };
        requests("admitted", stats.admitted);
        requests("allowed", stats.allowed);
        requests("denied", stats.denied);
        requests("missing_key", stats.missing_key);
        requests("too_many_waiting", stats.too_many_waiting);
        let mut refusals = |rule, tier, shadow: bool, count: u64| {
            let help = "Requests that a rule refused, or would have refused in the shadow.";
            let shadow = ("shadow", if shadow { "true" } else { "false" });
            let sample = Sample::counter("limit_refusals_total", help, float(count));
            each(sample.labels(&[limit, ("rule", rule), ("tier", tier), shadow]));
        };
        for (tier, Bound { rule, counts, .. }) in self.rules() {
            let count = counts.refused.load(Relaxed) + counts.shadow_refused.load(Relaxed);
            refusals(rule.name(), tier, rule.shadow, count);
        }
        if let Some((name, _)) = &self.shared.foreign {
            refusals(name, "", false, self.shared.counts.foreign_refused.load(Relaxed));
        }
        for (tier, bound) in self.rules().filter(|(_, bound)| bound.rule.failures_only) {
            let help = "Charges that were given back to requests that did not fail.";
            let count = bound.counts.refunded.load(Relaxed);
            let labels = [limit, ("rule", bound.rule.name()), ("tier", tier)];
            each(Sample::counter("limit_refunds_total", help, float(count)).labels(&labels));
        }
        let store = self.shared.store.memory();
        let help = "How often a new key found no slot in the store.";
        each(Sample::counter("limit_store_full_total", help, float(store.times_full())));
        let help = "The slots of the store.";
        each(Sample::gauge("limit_store_slots", help, float(store.capacity() as u64)));
        #[cfg(feature = "redis")]
        if let Some(redis) = self.shared.store.remote() {
            let stats = redis.stats();
            let help = "Decisions by where they were taken.";
            for (source, count) in [
                (Source::Redis, stats.by_redis),
                (Source::Lease, stats.by_lease),
                (Source::DenyCache, stats.by_deny_cache),
                (Source::Fallback, stats.by_fallback),
            ] {
                let sample = Sample::counter("limit_store_decisions_total", help, float(count));
                each(sample.labels(&[("source", source.as_str())]));
            }
            let help = "Questions that Redis did not answer in time, or with an error.";
            let failures = float(stats.failures);
            each(Sample::counter("limit_store_failures_total", help, failures));
            let help = "Refunds and later charges that were lost, as too many waited to be sent.";
            each(Sample::counter("limit_store_lost_total", help, float(stats.lost)));
            let help = "Whether Redis decides: 1, or the fall-back: 0.";
            each(Sample::gauge("limit_store_up", help, if stats.is_up { 1.0 } else { 0.0 }));
        }
        if self.shared.slow.is_on() {
            let help = "Requests that are slowed down now.";
            let sample = Sample::gauge("limit_waiting_requests", help, float(stats.waiting as u64));
            each(sample.labels(&[limit]));
        }
    }
}

/// Exact to 2⁵³.
fn float(count: u64) -> f64 {
    count as f64
}
