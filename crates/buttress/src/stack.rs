//! The order-safe stack.

use std::{any::type_name, fmt, time::Duration};

use buttress_core::{client_ip::ClientIp, context::ContextLayer};
use buttress_headers::SecurityHeadersLayer;
use buttress_request_id::RequestIdLayer;
use tower_http::{compression::CompressionLayer, cors::CorsLayer};
use tower_layer::Identity;

pub(crate) use self::csrf::Judge;
pub use self::{
    answer_body::AnswerBody,
    guarded::{Guarded, GuardedFuture},
    hardened::{Hardened, HardenedFuture},
    request_body::{RequestBody, body_too_large},
};
use crate::{Compression, Cors, Csrf};

mod answer_body;
mod body_limit;
mod csrf;
mod guarded;
mod hardened;
mod keep_status;
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
/// | [`client_ip`](Self::client_ip) | makes the request's context, which all the others read |
/// | [`request_id`](Self::request_id) | every answer carries the id, whoever gives it |
/// | [`headers`](Self::headers) | on every answer, rejections too |
/// | [`cors`](Self::cors) | a browser must be able to read a 429 and a 500 |
/// | [`compression`](Self::compression) | sees every body, problem documents too |
/// | [`joint`](Self::joint) | layers of your own and of others that look at answers |
/// | [`csrf`](Self::csrf) | before any work is done |
/// | [`timeout`](Self::timeout) | bounds what the service may take |
/// | [`body_limit`](Self::body_limit) | bounds what the service may be made to read |
/// | the service | |
///
/// The stack is one layer for [`Router::layer`], `ServiceBuilder` and tonic's `Server::layer`,
/// and its type can be written down: `Stack`, or `Stack<(A, B)>` with layers in its joint. Every
/// verb takes the new filling, or `None` to empty the slot.
///
/// The service that it makes of an `S` is a [`Hardened<Guarded<S>>`](Hardened): `S` is given a
/// [`RequestBody<B>`], where `B` is the server's body, and its answers leave with an [`AnswerBody`].
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
#[derive(Clone)]
#[must_use = "a stack does nothing until it is put around a service"]
pub struct Stack<M = Identity> {
    context: ContextLayer,
    client_ip: Option<ClientIp>,
    request_id: RequestIdLayer,
    headers: Option<SecurityHeadersLayer>,
    cors: Option<(Cors, CorsLayer)>,
    compression: Option<(Compression, CompressionLayer<Compression>)>,
    joint: M,
    csrf: Option<(Csrf, Judge)>,
    timeout: Option<Duration>,
    body_limit: Option<u64>,
}

impl Stack {
    /// Every slot empty.
    pub fn new() -> Self {
        Self {
            context: ContextLayer::disabled(),
            client_ip: None,
            request_id: RequestIdLayer::disabled(),
            headers: None,
            cors: None,
            compression: None,
            joint: Identity::new(),
            csrf: None,
            timeout: None,
            body_limit: None,
        }
    }

    /// What a service on the Internet should not be without: request ids, the security headers of
    /// an API ([`SecurityHeadersLayer::api`]), CSRF protection, 30 seconds to answer in, and
    /// request bodies of at most 1 MiB.
    ///
    /// Who the client is cannot be guessed, so it is asked for: [`ClientIp::peer`] without a proxy
    /// before the service, [`ClientIp::behind`] with one. CORS and compression are left empty: the
    /// one needs your origins, and the other is more often the proxy's work.
    pub fn production(client_ip: ClientIp) -> Self {
        Self::new()
            .client_ip(client_ip)
            .request_id(RequestIdLayer::new())
            .headers(SecurityHeadersLayer::api())
            .csrf(Csrf::new())
            .timeout(Duration::from_secs(30))
            .body_limit(1 << 20)
    }

    /// For the desk: as [`production`](Self::production), with the client as the peer, headers
    /// that allow plain HTTP and only report what a page does wrong
    /// ([`SecurityHeadersLayer::dev`]), and time enough for a debugger.
    pub fn development() -> Self {
        Self::production(ClientIp::peer()).headers(SecurityHeadersLayer::dev()).timeout(None)
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

/// As [`describe`](Stack::describe), on one line for each slot.
impl<M> fmt::Debug for Stack<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Stack");
        for (name, filling) in self.slots() {
            if let Some(filling) = filling {
                shown.field(name, &format_args!("{filling}"));
            }
        }
        shown.finish()
    }
}

impl<M> Stack<M> {
    /// Who called: puts the client's address into the request's context.
    pub fn client_ip(mut self, rule: impl Into<Option<ClientIp>>) -> Self {
        self.client_ip = rule.into();
        self.context = match &self.client_ip {
            Some(rule) => ContextLayer::new().client_ip(rule.clone()),
            None => ContextLayer::disabled(),
        };
        self
    }

    /// An id for every request, on every answer.
    pub fn request_id(mut self, layer: impl Into<Option<RequestIdLayer>>) -> Self {
        self.request_id = layer.into().unwrap_or_else(RequestIdLayer::disabled);
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
    /// and compression.
    pub fn joint<L>(self, layers: L) -> Stack<L> {
        Stack {
            joint: layers,
            context: self.context,
            client_ip: self.client_ip,
            request_id: self.request_id,
            headers: self.headers,
            cors: self.cors,
            compression: self.compression,
            csrf: self.csrf,
            timeout: self.timeout,
            body_limit: self.body_limit,
        }
    }

    /// Refuses cross-site requests that change something.
    pub fn csrf(mut self, csrf: impl Into<Option<Csrf>>) -> Self {
        self.csrf = csrf.into().map(|csrf| {
            let judge = csrf.judge(self.cors.as_ref().map(|(cors, _)| cors));
            (csrf, judge)
        });
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

    /// What is in force, outermost first, a line for each slot.
    ///
    /// ```
    /// use buttress::Stack;
    /// use std::time::Duration;
    ///
    /// let stack = Stack::new().body_limit(4096).timeout(Duration::from_secs(10));
    /// assert!(stack.describe().contains("body limit   4096 bytes"));
    /// ```
    #[must_use]
    pub fn describe(&self) -> String {
        self.slots()
            .map(|(name, filling)| format!("{name:<12} {}", filling.as_deref().unwrap_or("-")))
            .join("\n")
    }

    fn slots(&self) -> [(&'static str, Option<String>); 9] {
        [
            ("client ip", self.client_ip.as_ref().map(ToString::to_string)),
            ("request id", Some(self.request_id.to_string()).filter(|id| id != "off")),
            ("headers", self.headers.as_ref().map(names).filter(|names| !names.is_empty())),
            ("cors", self.cors.as_ref().map(|(cors, _)| cors.to_string())),
            (
                "compression",
                self.compression.as_ref().map(|(compression, _)| compression.to_string()),
            ),
            (
                "joint",
                Some(type_name::<M>().to_owned()).filter(|name| name != type_name::<Identity>()),
            ),
            ("csrf", self.csrf.as_ref().map(|(csrf, _)| format!("{csrf}{}", self.also_trusted()))),
            ("timeout", self.timeout.map(|limit| format!("{limit:?}"))),
            ("body limit", self.body_limit.map(|bytes| format!("{bytes} bytes"))),
        ]
    }

    fn also_trusted(&self) -> &'static str {
        match &self.cors {
            Some((cors, _)) if cors.origins().is_empty() => "",
            Some((cors, _)) if cors.has_credentials() => ", those of cors",
            Some(_) => ", those of cors without cookies",
            None => "",
        }
    }
}

fn names(layer: &SecurityHeadersLayer) -> String {
    layer.headers().keys().map(http::HeaderName::as_str).collect::<Vec<_>>().join(", ")
}
