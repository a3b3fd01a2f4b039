use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use buttress_core::body::ResponseBody;
use http::Response;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::compression::MaybeCompressed;

/// Another type for a response's body; nothing else changes.
pub trait Convert<B> {
    type Body;
    fn convert(body: B) -> Self::Body;
}

/// The body of an answer that compression has seen.
#[derive(Clone, Copy, Debug)]
pub struct Compressed;

impl<B: http_body::Body> Convert<tower_http::compression::CompressionBody<B>> for Compressed {
    type Body = ResponseBody<MaybeCompressed<B>>;

    fn convert(body: tower_http::compression::CompressionBody<B>) -> Self::Body {
        ResponseBody::inner(MaybeCompressed::Compressed { body })
    }
}

/// The body of an answer where there is no compression.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl<B: http_body::Body> Convert<B> for Plain {
    type Body = ResponseBody<MaybeCompressed<B>>;

    fn convert(body: B) -> Self::Body {
        ResponseBody::inner(MaybeCompressed::Plain { body })
    }
}

/// Gives the answers of `S` the body type of `C`.
pub struct Rebody<S, C> {
    inner: S,
    convert: PhantomData<fn() -> C>,
}

impl<S, C> Rebody<S, C> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner, convert: PhantomData }
    }
}

impl<S: Clone, C> Clone for Rebody<S, C> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}

impl<S: fmt::Debug, C> fmt::Debug for Rebody<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<S, C, Request, B> Service<Request> for Rebody<S, C>
where
    S: Service<Request, Response = Response<B>>,
    C: Convert<B>,
{
    type Response = Response<C::Body>;
    type Error = S::Error;
    type Future = RebodyFuture<S::Future, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        RebodyFuture { future: self.inner.call(request), convert: PhantomData }
    }
}

pin_project! {
    pub struct RebodyFuture<F, C> {
        #[pin]
        future: F,
        convert: PhantomData<fn() -> C>,
    }
}

impl<F, C> fmt::Debug for RebodyFuture<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RebodyFuture").finish_non_exhaustive()
    }
}

impl<F, C, B, E> Future for RebodyFuture<F, C>
where
    F: Future<Output = Result<Response<B>, E>>,
    C: Convert<B>,
{
    type Output = Result<Response<C::Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().future.poll(cx))?;
        Poll::Ready(Ok(response.map(C::convert)))
    }
}
