//! The order-safe stack.

use std::{any::type_name, time::Duration};

use buttress_core::{client_ip::ClientIp, context::ContextLayer, observe::ObserveLayer};
use buttress_headers::SecurityHeadersLayer;
use buttress_health::HealthLayer;
use buttress_limit::LimitLayer;
use buttress_log::AccessLog;
use buttress_metrics::HttpMetrics;
use buttress_problem::ProblemLayer;
use buttress_request_id::RequestIdLayer;
use buttress_sanitize::SanitizeLayer;
use buttress_trace::Trace;
use tower_http::{compression::CompressionLayer, cors::CorsLayer};
use tower_layer::Identity;

pub(crate) use self::csrf::Judge;
use self::observers::{Observers, Reason, Shared};
pub use self::{
    answer_body::AnswerBody,
    guarded::{Guarded, GuardedBody, GuardedFuture},
    hardened::{Hardened, HardenedFuture},
    request_body::{RequestBody, body_too_large},
};
use crate::{Compression, Cors, Csrf, Route};

mod answer_body;
mod body_limit;
mod bounded;
mod csrf;
mod describe;
mod drain;
mod guarded;
mod hardened;
mod judged;
mod keep_status;
mod observers;
mod preflight;
mod rebody;
mod request_body;
mod slot;
mod timeout;

/// The layers of a hardened service, in the order in which they are right.
///
/// A stack has slots, not a sequence: fill what you want, in any order, and it runs as listed
/// here, outermost first. An empty slot costs a branch.
///
/// | slot | why there |
/// |---|---|
/// | [`health`](Self::health) | answers probes whatever the rest is doing, and is always ready |
/// | `drain` | (feature `shutdown`) counts what is in flight, to the end of its body |
/// | [`client_ip`](Self::client_ip) | makes the request's context, which all the others read |
/// | [`route`](Self::route) | the context knows it before anybody asks |
/// | [`request_id`](Self::request_id) | every answer carries the id, whoever gives it |
/// | [`trace`](Self::trace) | a trace that begins here has the request's id |
/// | [`log`](Self::log) | sees each exchange begin and end once, whoever answers |
/// | [`metrics`](Self::metrics) | the same, and their exemplars name the trace |
/// | [`observe`](Self::observe) | observers of your own, in the same wrapper |
/// | [`headers`](Self::headers) | on every answer, rejections and failures too |
/// | [`cors`](Self::cors) | a browser must be able to read a 429 and a 500 |
/// | [`compression`](Self::compression) | sees every body, problem documents too |
/// | [`joint`](Self::joint) | layers of your own and of others that look at answers |
/// | [`problem`](Self::problem) | panics and bare errors from here inward become problem documents |
/// | [`csrf`](Self::csrf) | before any work is done |
/// | [`limit`](Self::limit) | a refusal costs nothing further in, and waiting takes none of the service's time |
/// | [`timeout`](Self::timeout) | bounds what the service may take |
/// | [`body_limit`](Self::body_limit) | bounds what the service may be made to read |
/// | [`sanitize`](Self::sanitize) | judges what the service reads, as it reads it |
/// | the service | |
///
/// The stack is one layer for [`Router::layer`], `ServiceBuilder` and tonic's `Server::layer`,
/// and its type can be written down: `Stack`, or `Stack<(A, B)>` with layers in its joint, and
/// `Stack<M, O>` with an observer `O` of your own. Every verb takes the new filling, or `None` to
/// empty the slot.
///
/// A stack inside of another joins its context: one id, one trace, one client. What is filled in
/// both is done twice, a line and a sample in each; so leave log and metrics to one of them. All
/// services that one stack is laid around, as by `Router::layer` around each route, share what it
/// counts.
///
/// The service that it makes of an `S` is a [`Hardened<Guarded<S>, O>`](Hardened): `S` is given a
/// [`RequestBody<B>`], where `B` is the server's body, and its answers leave with an [`AnswerBody`].
/// `S` is `Clone`, and both bodies are any whose data is [`Bytes`](bytes::Bytes).
///
/// [`Router::layer`]: https://docs.rs/axum/0.8/axum/struct.Router.html#method.layer
///
/// ```
/// use axum::{Router, routing::get};
/// use buttress::{Cors, Stack, client_ip::ClientIp};
/// use std::time::Duration;
///
/// let stack: Stack = Stack::production(ClientIp::behind(["10.0.0.0/8"])?)
///     .cors(Cors::allow(["https://app.example.com"])?)
///     .timeout(Duration::from_secs(10))
///     .csrf(None);
///
/// let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(stack);
/// # let _ = app;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a stack does nothing until it is put around a service"]
pub struct Stack<M = Identity, O = ()> {
    health: Option<HealthLayer>,
    drain: Option<drain::Filling>,
    context: ContextLayer,
    client_ip: Option<ClientIp>,
    route: Option<Route>,
    request_id: RequestIdLayer,
    /// Made of the four below.
    observe: ObserveLayer<Observers<O>>,
    trace: Option<Trace>,
    log: Option<AccessLog>,
    metrics: Option<HttpMetrics>,
    own: Option<Shared<O>>,
    headers: Option<SecurityHeadersLayer>,
    cors: Option<(Cors, CorsLayer)>,
    compression: Option<(Compression, CompressionLayer<Compression>)>,
    joint: M,
    problem: ProblemLayer,
    csrf: Option<(Csrf, Judge)>,
    limit: Option<LimitLayer>,
    timeout: Option<Duration>,
    body_limit: Option<u64>,
    sanitize: Option<SanitizeLayer>,
}

impl Stack {
    /// Every slot empty.
    pub fn new() -> Self {
        Self {
            health: None,
            drain: None,
            context: ContextLayer::disabled(),
            client_ip: None,
            route: None,
            request_id: RequestIdLayer::disabled(),
            observe: ObserveLayer::disabled(),
            trace: None,
            log: None,
            metrics: None,
            own: None,
            headers: None,
            cors: None,
            compression: None,
            joint: Identity::new(),
            problem: ProblemLayer::disabled(),
            csrf: None,
            limit: None,
            timeout: None,
            body_limit: None,
            sanitize: None,
        }
    }

    /// What a service on the Internet should not be without: request ids, which are trace ids too
    /// where the caller has none; a line in the log and a sample in the metrics for each request;
    /// the security headers of an API ([`SecurityHeadersLayer::api`]); problem documents that tell
    /// nothing of the inside; CSRF protection, 30 seconds to answer in, and request bodies of at
    /// most 1 MiB. With the feature `axum`, the route is the one that axum has matched.
    ///
    /// Who the client is cannot be guessed, so it is asked for: [`ClientIp::peer`] without a proxy
    /// before the service, [`ClientIp::behind`] with one. CORS, compression, the rate limit and
    /// [`sanitize`](Self::sanitize) are left empty: the first needs your origins, the second is
    /// more often the proxy's work, what is too often for the third only you can tell, and a guard
    /// that does not know what a service takes would refuse its uploads.
    ///
    /// The log's lines are events of `tracing`, and go where its subscriber writes them; without
    /// one, nowhere. The metrics are there to be read where you keep a handle to them:
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use buttress::{
    ///     Stack,
    ///     client_ip::ClientIp,
    ///     metrics::{Exposition, HttpMetrics, MetricsService},
    /// };
    ///
    /// let metrics = HttpMetrics::server();
    /// let page = MetricsService::new(Exposition::new().http(&metrics));
    ///
    /// let app: Router = Router::new()
    ///     .route("/", get(|| async { "hello" }))
    ///     .layer(Stack::production(ClientIp::peer()).metrics(metrics))
    ///     .route_service("/metrics", page.bearer("c2NyYXBlcg")?);
    /// # let _ = app;
    /// # Ok::<(), buttress::metrics::ConfigError>(())
    /// ```
    pub fn production(client_ip: ClientIp) -> Self {
        let stack = Self::new()
            .client_ip(client_ip)
            .request_id(RequestIdLayer::new())
            .trace(Trace::propagate())
            .log(AccessLog::new())
            .metrics(HttpMetrics::server())
            .headers(SecurityHeadersLayer::api())
            .problem(ProblemLayer::new())
            .csrf(Csrf::new())
            .timeout(Duration::from_secs(30))
            .body_limit(1 << 20);
        #[cfg(feature = "axum")]
        let stack = stack.route(Route::matched_path());
        stack
    }

    /// For the desk: as [`production`](Self::production), with the client as the peer, headers
    /// that allow plain HTTP and only report what a page does wrong
    /// ([`SecurityHeadersLayer::dev`]), failures that show what they were
    /// ([`ProblemLayer::development`]), and time enough for a debugger.
    pub fn development() -> Self {
        Self::production(ClientIp::peer())
            .headers(SecurityHeadersLayer::dev())
            .problem(ProblemLayer::new().development())
            .timeout(None)
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Clone, O> Clone for Stack<M, O> {
    fn clone(&self) -> Self {
        Self {
            health: self.health.clone(),
            drain: self.drain.clone(),
            context: self.context.clone(),
            client_ip: self.client_ip.clone(),
            route: self.route.clone(),
            request_id: self.request_id.clone(),
            observe: self.observe.clone(),
            trace: self.trace.clone(),
            log: self.log.clone(),
            metrics: self.metrics.clone(),
            own: self.own.clone(),
            headers: self.headers.clone(),
            cors: self.cors.clone(),
            compression: self.compression.clone(),
            joint: self.joint.clone(),
            problem: self.problem,
            csrf: self.csrf.clone(),
            limit: self.limit.clone(),
            timeout: self.timeout,
            body_limit: self.body_limit,
            sanitize: self.sanitize.clone(),
        }
    }
}

impl<M, O> Stack<M, O> {
    /// Answers the probes, before anything else: they have no line in the log, no sample in the
    /// metrics and no request id, and no limit holds for them. Their answers are `no-store` and
    /// `nosniff` by themselves, and the status page has a policy of its own.
    ///
    /// A filled slot is always ready: a request waits for the service in its future, where a
    /// clone of the stack is what waits.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use buttress::{
    ///     Stack,
    ///     client_ip::ClientIp,
    ///     health::{Entry, HealthLayer, Memory, Registry},
    /// };
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), buttress::health::ConfigError> {
    /// let (health, runner) = Registry::new().check(Entry::optional(Memory::new()))?.split();
    /// tokio::spawn(runner.run());
    ///
    /// let app: Router = Router::new()
    ///     .route("/", get(|| async { "hello" }))
    ///     .layer(Stack::production(ClientIp::peer()).health(HealthLayer::new(&health)));
    /// # let _ = app;
    /// # Ok(())
    /// # }
    /// ```
    pub fn health(mut self, layer: impl Into<Option<HealthLayer>>) -> Self {
        self.health = layer.into();
        self
    }

    /// Counts requests until their bodies have ended, and says `Connection: close` on HTTP/1 once
    /// the shutdown has begun, on refusals too. Connections are counted below HTTP, by the
    /// shutdown's listener.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use buttress::{
    ///     Stack,
    ///     client_ip::ClientIp,
    ///     shutdown::{Plan, Shutdown},
    /// };
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), buttress::shutdown::ConfigError> {
    /// let shutdown = Shutdown::new(Plan::kubernetes())?;
    /// let app: Router = Router::new()
    ///     .route("/", get(|| async { "hello" }))
    ///     .layer(Stack::production(ClientIp::peer()).drain(shutdown.layer()));
    /// # let _ = app;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "shutdown")]
    pub fn drain(mut self, layer: impl Into<Option<buttress_shutdown::DrainLayer>>) -> Self {
        self.drain = layer.into();
        self
    }

    /// Who called: puts the client's address into the request's context.
    pub fn client_ip(mut self, rule: impl Into<Option<ClientIp>>) -> Self {
        self.client_ip = rule.into();
        self.with_context()
    }

    /// By which route a request is served: puts its template into the request's context, for the
    /// log, the metrics and spans. Of itself it is known where a stack of
    /// [`production`](Stack::production) is laid by axum's `Router::layer`, with the feature `axum`.
    pub fn route(mut self, route: impl Into<Option<Route>>) -> Self {
        self.route = route.into();
        self.with_context()
    }

    fn with_context(mut self) -> Self {
        let route = self.route.as_ref().map(Route::context);
        self.context = match (&self.client_ip, route) {
            (Some(rule), route) => route.unwrap_or_default().client_ip(rule.clone()),
            (None, Some(route)) => route,
            (None, None) => ContextLayer::disabled(),
        };
        self
    }

    /// An id for every request, on every answer.
    pub fn request_id(mut self, layer: impl Into<Option<RequestIdLayer>>) -> Self {
        self.request_id = layer.into().unwrap_or_else(RequestIdLayer::disabled);
        self
    }

    /// Which trace a request belongs to: the caller's, or one that begins here and has the
    /// request's id. [`Trace::propagate`] is enough for the log and for outbound calls; others
    /// record spans.
    pub fn trace(mut self, trace: impl Into<Option<Trace>>) -> Self {
        self.trace = trace.into();
        self.with_observers()
    }

    /// One event of `tracing` at the end of each exchange, rejections and failures included.
    pub fn log(mut self, log: impl Into<Option<AccessLog>>) -> Self {
        self.log = log.into();
        self.with_observers()
    }

    /// Counts and durations of all exchanges. Keep a clone of what you fill in, to show the
    /// numbers.
    pub fn metrics(mut self, metrics: impl Into<Option<HttpMetrics>>) -> Self {
        self.metrics = metrics.into();
        self.with_observers()
    }

    /// An [`Observer`](buttress_core::observe::Observer) of your own, or a tuple of them, beside
    /// the three above; `()` empties the slot.
    ///
    /// ```
    /// use buttress::{
    ///     Stack,
    ///     client_ip::ClientIp,
    ///     context::RequestContext,
    ///     observe::{Observer, Totals},
    /// };
    /// use http::Request;
    /// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    /// use tower_layer::Identity;
    ///
    /// /// How many bytes each customer has downloaded, say.
    /// #[derive(Default)]
    /// struct Billing(AtomicU64);
    ///
    /// impl Observer for Billing {
    ///     type Exchange = ();
    ///     fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {}
    ///     fn on_end(&self, (): (), end: &Totals, _: &RequestContext) {
    ///         self.0.fetch_add(end.bytes_out, Relaxed);
    ///     }
    /// }
    ///
    /// let stack: Stack<Identity, Billing> =
    ///     Stack::production(ClientIp::peer()).observe(Billing::default());
    /// assert!(stack.describe().contains("observe      "));
    /// ```
    pub fn observe<P>(self, observer: P) -> Stack<M, P> {
        let own = (type_name::<P>() != type_name::<()>()).then(|| Shared::new(observer));
        Stack {
            observe: ObserveLayer::disabled(),
            own,
            health: self.health,
            drain: self.drain,
            context: self.context,
            client_ip: self.client_ip,
            route: self.route,
            request_id: self.request_id,
            trace: self.trace,
            log: self.log,
            metrics: self.metrics,
            headers: self.headers,
            cors: self.cors,
            compression: self.compression,
            joint: self.joint,
            problem: self.problem,
            csrf: self.csrf,
            limit: self.limit,
            timeout: self.timeout,
            body_limit: self.body_limit,
            sanitize: self.sanitize,
        }
        .with_observers()
    }

    fn with_observers(mut self) -> Self {
        let Self { trace, log, metrics, own, .. } = &self;
        let nobody = trace.is_none() && log.is_none() && metrics.is_none() && own.is_none();
        self.observe = if nobody {
            ObserveLayer::disabled()
        } else {
            let all = (Reason, trace.clone(), log.clone(), metrics.clone(), own.clone());
            ObserveLayer::new(all)
        };
        self
    }

    /// Security headers on every answer.
    pub fn headers(mut self, layer: impl Into<Option<SecurityHeadersLayer>>) -> Self {
        self.headers = layer.into();
        self
    }

    /// Which other origins' pages may call. [`csrf`](Self::csrf) trusts the origins too: with
    /// credentials altogether, without them for requests that carry no cookies.
    ///
    /// Once, in the outermost stack; see [`Cors`].
    pub fn cors(mut self, cors: impl Into<Option<Cors>>) -> Self {
        self.cors = cors.into().map(|cors| (cors.clone(), cors.layer()));
        let csrf = self.csrf.take().map(|(csrf, _)| csrf);
        self.csrf(csrf)
    }

    /// Compresses answers. It asks [`Bytes`](bytes::Bytes) as the data of the joint's answers, in
    /// any stack.
    ///
    /// Not for answers that hold a secret beside text of the caller's choosing: see
    /// [`Compression`].
    pub fn compression(mut self, compression: impl Into<Option<Compression>>) -> Self {
        self.compression = compression.into().map(|compression| {
            let layer = compression.layer();
            (compression, layer)
        });
        self
    }

    /// A layer, or a tuple of layers with the outermost first, that look at answers: they see
    /// what the service and every slot below gave, and what they answer gets an id, headers, CORS
    /// and compression. Their services are `Clone`, as [`health`](Self::health) asks it.
    pub fn joint<L>(self, layers: L) -> Stack<L, O> {
        Stack {
            joint: layers,
            health: self.health,
            drain: self.drain,
            context: self.context,
            client_ip: self.client_ip,
            route: self.route,
            request_id: self.request_id,
            observe: self.observe,
            trace: self.trace,
            log: self.log,
            metrics: self.metrics,
            own: self.own,
            headers: self.headers,
            cors: self.cors,
            compression: self.compression,
            problem: self.problem,
            csrf: self.csrf,
            limit: self.limit,
            timeout: self.timeout,
            body_limit: self.body_limit,
            sanitize: self.sanitize,
        }
    }

    /// Makes problem documents of panics, failures and bare errors, and logs what they were. What
    /// the slots below refuse goes out as it is.
    pub fn problem(mut self, layer: impl Into<Option<ProblemLayer>>) -> Self {
        self.problem = layer.into().unwrap_or_else(ProblemLayer::disabled);
        self
    }

    /// Refuses cross-site requests that change something.
    pub fn csrf(mut self, csrf: impl Into<Option<Csrf>>) -> Self {
        self.csrf = csrf.into().map(|csrf| {
            let judge = csrf.judge(self.cors.as_ref().map(|(cors, _)| cors));
            (csrf, judge)
        });
        self
    }

    /// How often each client may come: one layer with all of its rules, which admit a request
    /// together or not at all. Preflights, and what [`csrf`](Self::csrf) refuses, are not counted.
    ///
    /// A route that has a limit of its own, such as a sign-in, gets a [`LimitLayer`] of its own too,
    /// inside of this one.
    ///
    /// ```
    /// use axum::{Router, routing::{get, post}};
    /// use buttress::{
    ///     Stack,
    ///     client_ip::ClientIp,
    ///     limit::{Key, LimitLayer, Rule},
    /// };
    ///
    /// // The client that the context has, so that logs and limits agree on who it is.
    /// let general = LimitLayer::new(Key::client(), [Rule::general(), Rule::burst()])?;
    /// let guesses = LimitLayer::new(Key::client(), [Rule::auth()])?;
    ///
    /// let app: Router = Router::new()
    ///     .route("/login", post(|| async { "hello" }).layer(guesses))
    ///     .route("/", get(|| async { "hello" }))
    ///     .layer(Stack::production(ClientIp::behind(["10.0.0.0/8"])?).limit(general));
    /// # let _ = app;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn limit(mut self, layer: impl Into<Option<LimitLayer>>) -> Self {
        self.limit = layer.into();
        self
    }

    /// How long the service may take to begin its answer, counted from when it is first waited
    /// for; then the client gets 503, or `DEADLINE_EXCEEDED` in gRPC. What it was doing is dropped
    /// where it stands. An answer that is ready at the limit still counts: at [`Duration::ZERO`] one
    /// that never waits does. It needs tokio's timer.
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.timeout = limit.into();
        self
    }

    /// How many bytes of a request's body the service may read. Past them the client gets 413, or
    /// `RESOURCE_EXHAUSTED` in gRPC: before the service is called where the length is declared.
    /// Otherwise reading ends with an error ([`body_too_large`]), and what the service makes of it
    /// gives way to the same answer, unless it has begun to answer by then or fails itself.
    ///
    /// axum's extractors have a limit of their own, of 2 MiB; for more, say
    /// `DefaultBodyLimit::disable()` in the router and leave it to this slot.
    ///
    /// In gRPC a stream of messages is one body: leave the slot empty where clients stream, as
    /// tonic limits each message by itself.
    pub fn body_limit(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.body_limit = bytes.into();
        self
    }

    /// Judges path, query, content type and body of a request before the service makes anything of
    /// them, and refuses what breaks its policy: see the crate [`sanitize`](crate::sanitize). The
    /// smaller one of its limit and of [`body_limit`](Self::body_limit) holds.
    ///
    /// It takes JSON and forms, and refuses every other body with 415, until
    /// [`accept`](SanitizeLayer::accept) says more. A gRPC service says `accept([Kind::Grpc])`: its
    /// paths are judged, and its bodies left alone. A route that takes another kind, such as an
    /// upload, gets a stack with a slot of its own. In axum, the extractors of `sanitize` judge by
    /// the same policy with [`share_policy`](SanitizeLayer::share_policy).
    ///
    /// ```
    /// use axum::{Router, routing::post};
    /// use buttress::{
    ///     Stack,
    ///     client_ip::ClientIp,
    ///     sanitize::{Policy, SanitizeLayer},
    /// };
    /// use std::time::Duration;
    ///
    /// let stack = Stack::production(ClientIp::peer()).sanitize(
    ///     SanitizeLayer::new(Policy::strict_json())
    ///         .body_timeout(Duration::from_secs(10))
    ///         .share_policy(),
    /// );
    /// let uploads = stack.clone().body_limit(1 << 30).sanitize(None);
    ///
    /// let app: Router = Router::new()
    ///     .route("/orders", post(|| async { "ordered" }))
    ///     .layer(stack)
    ///     .merge(Router::new().route("/upload", post(|| async { "kept" })).layer(uploads));
    /// # let _ = app;
    /// ```
    pub fn sanitize(mut self, layer: impl Into<Option<SanitizeLayer>>) -> Self {
        self.sanitize = layer.into();
        self
    }
}
