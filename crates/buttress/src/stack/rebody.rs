use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use tower_http::compression::CompressionBody;
use tower_service::Service;

use super::{answer_body::MaybeCompressed, keep_status::Given};

/// Another type for an answer's body.
pub(super) trait Convert<B> {
    type Body;
    fn convert(response: Response<B>) -> Response<Self::Body>;
}

/// The body of an answer that compression has seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compressed;

impl<B: Body> Convert<CompressionBody<B>> for Compressed {
    type Body = MaybeCompressed<B>;

    fn convert(mut response: Response<CompressionBody<B>>) -> Response<Self::Body> {
        if let Some(Given(status)) = response.extensions_mut().remove() {
            *response.status_mut() = status;
        }
        response.map(|body| MaybeCompressed::Compressed { body: Box::pin(body) })
    }
}

/// The body of an answer where there is no compression.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain;

impl<B: Body> Convert<B> for Plain {
    type Body = MaybeCompressed<B>;

    fn convert(response: Response<B>) -> Response<Self::Body> {
        response.map(|body| MaybeCompressed::Plain { body })
    }
}

/// Gives the answers of `S` the body type of `C`.
pub(super) struct Rebody<S, C> {
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
    pub(super) struct RebodyFuture<F, C> {
        #[pin]
        future: F,
        convert: PhantomData<fn() -> C>,
    }
}

impl<F, C, B, E> Future for RebodyFuture<F, C>
where
    F: Future<Output = Result<Response<B>, E>>,
    C: Convert<B>,
{
    type Output = Result<Response<C::Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map_ok(C::convert)
    }
}
