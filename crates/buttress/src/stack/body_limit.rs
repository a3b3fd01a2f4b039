use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use buttress_core::{
    body::ResponseBody,
    reject::{DefaultResponder, Protocol, Rejection},
};
use http::{Request, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::bounded::Bounded;

/// Bounds what is read of a body, and answers for the service when it is too long.
#[derive(Clone, Debug)]
pub(super) struct BodyLimit<S> {
    pub(super) inner: S,
    pub(super) limit: Option<u64>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for BodyLimit<S>
where
    S: Service<Request<Bounded<ReqBody>>, Response = Response<ResBody>>,
    ReqBody: Body,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = BodyLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some(limit) = self.limit else {
            let request = request.map(Bounded::unlimited);
            return BodyLimitFuture::Inner { future: self.inner.call(request), watched: None };
        };
        let refusal = || Refusal { protocol: Protocol::of(request.headers()), limit };
        let length = declared(&request);
        if length.is_some_and(|length| length > limit) {
            return BodyLimitFuture::TooLarge { refusal: refusal() };
        }
        // hyper ends a body at the length that it declared, so that one needs no watching.
        let watched = length.is_none().then(|| (Passed::default(), refusal()));
        let passed = watched.as_ref().map(|(passed, _)| passed.clone());
        let request = request.map(|body| Bounded::limited(body, limit, passed));
        BodyLimitFuture::Inner { future: self.inner.call(request), watched }
    }
}

fn declared<B: Body>(request: &Request<B>) -> Option<u64> {
    // What is not a number here was refused by the server (RFC 9112 §6.3).
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).or_else(|| request.body().size_hint().exact())
}

/// Whether a body went past the limit, told by the body to whoever answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Passed(Arc<AtomicBool>);

impl Passed {
    pub(super) fn tell(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn told(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    protocol: Protocol,
    limit: u64,
}

impl Refusal {
    fn answer<B>(self) -> Response<ResponseBody<B>> {
        let no = Rejection::new("body_limit", "too_large", StatusCode::PAYLOAD_TOO_LARGE)
            .with_detail(format!("a body of at most {} bytes is taken", self.limit));
        no.respond(&DefaultResponder, self.protocol)
    }
}

pin_project! {
    #[project = BodyLimitFutureProj]
    pub(super) enum BodyLimitFuture<F> {
        Inner { #[pin] future: F, watched: Option<(Passed, Refusal)> },
        TooLarge { refusal: Refusal },
    }
}

impl<F, B, E> Future for BodyLimitFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            BodyLimitFutureProj::Inner { future, watched } => {
                future.poll(cx).map_ok(|response| match watched {
                    // Whatever the service made of the error: 400, a gRPC status, a 500.
                    Some((passed, refusal)) if passed.told() => refusal.answer(),
                    _ => response.map(ResponseBody::inner),
                })
            }
            BodyLimitFutureProj::TooLarge { refusal } => Poll::Ready(Ok(refusal.answer())),
        }
    }
}
