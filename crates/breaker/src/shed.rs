//! Refusing instead of waiting for a service that is not ready.

use std::{
    borrow::Cow,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, atomic},
    task::{Context, Poll, ready},
};

use buttress_core::{
    body::ResponseBody,
    reject::{DefaultResponder, Protocol},
    source::{Metrics, Sample},
};
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::refusal::{Reason, Refused};

/// Refuses what comes while the inner service is not ready, with 503 and the reason `not_ready`,
/// instead of letting it wait: around a service that pushes back, such as a client whose pool is
/// full or tower's `ConcurrencyLimit`.
///
/// It is always ready itself. On a server that is what a router needs; see
/// [`BulkheadLayer`](crate::BulkheadLayer) for shedding by the number of calls.
///
/// ```
/// use buttress_breaker::ShedLayer;
/// use tower::{ServiceBuilder, limit::ConcurrencyLimitLayer};
///
/// let shed = ShedLayer::new("reports");
/// let stack = ServiceBuilder::new().layer(shed.clone()).layer(ConcurrencyLimitLayer::new(32));
/// assert_eq!(shed.refused(), 0);
/// # let _ = stack;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ShedLayer {
    name: Cow<'static, str>,
    refused: Arc<atomic::AtomicU64>,
}

impl ShedLayer {
    /// For services that push back. The name is what metrics call it.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), refused: Arc::default() }
    }

    /// How many requests were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(atomic::Ordering::Relaxed)
    }
}

impl Metrics for ShedLayer {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        let help = "Requests that were refused because a service was not ready.";
        let sample = Sample::counter("shed_refusals_total", help, self.refused() as f64);
        each(sample.labels(&[("shed", &*self.name)]));
    }
}

impl<S> Layer<S> for ShedLayer {
    type Service = Shed<S>;

    fn layer(&self, inner: S) -> Shed<S> {
        Shed { inner, is_ready: false, refused: Arc::clone(&self.refused) }
    }
}

/// Refuses what comes while `S` is not ready; made by a [`ShedLayer`].
///
/// ```
/// use buttress_breaker::{Shed, ShedLayer};
/// use tower::Layer;
///
/// struct Gateway<C> {
///     client: Shed<C>,
/// }
/// # let _ = Gateway { client: ShedLayer::new("client").layer(()) };
/// ```
pub struct Shed<S> {
    inner: S,
    is_ready: bool,
    refused: Arc<atomic::AtomicU64>,
}

/// A clone starts unready, as its inner does.
impl<S: Clone> Clone for Shed<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), is_ready: false, refused: Arc::clone(&self.refused) }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Shed<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ShedFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        if !self.is_ready {
            self.is_ready = self.inner.poll_ready(cx)?.is_ready();
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        if std::mem::take(&mut self.is_ready) {
            return ShedFuture { state: State::Inner { future: self.inner.call(request) } };
        }
        self.refused.fetch_add(1, atomic::Ordering::Relaxed);
        let rejection = Refused::soon(Reason::NotReady).rejection();
        let response = rejection.respond(&DefaultResponder, Protocol::of(request.headers()));
        ShedFuture { state: State::Refused { response: Some(response) } }
    }
}

impl<S: fmt::Debug> fmt::Debug for Shed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shed").field("inner", &self.inner).finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Shed`].
    pub struct ShedFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B> {
        Inner { #[pin] future: F },
        Refused { response: Option<Response<ResponseBody<B>>> },
    }
}

impl<F, B, E> Future for ShedFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Inner { future } => {
                let response = ready!(future.poll(cx))?;
                Poll::Ready(Ok(response.map(ResponseBody::inner)))
            }
            StateProj::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => Poll::Pending,
            },
        }
    }
}

impl<F, B> fmt::Debug for ShedFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShedFuture").finish_non_exhaustive()
    }
}
