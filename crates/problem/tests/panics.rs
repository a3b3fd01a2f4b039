//! Panics: in the call, in the future, in the body that is read, and in the body that is sent.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::{
    context::{InRequest, RequestContext},
    reject::Rejected,
};
use buttress_problem::{BodyPanicked, Failure, ProblemLayer};
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use support::{Log, SECRET};
use tower::{Layer, Service, ServiceExt, service_fn};
use tracing::Level;

mod support;

/// Panics where it is told to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Call,
    Future,
    /// In the body of an error, which the layer reads.
    ErrorBody,
}

const EACH: [At; 3] = [At::Call, At::Future, At::ErrorBody];

struct Panics(At);

impl Service<Request<()>> for Panics {
    type Response = Response<PanicBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let at = self.0;
        assert!(at != At::Call, "{SECRET}");
        Box::pin(async move {
            tokio::task::yield_now().await;
            assert!(at != At::Future, "{SECRET}");
            Ok(Response::builder().status(404).body(PanicBody::default()).unwrap())
        })
    }
}

/// A frame, and then a panic; and one more when it is dropped.
#[derive(Default)]
struct PanicBody {
    begun: bool,
    panicked: bool,
}

impl Body for PanicBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        assert!(!self.panicked, "polled after its panic");
        if std::mem::replace(&mut self.begun, true) {
            self.panicked = true;
            panic!("{SECRET}");
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"first")))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(10)
    }
}

impl Drop for PanicBody {
    fn drop(&mut self) {
        assert!(!self.panicked, "once more, in drop");
    }
}

async fn send(
    layer: ProblemLayer,
    at: At,
    request: Request<()>,
) -> (Response<Bytes>, RequestContext) {
    support::init();
    let context = RequestContext::new();
    context.set_request_id(HeaderValue::from_static("r-1"));
    let exchange = InRequest::new(Some(context.clone()), async {
        let service = layer.layer(Panics(at));
        let (head, body) = service.oneshot(request).await.unwrap().into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    });
    (exchange.await, context)
}

#[tokio::test]
async fn a_panic_is_answered_masked_and_logged() {
    for at in EACH {
        let (log, _listening) = Log::listen();
        let (response, context) = send(ProblemLayer::new(), at, Request::new(())).await;
        assert_eq!(response.status(), 500, "{at:?}");
        let document: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            document,
            json!({"title": "Internal Server Error", "status": 500, "request_id": "r-1"})
        );
        assert!(!format!("{response:?}").contains("hunter2"));
        assert!(response.extensions().get::<Rejected>().is_none(), "nobody has refused anything");
        assert_eq!(context.error_type(), Some("panic"));
        let line = log.line();
        assert_eq!((line.level, line.field("request_id")), (Level::ERROR, "r-1"));
        assert_eq!((line.field("error"), line.field("error_type")), (SECRET, "panic"));
    }
}

/// What panics when it is shown, asked for its size, or dropped.
#[derive(Debug)]
struct Touchy(&'static str);

impl std::fmt::Display for Touchy {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("{SECRET}")
    }
}

impl std::error::Error for Touchy {}

impl Body for Touchy {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        assert!(self.0 != "size", "{SECRET}");
        SizeHint::default()
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        assert!(self.0 != "drop", "{SECRET}");
    }
}

/// Has answered, and panics when it is dropped.
struct Finished {
    _held: Touchy,
}

impl Future for Finished {
    type Output = Result<Response<Touchy>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(Response::new(Touchy(""))))
    }
}

#[tokio::test]
async fn what_panics_while_it_is_judged_logged_or_dropped_is_caught_too() {
    async fn assert_caught<F, B>(what: &str, answer: impl Fn() -> F)
    where
        F: Future<Output = Result<Response<B>, Infallible>>,
        B: Body<Data = Bytes, Error = Infallible>,
    {
        let (log, _listening) = Log::listen();
        let service = ProblemLayer::new().layer(service_fn(|_: Request<()>| answer()));
        let response = service.oneshot(Request::new(())).await.unwrap();
        assert_eq!(response.status(), 500, "{what}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, r#"{"title":"Internal Server Error","status":500}"#, "{what}");
        // An answer may have been logged before its body was dropped.
        let line = log.lines().pop().unwrap();
        assert_eq!((line.field("error_type"), line.field("error")), ("panic", SECRET), "{what}");
    }
    let failing = |at| move || ready(Ok(Response::builder().status(503).body(Touchy(at)).unwrap()));
    assert_caught("size_hint", failing("size")).await;
    assert_caught("the drop of a body that is replaced", failing("drop")).await;
    assert_caught("a cause's Display", || {
        ready(Ok(Failure::internal(Touchy("")).into_http::<Full<Bytes>>()))
    })
    .await;
    assert_caught("the drop of a future that has answered", || Finished { _held: Touchy("drop") })
        .await;
}

#[tokio::test]
async fn a_grpc_caller_is_told_in_grpc() {
    let request = Request::builder().header("content-type", "application/grpc").body(()).unwrap();
    let (response, _) = send(ProblemLayer::new(), At::Future, request).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["grpc-status"], "13");
    assert!(response.body().is_empty() && !format!("{response:?}").contains("hunter2"));
}

#[tokio::test]
async fn development_shows_what_was_said() {
    let (response, _) = send(ProblemLayer::new().development(), At::Call, Request::new(())).await;
    let document: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(document["detail"], SECRET);
}

/// 200, and a body that panics after its first frame.
fn streaming(_: Request<()>) -> Ready<Result<Response<PanicBody>, Infallible>> {
    ready(Ok(Response::new(PanicBody::default())))
}

#[tokio::test]
async fn a_body_that_panics_fails_and_is_over() {
    let (log, _listening) = Log::listen();
    let context = RequestContext::new();
    context.set_request_id(HeaderValue::from_static("r-1"));
    let response = InRequest::new(Some(context.clone()), async {
        let response = ProblemLayer::new()
            .layer(service_fn(streaming))
            .oneshot(Request::new(()))
            .await
            .unwrap();
        let mut body = response.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(error.is::<BodyPanicked>());
        assert_eq!(error.to_string(), "the response body panicked");
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
        assert!(body.frame().await.is_none());
    });
    response.await;
    assert_eq!(context.error_type(), Some("panic"));
    let line = log.line();
    assert_eq!((line.field("error"), line.field("request_id")), (SECRET, "r-1"));
}

#[tokio::test]
async fn payloads_that_are_no_text_or_panic_when_dropped_do_no_harm() {
    struct Bomb(u8);
    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                std::panic::panic_any(Self(self.0 - 1));
            }
        }
    }
    let (log, _listening) = Log::listen();
    let service = ProblemLayer::new().layer(service_fn(
        |_: Request<()>| -> Ready<Result<Response<Full<Bytes>>, Infallible>> {
            std::panic::panic_any(Bomb(2))
        },
    ));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(log.line().get("error"), None);
}

#[tokio::test]
#[should_panic(expected = "hunter2")]
async fn disabled_it_catches_nothing() {
    support::init();
    let _ = ProblemLayer::disabled().layer(Panics(At::Call)).oneshot(Request::new(())).await;
}

#[tokio::test]
async fn the_service_goes_on_after_a_panic() {
    support::init();
    let mut service = ProblemLayer::new().layer(Panics(At::Future));
    for _ in 0..2 {
        let response = service.ready().await.unwrap().call(Request::new(())).await.unwrap();
        assert_eq!(response.status(), 500);
    }
}
