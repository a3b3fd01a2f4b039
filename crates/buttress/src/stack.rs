//! The order-safe stack.

use std::{any::type_name, fmt, time::Duration};

use buttress_core::{client_ip::ClientIp, context::ContextLayer};
use buttress_headers::SecurityHeadersLayer;
use buttress_request_id::RequestIdLayer;
use tower_http::{compression::CompressionLayer, cors::CorsLayer, csrf::CsrfLayer};
use tower_layer::Identity;

pub use self::{body_limit::RequestBody, service::Hardened};
use crate::{Cors, Csrf};

mod body_limit;
mod compression;
mod rebody;
mod service;
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
/// The service inside is given a [`RequestBody<B>`], where `B` is the server's body.
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
    compression: Option<CompressionLayer>,
    joint: M,
    csrf: Option<(Csrf, CsrfLayer)>,
    timeout: Option<Duration>,
    body_limit: Option<usize>,
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

    /// Which other origins' pages may call. The origins are trusted by [`csrf`](Self::csrf) too.
    pub fn cors(mut self, cors: impl Into<Option<Cors>>) -> Self {
        self.cors = cors.into().map(|cors| (cors.clone(), cors.layer()));
        let csrf = self.csrf.take().map(|(csrf, _)| csrf);
        self.csrf(csrf)
    }

    /// Compresses answers: gzip, and what other features of tower-http a service turns on.
    ///
    /// Not for answers that hold a secret beside text of the caller's choosing (BREACH).
    pub fn compression(mut self, layer: impl Into<Option<CompressionLayer>>) -> Self {
        self.compression = layer.into();
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
        let trusted = self.cors.as_ref().map_or(&[][..], |(cors, _)| cors.origins());
        self.csrf = csrf.into().map(|csrf| {
            let layer = csrf.layer(trusted);
            (csrf, layer)
        });
        self
    }

    /// How long the service may take to begin its answer, counted from when it is first waited
    /// for; then the client gets 503, or `DEADLINE_EXCEEDED` in gRPC. What it was doing is dropped
    /// where it stands. An answer that is ready at the limit still counts. It needs tokio's timer.
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.timeout = limit.into();
        self
    }

    /// How many bytes of a request's body the service may read. A longer `content-length` is
    /// answered with 413, or `RESOURCE_EXHAUSTED` in gRPC, before the service is called. A body
    /// that does not declare its length ends with an error at the limit
    /// ([`RequestBody::is_too_large`]).
    ///
    /// In gRPC a stream of messages is one body: leave the slot empty where clients stream, as
    /// tonic limits each message by itself.
    pub fn body_limit(mut self, bytes: impl Into<Option<usize>>) -> Self {
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
            ("headers", self.headers.as_ref().map(names)),
            ("cors", self.cors.as_ref().map(|(cors, _)| cors.to_string())),
            ("compression", self.compression.as_ref().map(|_| "on".to_owned())),
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
        let let_in = self.cors.as_ref().is_some_and(|(cors, _)| !cors.origins().is_empty());
        if let_in { ", those of cors" } else { "" }
    }
}

fn names(layer: &SecurityHeadersLayer) -> String {
    layer.headers().keys().map(http::HeaderName::as_str).collect::<Vec<_>>().join(", ")
}
