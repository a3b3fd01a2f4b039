//! The service: a probe's answer, or the inner one.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::body::ResponseBody;
use http::{Request, Response, StatusCode};
use tower_service::Service;

use crate::{future::ResponseFuture, layer::Shared};

/// Answers the probes in front of `S`; made by a [`HealthLayer`](crate::HealthLayer).
///
/// It is always ready, so that a probe does not wait behind what the inner service waits for. A
/// request that goes on while the inner service is not ready waits for it in its future.
pub struct HealthService<S> {
    inner: S,
    is_ready: bool,
    shared: Option<Arc<Shared>>,
}

impl<S> HealthService<S> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, is_ready: false, shared: Some(shared) }
    }

    /// A service of the same type that answers no probe, for where probes are a setting.
    pub const fn pass_through(inner: S) -> Self {
        Self { inner, is_ready: false, shared: None }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for HealthService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, Request<ReqBody>, S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        if !self.is_ready {
            let polled = self.inner.poll_ready(cx)?;
            self.is_ready = polled.is_ready();
            if self.shared.is_none() {
                return polled.map(Ok);
            }
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        if let Some(shared) = &self.shared
            && let Some(target) = shared.target(request.uri().path())
        {
            return ResponseFuture::answered(shared.answer(target, request));
        }
        if std::mem::take(&mut self.is_ready) {
            return ResponseFuture::called(self.inner.call(request));
        }
        // The one that was polled is the one that waits on; its clone stays behind, unready.
        let not_ready_inner = self.inner.clone();
        let waiting_inner = std::mem::replace(&mut self.inner, not_ready_inner);
        ResponseFuture::waiting(waiting_inner, request)
    }
}

impl<S: Clone> Clone for HealthService<S> {
    /// The clone has not been ready.
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), is_ready: false, shared: self.shared.clone() }
    }
}

impl<S: fmt::Debug> fmt::Debug for HealthService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthService")
            .field("inner", &self.inner)
            .field("answers", &self.shared.is_some())
            .finish_non_exhaustive()
    }
}

/// Has nothing: what lies behind the probes on a port of their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotFound;

impl<B> Service<Request<B>> for NotFound {
    type Response = Response<ResponseBody<String>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut response = Response::new(ResponseBody::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        ready(Ok(response))
    }
}
