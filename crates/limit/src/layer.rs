//! The layer and its verbs.

use std::{fmt, sync::Arc};

use buttress_core::{
    client_ip::{self, Cidr, ClientIp},
    reject::Reject,
};
use http::{HeaderMap, StatusCode};
use tower_layer::Layer;

use crate::{
    error::{ConfigError, ConfigErrorKind as Kind},
    handle::LimitHandle,
    headers::{Draft, Headers, LegacyReset},
    key::{Key, RequestHead},
    memory::MemoryStore,
    rule::{Rule, check_name},
    service::Limit,
    shared::{Access, Shared},
    slow::Slow,
    store::Store,
};

/// Limits how often each client may come.
///
/// A clone, and every service that it makes, shares the counts; what cannot be right is refused
/// when it is configured. See the [crate](crate) for where it goes in a stack.
///
/// ```
/// use buttress_core::client_ip::ClientIp;
/// use buttress_limit::{Key, LimitLayer, Rule};
///
/// let key = Key::client_ip(ClientIp::behind(["10.0.0.0/8"])?);
/// let layer = LimitLayer::new(key, [Rule::general(), Rule::burst()])?;
/// assert_eq!(layer.to_string(), "general 100/15m, burst 10/1s");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct LimitLayer {
    shared: Arc<Shared>,
}

impl LimitLayer {
    /// Asks these rules of each request, by this key, and keeps the counts in a table of 1 MiB of
    /// its own.
    ///
    /// # Errors
    /// When there is no rule or one twice, more than one request can take, or the operating system
    /// has no random bytes.
    pub fn new(key: Key, rules: impl IntoIterator<Item = Rule>) -> Result<Self, ConfigError> {
        Self::with_store(MemoryStore::new()?, key, rules)
    }

    /// As [`new`](Self::new), with the counts in this store. Layers over one store share the
    /// counts of rules of one name.
    ///
    /// # Errors
    /// As [`new`](Self::new); and when the store counts for as many rules as it can, or for one of
    /// the same name in another way.
    pub fn with_store(
        store: impl Into<Store>,
        key: Key,
        rules: impl IntoIterator<Item = Rule>,
    ) -> Result<Self, ConfigError> {
        let store = store.into();
        let plan = store.bind(rules, key.rungs())?;
        Ok(Self {
            shared: Arc::new(Shared {
                name: None,
                store,
                key,
                plans: vec![("", plan)],
                tier: None,
                cost: None,
                allowed: Vec::new(),
                denied: Vec::new(),
                failure: None,
                headers: Headers::default(),
                responder: None,
                charge_later: false,
                foreign: None,
                slow: Slow::default(),
                is_plain: true,
                counts: Arc::default(),
            }),
        })
    }

    /// What its metrics call it, in the label `limit`; the default is its first rule's name. Limits
    /// on one page of metrics have different names, or the page shows the first one's numbers only.
    pub fn name(self, name: &'static str) -> Self {
        self.with(|shared| shared.name = Some(name))
    }

    /// Other rules for the requests of a tier, which [`tier_by`](Self::tier_by) tells. A rule of
    /// the same name keeps its debt when a client changes tiers: what stays is the time at which
    /// it is paid.
    ///
    /// ```
    /// use buttress_limit::{Key, LimitLayer, Rule, minutes, requests};
    ///
    /// #[derive(Clone)]
    /// enum Subscription { Free, Paid }
    ///
    /// let paid = Rule::new("general", requests(10_000).per(minutes(15)))?;
    /// let layer = LimitLayer::new(Key::principal(), [Rule::general(), Rule::burst()])?
    ///     .tier("paid", [paid])?
    ///     .tier_by(|head| match head.extensions.get::<Subscription>() {
    ///         Some(Subscription::Paid) => Some("paid"),
    ///         _ => None,
    ///     });
    /// # Ok::<(), buttress_limit::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// As [`with_store`](Self::with_store), and when the name is none, or taken.
    pub fn tier(
        self,
        name: &'static str,
        rules: impl IntoIterator<Item = Rule>,
    ) -> Result<Self, ConfigError> {
        check_name(name)?;
        if self.shared.plans.iter().any(|(other, _)| *other == name) {
            let message = format!("{name}: a tier of this name is there already");
            return Err(ConfigError::new(Kind::DuplicateRule, message));
        }
        let plan = self
            .shared
            .store
            .bind(rules, self.shared.key.rungs())
            .map_err(|error| error.about(name))?;
        Ok(self.with(|shared| shared.plans.push((name, plan))))
    }

    /// Tells a request's tier. Those of none, or of one that has no rules, have the layer's own.
    pub fn tier_by<F>(self, tier: F) -> Self
    where
        F: Fn(&RequestHead<'_>) -> Option<&'static str> + Send + Sync + 'static,
    {
        self.with(|shared| shared.tier = Some(Arc::new(tier)))
    }

    /// What a request costs, in units; the default is 1. One that costs nothing always passes, one
    /// that costs more than a rule's limit never: its refusal has no `Retry-After`.
    pub fn cost<F>(self, cost: F) -> Self
    where
        F: Fn(&RequestHead<'_>) -> u64 + Send + Sync + 'static,
    {
        self.with(|shared| shared.cost = Some(Arc::new(cost)))
    }

    /// Puts a [`Charge`](crate::Charge) into the request's extensions, for a cost that is known
    /// only later.
    pub fn charge_later(self) -> Self {
        self.with(|shared| shared.charge_later = true)
    }

    /// Which answers are failures, for rules that count
    /// [failures only](crate::Rule::failures_only). The default is a status of 400 and up, or in
    /// gRPC a `grpc-status` other than 0 among the headers; one in the trailers of a streamed
    /// answer comes too late. An inner error is always one.
    pub fn failure<F>(self, failure: F) -> Self
    where
        F: Fn(StatusCode, &HeaderMap) -> bool + Send + Sync + 'static,
    {
        self.with(|shared| shared.failure = Some(Arc::new(failure)))
    }

    /// Lets clients in these networks pass, and counts nothing.
    ///
    /// # Errors
    /// When one of them is no network.
    pub fn allow_networks<I>(self, client_ip: ClientIp, networks: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: TryInto<Cidr, Error: Into<client_ip::ConfigError>>>,
    {
        let access = Access::Networks(client_ip, cidrs(networks)?);
        Ok(self.with(|shared| shared.allowed.push(access)))
    }

    /// Lets requests pass of which this is true, and counts nothing: health checks, say.
    pub fn allow_if<F>(self, allow: F) -> Self
    where
        F: Fn(&RequestHead<'_>) -> bool + Send + Sync + 'static,
    {
        self.with(|shared| shared.allowed.push(Access::If(Arc::new(allow))))
    }

    /// Refuses clients in these networks, with 403. It goes before all that allows.
    ///
    /// ```
    /// use buttress_core::client_ip::ClientIp;
    /// use buttress_limit::{Key, LimitLayer, Rule};
    ///
    /// let layer = LimitLayer::new(Key::peer(), [Rule::general()])?;
    /// let error = layer.deny_networks(ClientIp::peer(), ["10.0.0.0/33"]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#""10.0.0.0/33": the prefix of an IPv4 network must be 0 to 32"#
    /// );
    /// # Ok::<(), buttress_limit::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When one of them is no network.
    pub fn deny_networks<I>(self, client_ip: ClientIp, networks: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: TryInto<Cidr, Error: Into<client_ip::ConfigError>>>,
    {
        let access = Access::Networks(client_ip, cidrs(networks)?);
        Ok(self.with(|shared| shared.denied.push(access)))
    }

    /// Refuses requests of which this is true, with 403. It goes before all that allows.
    pub fn deny_if<F>(self, deny: F) -> Self
    where
        F: Fn(&RequestHead<'_>) -> bool + Send + Sync + 'static,
    {
        self.with(|shared| shared.denied.push(Access::If(Arc::new(deny))))
    }

    /// Writes `RateLimit` and `RateLimit-Policy` by this version of the draft; the default is the
    /// newest.
    pub fn headers(self, draft: Draft) -> Self {
        self.with(|shared| shared.headers.draft = Some(draft))
    }

    /// Tells in `RateLimit` of every rule; without it, of the one of which least is left.
    pub fn headers_of_all_rules(self) -> Self {
        self.with(|shared| shared.headers.all = true)
    }

    /// Writes `X-RateLimit-Limit`, `-Remaining` and `-Reset` too, of the rule of which least is
    /// left.
    pub fn legacy_headers(self, reset: LegacyReset) -> Self {
        self.with(|shared| shared.headers.legacy = Some(reset))
    }

    /// Writes no headers but a refusal's `Retry-After`. For a limit whose key is a name that
    /// others know too, such as a user's at sign-in: nobody should read there whether the user is
    /// active.
    pub fn without_headers(self) -> Self {
        self.with(|shared| shared.headers = Headers { draft: None, all: false, legacy: None })
    }

    /// Puts refusals into words of one's own; see [`Reject`]. `Retry-After` and the headers are
    /// added to whatever it writes.
    ///
    /// ```
    /// use buttress_core::reject::{Protocol, Rejection};
    /// use buttress_limit::{Key, LimitLayer, Rule};
    /// use bytes::Bytes;
    /// use http::Response;
    ///
    /// let layer = LimitLayer::new(Key::peer(), [Rule::general()])?.responder(
    ///     |rejection: &Rejection, _: Protocol| {
    ///         let mut response = Response::new(Bytes::from_static(b"slow down\n"));
    ///         *response.status_mut() = rejection.status();
    ///         response
    ///     },
    /// );
    /// # Ok::<(), buttress_limit::ConfigError>(())
    /// ```
    pub fn responder(self, responder: impl Reject + Send + Sync + 'static) -> Self {
        self.with(|shared| shared.responder = Some(Arc::new(responder)))
    }

    /// Lets who comes too often wait before it is refused.
    #[cfg(feature = "slow-down")]
    pub fn slow_down(self, slow_down: crate::SlowDown) -> Self {
        self.with(|shared| shared.slow = Slow::new(slow_down))
    }

    /// Asks a governor limiter too, when all of the layer's rules have admitted a request; its keys
    /// are the hashes of the layer's. What it refuses, no rule is charged for. It has no part in
    /// the headers, and a charge of it is not given back.
    ///
    /// ```
    /// use buttress_limit::{Key, LimitLayer, Rule};
    /// use governor::{Quota, RateLimiter};
    /// use std::{num::NonZeroU32, sync::Arc};
    ///
    /// let quota = Quota::per_minute(NonZeroU32::new(30).unwrap());
    /// let layer = LimitLayer::new(Key::peer(), [Rule::general()])?
    ///     .governor("steady", Arc::new(RateLimiter::keyed(quota)))?;
    /// # Ok::<(), buttress_limit::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When the name is no rule's name.
    #[cfg(feature = "governor")]
    pub fn governor<S, C, MW>(
        self,
        name: &'static str,
        limiter: Arc<governor::RateLimiter<u128, S, C, MW>>,
    ) -> Result<Self, ConfigError>
    where
        S: governor::state::keyed::KeyedStateStore<u128> + Send + Sync + 'static,
        C: governor::clock::Clock + Send + Sync + 'static,
        MW: governor::middleware::RateLimitingMiddleware<
                C::Instant,
                NegativeOutcome = governor::NotUntil<C::Instant>,
            > + Send
            + Sync
            + 'static,
    {
        check_name(name)?;
        let ask = move |key: u128| match limiter.check_key(&key) {
            Ok(_) => Ok(()),
            Err(not_until) => Err(not_until.wait_time_from(limiter.clock().now())),
        };
        Ok(self.with(|shared| shared.foreign = Some((name, Arc::new(ask)))))
    }

    /// Reads and steers the layer when it has gone into a service. Take it last: it does not see
    /// what a later verb changes.
    #[must_use]
    pub fn handle(&self) -> LimitHandle {
        LimitHandle::new(Arc::clone(&self.shared))
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        let shared = Arc::make_mut(&mut self.shared);
        change(shared);
        shared.settle();
        self
    }
}

fn cidrs<I>(networks: I) -> Result<Arc<[Cidr]>, ConfigError>
where
    I: IntoIterator<Item: TryInto<Cidr, Error: Into<client_ip::ConfigError>>>,
{
    let cidr = |network: I::Item| network.try_into().map_err(Into::into);
    Ok(networks.into_iter().map(cidr).collect::<Result<_, client_ip::ConfigError>>()?)
}

impl<S> Layer<S> for LimitLayer {
    type Service = Limit<S>;

    fn layer(&self, inner: S) -> Limit<S> {
        Limit::new(inner, Arc::clone(&self.shared))
    }
}

/// What is in force: the rules, and those of each tier.
impl fmt::Display for LimitLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (tier, plan) in &self.shared.plans {
            if !tier.is_empty() {
                write!(f, "; {tier}: ")?;
            }
            for (i, bound) in plan.rules.iter().enumerate() {
                write!(f, "{}{}", if i == 0 { "" } else { ", " }, bound.rule)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for LimitLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitLayer").field("limits", &self.shared).finish()
    }
}
