//! What a layer, its services and its handles share, and the decision itself.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use buttress_core::reject::{Reject, Rejection};
use http::{Extensions, HeaderMap, Request, StatusCode};

#[cfg(feature = "redis")]
use crate::redis::Question;
use crate::{
    charge::Charge,
    future::Later,
    headers::Headers,
    key::{Found, Key, Keys, Missing, RequestHead},
    meter::Nanos,
    plan::{Claims, Plan, Standing, Which, with_claims},
    slow::{Slow, Wait},
    store::Store,
};

pub(crate) use self::{
    access::Access,
    counts::Counts,
    pass::{Pass, Receipt},
    refusal::Refusal,
};

mod access;
mod counts;
mod pass;
pub(crate) mod refusal;

/// In a rejection and on metrics.
pub(crate) const LAYER: &str = "limit";

pub(crate) type Ask<T> = Arc<dyn Fn(&RequestHead<'_>) -> T + Send + Sync>;
/// A limiter of someone else's, asked by the key's hash: how long to wait.
pub(crate) type Foreign = Arc<dyn Fn(u128) -> Result<(), Duration> + Send + Sync>;
type IsFailure = Arc<dyn Fn(StatusCode, &HeaderMap) -> bool + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) name: Option<&'static str>,
    pub(crate) store: Store,
    pub(crate) key: Key,
    /// The first is of those who have no tier.
    pub(crate) plans: Vec<(&'static str, Plan)>,
    pub(crate) tier: Option<Ask<Option<&'static str>>>,
    pub(crate) cost: Option<Ask<u64>>,
    pub(crate) allowed: Vec<Access>,
    pub(crate) denied: Vec<Access>,
    pub(crate) failure: Option<IsFailure>,
    pub(crate) headers: Headers,
    pub(crate) responder: Option<Arc<dyn Reject + Send + Sync>>,
    pub(crate) charge_later: bool,
    /// With its name. It cannot give back, so it is asked last.
    pub(crate) foreign: Option<(&'static str, Foreign)>,
    pub(crate) slow: Slow,
    /// Nothing is to be done with an answer but to add the headers; see [`settle`](Self::settle).
    pub(crate) is_plain: bool,
    pub(crate) counts: Arc<Counts>,
}

/// What the rules said that admit a request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Asked {
    pub(crate) charged: u16,
    pub(crate) at: Nanos,
    standing: Option<Standing>,
    used: u64,
}

/// What is decided of a request.
pub(crate) type Verdict = Result<Pass, Box<Refusal>>;

/// The verdict, now or later.
pub(crate) enum Decided {
    Now(Pass),
    Refused(Refusal),
    Later(Later),
}

impl Shared {
    /// Decides, and charges.
    #[inline]
    pub(crate) fn decide<B>(self: &Arc<Self>, request: &mut Request<B>) -> Decided {
        if self.denied.iter().any(|access| access.has(request)) {
            self.counts.denied.fetch_add(1, Relaxed);
            return Decided::Refused(refusal::forbidden("denied"));
        }
        if self.allowed.iter().any(|access| access.has(request)) {
            self.counts.allowed.fetch_add(1, Relaxed);
            return Decided::Now(Pass::Nothing);
        }
        let table = self.store.table();
        let keys = match self.key.find(request, table.secret()) {
            Found::Keys(keys) => keys,
            Found::Missing(Missing::Allow) => {
                self.counts.missing.fetch_add(1, Relaxed);
                return Decided::Now(Pass::Nothing);
            }
            Found::Missing(_) => {
                self.counts.missing.fetch_add(1, Relaxed);
                return Decided::Refused(refusal::forbidden("missing_key"));
            }
        };
        let index = self.plan_of(request);
        let Some((_, plan)) = self.plans.get(index) else { return Decided::Now(Pass::Nothing) };
        let cost = self.cost.as_ref().map_or(1, |cost| cost(&RequestHead::of(request)));
        #[cfg(feature = "redis")]
        if let Some(redis) = self.store.remote() {
            let later = self.charge_later.then(|| request.extensions_mut());
            return redis.decide(self, index, keys, cost, later);
        }
        let now = table.now();
        let asked = match self.ask_known((index, plan), &keys, cost, now) {
            Some(asked) => asked,
            None => with_claims!(plan, |N| self.ask::<N>(index, &keys, cost, now)),
        };
        match asked {
            Ok(asked) => {
                let later = self.charge_later.then(|| request.extensions_mut());
                self.conclude(index, &keys, cost, asked, later)
            }
            Err(refusal) => Decided::Refused(refusal),
        }
    }

    /// What becomes of a request that the rules admit. Where its extensions are at hand, they get
    /// the charge.
    #[inline]
    pub(crate) fn conclude(
        self: &Arc<Self>,
        index: usize,
        keys: &Keys,
        cost: u64,
        asked: Asked,
        extensions: Option<&mut Extensions>,
    ) -> Decided {
        let Some((_, plan)) = self.plans.get(index) else { return Decided::Now(Pass::Nothing) };
        let Asked { charged, at, standing, used } = asked;
        if self.is_plain && !plan.has_failures_only {
            self.counts.admit(keys);
            return Decided::Now(match standing {
                Some(_) => Pass::Headers { shared: Arc::clone(self), plan: index, standing },
                None => Pass::Nothing,
            });
        }
        let receipt = Receipt { keys: *keys, plan: index, cost, at, charged };
        if let Some((name, wait)) = self.ask_foreign(keys) {
            self.refund(&receipt, Which::All);
            self.counts.foreign_refused.fetch_add(1, Relaxed);
            let no = refusal::exceeded([name]).with_retry_after(wait);
            return Decided::Refused(no.into());
        }
        let is_later = self.charge_later && extensions.is_none();
        if let Some(extensions) = extensions {
            extensions.insert(Charge::new(Arc::clone(self), receipt));
        }
        let shared = Arc::clone(self);
        let pass = if plan.has_failures_only || self.headers.all || is_later {
            Pass::Charged { shared, receipt, standing }
        } else {
            Pass::Headers { shared, plan: index, standing }
        };
        let decided = match self.slow.wait(used, pass) {
            Wait::No(pass) => Decided::Now(pass),
            Wait::Yes(later) => Decided::Later(later),
            Wait::Full(delay) => {
                self.counts.too_many_waiting.fetch_add(1, Relaxed);
                self.refund(&receipt, Which::All);
                let no = Rejection::new(LAYER, "too_many_waiting", StatusCode::TOO_MANY_REQUESTS);
                return Decided::Refused(no.with_retry_after(delay).into());
            }
        };
        self.counts.admit(keys);
        decided
    }

    /// What metrics call it.
    pub(crate) fn name(&self) -> &str {
        let first = || self.plans.first().and_then(|(_, plan)| plan.rules.first());
        self.name.or_else(|| first().map(|bound| bound.rule.name())).unwrap_or_default()
    }

    /// When a setting has changed: what can be told of them all, once.
    pub(crate) fn settle(&mut self) {
        self.is_plain =
            self.foreign.is_none() && !self.charge_later && !self.headers.all && !self.slow.is_on();
    }

    /// Asks the rules.
    #[inline(never)]
    pub(crate) fn ask<const N: usize>(
        &self,
        index: usize,
        keys: &Keys,
        cost: u64,
        now: Nanos,
    ) -> Result<Asked, Refusal> {
        let Some((_, plan)) = self.plans.get(index) else { return Ok(Asked::default()) };
        let table = self.store.table();
        let mut claims = plan.claims::<N>(keys, cost);
        let (at, all) = claims.decide(table, now, || table.now());
        self.told(index, &claims, at, all)
    }

    /// What the rules have said.
    #[inline]
    pub(crate) fn told<const N: usize>(
        &self,
        index: usize,
        claims: &Claims<'_, N>,
        at: Nanos,
        all: bool,
    ) -> Result<Asked, Refusal> {
        if !all {
            claims.count_refusals();
            if claims.is_refused() {
                return Err(self.refusal(index, claims, at));
            }
        }
        Ok(Asked {
            charged: claims.charged(),
            at,
            standing: if self.headers.any() { claims.tightest(at) } else { None },
            used: if self.slow.is_on() { claims.used(at) } else { 0 },
        })
    }

    /// Asks the one rule there is about a key that it knows: what most requests come to.
    #[inline]
    fn ask_known(
        &self,
        (index, plan): (usize, &Plan),
        keys: &Keys,
        cost: u64,
        at: Nanos,
    ) -> Option<Result<Asked, Refusal>> {
        match plan.charge_known(self.store.table(), keys, cost, at)? {
            Ok(known) => Some(Ok(Asked {
                charged: 1,
                at,
                standing: self.headers.any().then(|| known.standing(at)),
                used: if self.slow.is_on() { known.used(at) } else { 0 },
            })),
            Err(known) => self.refuse_known((index, plan), known, at).map(Err),
        }
    }

    /// The rules for this request, by their place.
    #[inline]
    pub(crate) fn plan_of<B>(&self, request: &Request<B>) -> usize {
        let Some(tier) = &self.tier else { return 0 };
        let Some(tier) = tier(&RequestHead::of(request)) else { return 0 };
        self.plans.iter().position(|(name, _)| *name == tier).unwrap_or(0)
    }

    #[inline]
    fn ask_foreign(&self, keys: &Keys) -> Option<(&'static str, Duration)> {
        let (name, limiter) = self.foreign.as_ref()?;
        limiter(keys.first().whole()).err().map(|wait| (*name, wait))
    }

    /// Charges for what is done already; answers when.
    pub(crate) fn force(&self, receipt: &Receipt, cost: u64) -> Nanos {
        let Some((_, plan)) = self.plans.get(receipt.plan) else { return receipt.at };
        #[cfg(feature = "redis")]
        if let Some(redis) = self.store.remote() {
            return redis.force(Question { plan, keys: receipt.keys, cost });
        }
        let table = self.store.table();
        let now = table.now();
        with_claims!(plan, |N| plan.claims::<N>(&receipt.keys, cost).force(table, now));
        now
    }

    pub(crate) fn refund(&self, receipt: &Receipt, which: Which) {
        let Some((_, plan)) = self.plans.get(receipt.plan) else { return };
        #[cfg(feature = "redis")]
        if let Some(redis) = self.store.remote() {
            return redis.refund(plan, receipt, which);
        }
        let table = self.store.table();
        let (then, now) = (receipt.at, table.now());
        with_claims!(plan, |N| {
            let claims = plan.claims::<N>(&receipt.keys, receipt.cost);
            claims.refund(table, then, now, (which, receipt.charged));
        });
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("key", &self.key)
            .field("plans", &self.plans)
            .field("headers", &self.headers)
            .field("slow", &self.slow)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
