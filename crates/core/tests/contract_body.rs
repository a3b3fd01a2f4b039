//! The laws of a correct layer, proved for one that does nothing but wrap the body.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use buttress_conformance::{Laws, assert_any_body, assert_auto_traits};
use buttress_core::body::ResponseBody;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

#[derive(Clone, Debug)]
struct WrapLayer;

impl<S> Layer<S> for WrapLayer {
    type Service = Wrap<S>;

    fn layer(&self, inner: S) -> Wrap<S> {
        Wrap(inner)
    }
}

#[derive(Clone, Debug)]
struct Wrap<S>(S);

impl<S, B, R> Service<Request<B>> for Wrap<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = WrapFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> WrapFuture<S::Future> {
        WrapFuture { inner: self.0.call(request) }
    }
}

pin_project! {
    struct WrapFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F, R, E> Future for WrapFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().inner.poll(cx))?;
        Poll::Ready(Ok(response.map(ResponseBody::inner)))
    }
}

#[test]
fn a_wrapped_body_keeps_the_laws() {
    assert_auto_traits(&WrapLayer);
    assert_any_body(&WrapLayer);
    Laws::of(WrapLayer).allocates(0).check();
}
