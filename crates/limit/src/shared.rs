//! What a layer, its services and its handles share, and the decision itself.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use buttress_core::{
    body::ResponseBody,
    client_ip::{Cidr, ClientIp},
    reject::{DefaultResponder, Protocol, Reject, Rejection},
    value::Value,
};
use http::{HeaderMap, Request, Response, StatusCode};

use crate::{
    charge::Charge,
    future::Later,
    headers::Headers,
    key::{Found, Key, Keys, Missing, RequestHead},
    meter::Nanos,
    plan::{Claims, Plan, Standing, Which},
    slow::{Slow, Wait},
    store::Store,
};

/// draft-ietf-httpapi-ratelimit-headers-11 §4, in IANA's registry of RFC 9457.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
/// In a rejection and on metrics.
pub(crate) const LAYER: &str = "limit";
/// Counters of admissions, so that threads do not wait for one another's cache line.
const SHARDS: usize = 8;

type Ask<T> = Arc<dyn Fn(&RequestHead<'_>) -> T + Send + Sync>;
/// A limiter of someone else's, asked by the key's hash: how long to wait.
pub(crate) type Foreign = Arc<dyn Fn(u128) -> Result<(), Duration> + Send + Sync>;
type IsFailure = Arc<dyn Fn(StatusCode, &HeaderMap) -> bool + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Shared {
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
    pub(crate) counts: Arc<Counts>,
}

/// Who is on a list.
#[derive(Clone)]
pub(crate) enum Access {
    Networks(ClientIp, Arc<[Cidr]>),
    If(Ask<bool>),
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    admitted: [Padded; SHARDS],
    pub(crate) allowed: AtomicU64,
    pub(crate) denied: AtomicU64,
    pub(crate) missing: AtomicU64,
    pub(crate) too_many_waiting: AtomicU64,
    pub(crate) foreign_refused: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Padded(AtomicU64);

/// A request that goes in, and what is to be done with its answer.
#[derive(Debug, Default)]
pub(crate) struct Pass {
    /// `None` where there is nothing to do.
    shared: Option<Arc<Shared>>,
    plan: usize,
    standing: Option<Standing>,
    receipt: Option<Receipt>,
}

/// What a request was charged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    pub(crate) keys: Keys,
    pub(crate) plan: usize,
    pub(crate) cost: u64,
    pub(crate) at: Nanos,
    pub(crate) charged: u16,
}

/// What is decided of a request.
pub(crate) type Verdict = Result<Pass, Box<Rejection>>;

/// The verdict, now or later.
pub(crate) enum Decided {
    Now(Pass),
    Refused(Rejection),
    Later(Later),
}

impl Shared {
    /// Decides, and charges.
    #[inline]
    pub(crate) fn decide<B>(self: &Arc<Self>, request: &mut Request<B>) -> Decided {
        if self.denied.iter().any(|access| access.has(request)) {
            self.counts.denied.fetch_add(1, Relaxed);
            return Decided::Refused(Self::forbidden("denied"));
        }
        if self.allowed.iter().any(|access| access.has(request)) {
            self.counts.allowed.fetch_add(1, Relaxed);
            return Decided::Now(Pass::default());
        }
        let table = self.store.table();
        let keys = match self.key.find(request, table.secret()) {
            Found::Keys(keys) => keys,
            Found::Missing(Missing::Allow) => {
                self.counts.missing.fetch_add(1, Relaxed);
                return Decided::Now(Pass::default());
            }
            Found::Missing(_) => {
                self.counts.missing.fetch_add(1, Relaxed);
                return Decided::Refused(Self::forbidden("missing_key"));
            }
        };
        let index = self.plan_of(request);
        let Some((_, plan)) = self.plans.get(index) else { return Decided::Now(Pass::default()) };
        let cost = self.cost.as_ref().map_or(1, |cost| cost(&RequestHead::of(request)));
        let mut claims = plan.claims(&keys, cost);
        let at = claims.decide(table, table.now(), || table.now());
        claims.count_refusals();
        if claims.is_refused() {
            return Decided::Refused(self.refusal(plan, &claims, at));
        }
        let receipt = Receipt { keys, plan: index, cost, at, charged: claims.charged() };
        if let Some((name, wait)) = self.ask_foreign(&keys) {
            self.refund(&receipt, Which::All);
            self.counts.foreign_refused.fetch_add(1, Relaxed);
            let no = Self::exceeded(vec![Value::from(name)]);
            return Decided::Refused(no.with_retry_after(wait));
        }
        self.counts.admit(&keys);
        if self.charge_later {
            request.extensions_mut().insert(Charge::new(Arc::clone(self), receipt));
        }
        let pass = self.pass(plan.has_failures_only, &claims, receipt);
        if !self.slow.is_on() {
            return Decided::Now(pass);
        }
        match self.slow.wait(claims.used(at), pass) {
            Wait::No(pass) => Decided::Now(pass),
            Wait::Yes(later) => Decided::Later(later),
            Wait::Full(delay) => {
                self.counts.too_many_waiting.fetch_add(1, Relaxed);
                self.refund(&receipt, Which::All);
                let no = Rejection::new(LAYER, "too_many_waiting", StatusCode::TOO_MANY_REQUESTS);
                Decided::Refused(no.with_retry_after(delay))
            }
        }
    }

    #[inline]
    fn pass(self: &Arc<Self>, may_refund: bool, claims: &Claims<'_>, receipt: Receipt) -> Pass {
        if !may_refund && !self.headers.any() {
            return Pass::default();
        }
        let standing = if self.headers.any() { claims.tightest(receipt.at) } else { None };
        let plan = receipt.plan;
        let receipt = (may_refund || self.headers.all).then_some(receipt);
        Pass { shared: Some(Arc::clone(self)), plan, standing, receipt }
    }

    /// The rules for this request, by their place.
    #[inline]
    pub(crate) fn plan_of<B>(&self, request: &Request<B>) -> usize {
        let Some(tier) = &self.tier else { return 0 };
        let Some(tier) = tier(&RequestHead::of(request)) else { return 0 };
        self.plans.iter().position(|(name, _)| *name == tier).unwrap_or(0)
    }

    fn forbidden(reason: &'static str) -> Rejection {
        Rejection::new(LAYER, reason, StatusCode::FORBIDDEN)
    }

    fn exceeded(rules: Vec<Value>) -> Rejection {
        Rejection::new(LAYER, "quota_exceeded", StatusCode::TOO_MANY_REQUESTS)
            .with_kind(QUOTA_EXCEEDED)
            .with_member("violated-policies", rules)
    }

    #[inline]
    fn ask_foreign(&self, keys: &Keys) -> Option<(&'static str, Duration)> {
        let (name, limiter) = self.foreign.as_ref()?;
        limiter(keys.first()?.whole()).err().map(|wait| (*name, wait))
    }

    #[cold]
    fn refusal(&self, plan: &Plan, claims: &Claims<'_>, now: Nanos) -> Rejection {
        let names = claims.refusing().map(|bound| Value::from(bound.rule.name().to_owned()));
        let mut no = Self::exceeded(names.collect());
        if let Some(wait) = claims.wait(now) {
            no = no.with_retry_after(Duration::from_nanos(wait));
        }
        if self.headers.any() {
            let mut map = HeaderMap::with_capacity(6);
            self.headers.write(plan, &self.standings(claims, claims.tightest(now), now), &mut map);
            for (name, value) in &map {
                no = no.with_header(name.clone(), value.clone());
            }
        }
        no
    }

    /// The tightest alone or first.
    fn standings(&self, claims: &Claims<'_>, tightest: Option<Standing>, now: Nanos) -> Standings {
        let Some(tightest) = tightest else { return Standings::None };
        if !self.headers.all {
            return Standings::One([tightest]);
        }
        let others = claims.standings(now).filter(|other| other.rule != tightest.rule);
        Standings::All(std::iter::once(tightest).chain(others).collect())
    }

    /// The answer to who is refused.
    pub(crate) fn answer<B>(
        &self,
        rejection: Rejection,
        protocol: Protocol,
    ) -> Response<ResponseBody<B>> {
        match &self.responder {
            Some(responder) => rejection.respond(&**responder, protocol),
            None => rejection.respond(&DefaultResponder, protocol),
        }
    }

    /// Charges for what is done already.
    pub(crate) fn force(&self, receipt: &Receipt, cost: u64) {
        let Some((_, plan)) = self.plans.get(receipt.plan) else { return };
        let table = self.store.table();
        plan.claims(&receipt.keys, cost).force(table, table.now());
    }

    pub(crate) fn refund(&self, receipt: &Receipt, which: Which) {
        let Some((_, plan)) = self.plans.get(receipt.plan) else { return };
        let table = self.store.table();
        let claims = plan.claims(&receipt.keys, receipt.cost);
        claims.refund(table, receipt.at, table.now(), (which, receipt.charged));
    }

    #[inline]
    fn is_failure<B>(&self, response: &Response<B>) -> bool {
        if let Some(failure) = &self.failure {
            return failure(response.status(), response.headers());
        }
        let status = response.status();
        let grpc = response.headers().get("grpc-status").is_some_and(|status| status != "0");
        status.is_client_error() || status.is_server_error() || grpc
    }
}

enum Standings {
    None,
    One([Standing; 1]),
    All(Vec<Standing>),
}

impl std::ops::Deref for Standings {
    type Target = [Standing];

    fn deref(&self) -> &[Standing] {
        match self {
            Self::None => &[],
            Self::One(one) => one,
            Self::All(all) => all,
        }
    }
}

impl Pass {
    /// The inner's answer is there.
    #[inline]
    pub(crate) fn finish<B>(&mut self, response: &mut Response<B>) {
        if let Some(shared) = self.shared.take() {
            self.finish_with(&shared, response);
        }
    }

    fn finish_with<B>(&self, shared: &Shared, response: &mut Response<B>) {
        let Some((_, plan)) = shared.plans.get(self.plan) else { return };
        let gives_back = match &self.receipt {
            Some(receipt) if plan.has_failures_only && !shared.is_failure(response) => {
                shared.refund(receipt, Which::FailuresOnly);
                plan.count_refund();
                true
            }
            _ => false,
        };
        let headers = response.headers_mut();
        let Some(receipt) = self.receipt.as_ref().filter(|_| gives_back || shared.headers.all)
        else {
            return shared.headers.write(plan, self.standing.as_slice(), headers);
        };
        let mut claims = plan.claims(&receipt.keys, 0);
        let (table, now) = (shared.store.table(), shared.store.table().now());
        claims.peek(table, now);
        let standings = shared.standings(&claims, claims.tightest(now), now);
        shared.headers.write(plan, &standings, headers);
    }
}

impl Access {
    fn has<B>(&self, request: &Request<B>) -> bool {
        match self {
            Self::Networks(rule, networks) => rule
                .of(request)
                .is_some_and(|client| networks.iter().any(|network| network.contains(client))),
            Self::If(ask) => ask(&RequestHead::of(request)),
        }
    }
}

impl Counts {
    #[inline]
    fn admit(&self, keys: &Keys) {
        let shard = usize::try_from(keys.spread()).unwrap_or(0) % SHARDS;
        if let Some(Padded(count)) = self.admitted.get(shard) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn admitted(&self) -> u64 {
        self.admitted.iter().map(|Padded(count)| count.load(Relaxed)).sum()
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
