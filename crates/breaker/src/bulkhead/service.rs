//! The service: a seat, a place in the queue, or a refusal.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::{
    body::ResponseBody,
    reject::{DefaultResponder, Protocol},
};
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{
    Shared,
    body::BulkheadBody,
    future::BulkheadFuture,
    seats::{Found, Seat},
    turn::Turn,
};
use crate::refusal::{Reason, Refused};

/// Lets only so many calls of `S` be under way; made by a [`BulkheadLayer`](crate::BulkheadLayer).
///
/// `S` is `Clone`, because a call that waits must not keep the inner service that was ready from
/// others: it takes a clone along, and gets it ready when its turn has come.
///
/// ```
/// use buttress_breaker::{Bulkhead, BulkheadLayer};
/// use tower::Layer;
///
/// struct Server {
///     app: Bulkhead<axum::Router>,
/// }
///
/// let server = Server { app: BulkheadLayer::new("app", 100)?.layer(axum::Router::new()) };
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Bulkhead<S> {
    inner: S,
    shared: Option<Arc<Shared>>,
}

impl<S> Bulkhead<S> {
    pub(super) const fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared: Some(shared) }
    }

    /// A service of the same type that limits nothing, for where a bulkhead is a setting.
    pub const fn unlimited(inner: S) -> Self {
        Self { inner, shared: None }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Bulkhead<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: Body,
{
    type Response = Response<ResponseBody<BulkheadBody<ResBody>>>;
    type Error = S::Error;
    type Future = BulkheadFuture<S, ReqBody, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some(shared) = &self.shared else {
            return BulkheadFuture::inner(self.inner.call(request), None);
        };
        match shared.seats.find(shared.wait.places()) {
            Found::Seat => {
                let seat = Seat::new(Arc::clone(shared));
                BulkheadFuture::inner(self.inner.call(request), Some(seat))
            }
            Found::Nothing => {
                let protocol = Protocol::of(request.headers());
                BulkheadFuture::refused(shared.answer(Reason::BulkheadFull, protocol))
            }
            Found::Place(place) => {
                let turn = Turn::new(Arc::clone(shared), place);
                let not_ready_inner = self.inner.clone();
                // What the ready one has reserved is for others while this one waits.
                self.inner = not_ready_inner.clone();
                BulkheadFuture::waiting(turn, not_ready_inner, request)
            }
        }
    }
}

impl Shared {
    #[cold]
    pub(super) fn answer<B>(
        &self,
        reason: Reason,
        protocol: Protocol,
    ) -> Response<ResponseBody<B>> {
        let rejection = Refused::soon(reason).rejection();
        match &self.responder {
            Some(responder) => rejection.respond(&**responder, protocol),
            None => rejection.respond(&DefaultResponder, protocol),
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Bulkhead<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulkhead")
            .field("inner", &self.inner)
            .field("bulkhead", &self.shared)
            .finish()
    }
}
