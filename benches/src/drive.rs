//! A service driven in-process.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    hint::black_box,
    marker::PhantomData,
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body::Body;
use http_body_util::Empty;
use tower_service::Service;
use tracing::{Dispatch, Subscriber, dispatcher};
use tracing_subscriber::{Registry, filter::LevelFilter, prelude::*};

use crate::{Failure, Loop};

/// The body of every request and of every bare answer.
pub(crate) type Nothing = Empty<Bytes>;

/// The service inside: it answers at once, without a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bare(pub(crate) Answer);

/// What the bare service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200, without a header.
    Empty,
    /// 200 with a `content-type` and a `content-length`.
    TwoHeaders,
    /// 500.
    Failed,
}

impl<B> Service<Request<B>> for Bare {
    type Response = Response<Nothing>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Nothing>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        drop(black_box(request));
        let mut response = Response::new(Nothing::new());
        match self.0 {
            Answer::Empty => {}
            Answer::TwoHeaders => {
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            Answer::Failed => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        }
        ready(Ok(black_box(response)))
    }
}

/// The same for layers that ask for a body of one type: it answers 200, without a header.
pub(crate) struct BareOf<B>(PhantomData<fn() -> B>);

impl<B> BareOf<B> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<B> Clone for BareOf<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for BareOf<B> {}

impl<ReqBody, B: Default> Service<Request<ReqBody>> for BareOf<B> {
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Ready<Result<Response<B>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        drop(black_box(request));
        ready(Ok(black_box(Response::new(B::default()))))
    }
}

/// The same, and it reads what it is sent to its end, which has come already. A body that fails is
/// 500.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reads;

impl<B: Body> Service<Request<B>> for Reads {
    type Response = Response<Nothing>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Nothing>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut cx = Context::from_waker(Waker::noop());
        let mut response = Response::new(Nothing::new());
        let (head, body) = black_box(request).into_parts();
        let mut body = pin!(body);
        while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
            if black_box(frame).is_err() {
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                break;
            }
        }
        drop(black_box(head));
        ready(Ok(black_box(response)))
    }
}

/// Sends a clone of `request` to `service` again and again.
pub(crate) fn serve<S, Q, B>(mut service: S, request: Request<Q>) -> Loop
where
    S: Service<Request<Q>, Response = Response<B>> + 'static,
    Q: Clone + 'static,
    B: Body,
{
    Box::new(move |times| {
        let answered = (0..times).filter(|_| exchange(&mut service, request.clone())).count();
        assert_eq!(answered as u64, times, "a service was not ready, or did not answer at once");
    })
}

fn exchange<S, Q, B>(service: &mut S, request: Request<Q>) -> bool
where
    S: Service<Request<Q>, Response = Response<B>>,
    B: Body,
{
    let mut cx = Context::from_waker(Waker::noop());
    if !matches!(service.poll_ready(&mut cx), Poll::Ready(Ok(()))) {
        return false;
    }
    let Poll::Ready(Ok(response)) = pin!(service.call(black_box(request))).poll(&mut cx) else {
        return false;
    };
    let (head, body) = response.into_parts();
    let mut body = pin!(body);
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
        drop(black_box(frame));
    }
    black_box(head);
    true
}

/// The same, where a timer may be made: inside a tokio runtime, which is never run.
pub(crate) fn with_timer(mut inner: Loop) -> Result<Loop, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    Ok(Box::new(move |times| {
        let _entered = runtime.enter();
        inner(times);
    }))
}

/// The same, where a subscriber listens to what is logged.
pub(crate) fn heard_by<S>(subscriber: S, mut inner: Loop) -> Loop
where
    S: Subscriber + Send + Sync + 'static,
{
    let dispatch = Dispatch::new(subscriber);
    Box::new(move |times| dispatcher::with_default(&dispatch, || inner(times)))
}

/// A subscriber that hears nothing less severe than an `INFO`, as in production.
pub(crate) fn at_info<L>(layer: L) -> impl Subscriber + Send + Sync
where
    L: tracing_subscriber::Layer<Registry> + Send + Sync + 'static,
{
    tracing_subscriber::registry().with(layer.with_filter(LevelFilter::INFO))
}

/// Calls `job` again and again.
pub(crate) fn repeat<T>(mut job: impl FnMut() -> T + 'static) -> Loop {
    Box::new(move |times| {
        for _ in 0..times {
            drop(black_box(job()));
        }
    })
}
