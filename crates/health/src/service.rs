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
/// It is always ready and never asks the inner service in advance: a probe does not wait for what
/// that waits for, and a connection that sends probes reserves nothing there. A request that goes
/// on gets a clone of the inner service, and waits for that in its future; an error of the inner
/// service's readiness is the request's.
#[derive(Clone)]
pub struct HealthService<S> {
    inner: S,
    shared: Option<Arc<Shared>>,
}

impl<S> HealthService<S> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared: Some(shared) }
    }

    /// A service of the same type that answers no probe, for where probes are a setting.
    pub const fn pass_through(inner: S) -> Self {
        Self { inner, shared: None }
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
        match self.shared {
            Some(_) => Poll::Ready(Ok(())),
            None => self.inner.poll_ready(cx),
        }
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some(shared) = &self.shared else {
            return ResponseFuture::called(self.inner.call(request));
        };
        match shared.target(request.uri().path()) {
            Some(target) => ResponseFuture::answered(shared.answer(target, request)),
            None => ResponseFuture::waiting(self.inner.clone(), request),
        }
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
