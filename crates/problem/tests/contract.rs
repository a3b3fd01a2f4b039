//! The laws of a correct layer.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::task::{Context, Poll};

use buttress_conformance::{
    Gate, Held, Law, Laws, Probe, ProbeBody, Task, assert_any_body, assert_error_type,
};
use buttress_core::context::RequestContext;
use buttress_problem::ProblemLayer;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use tower::{Layer, Service};
use tower_layer::Stack;

#[test]
fn what_is_passed_through_keeps_every_law_and_costs_no_allocation() {
    for layer in [
        ProblemLayer::new(),
        ProblemLayer::new().development(),
        ProblemLayer::new().keep_json(true),
        ProblemLayer::disabled(),
    ] {
        assert_any_body(&layer);
        assert_error_type(&layer);
        Laws::of(layer).allocates(0).check();
        RequestContext::new().scope(|| Laws::of(layer).allocates(0).check());
    }
}

/// Makes an error of every answer.
#[derive(Clone, Debug)]
struct FailLayer(StatusCode, HeaderValue);

#[derive(Clone, Debug)]
struct Fail<S>(S, FailLayer);

impl<S> Layer<S> for FailLayer {
    type Service = Fail<S>;

    fn layer(&self, inner: S) -> Fail<S> {
        Fail(inner, self.clone())
    }
}

impl<S, B, R> Service<Request<B>> for Fail<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future =
        futures_util::future::MapOk<S::Future, Box<dyn FnOnce(Response<R>) -> Response<R> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        use futures_util::TryFutureExt;
        let FailLayer(status, media) = self.1.clone();
        self.0.call(request).map_ok(Box::new(move |mut response| {
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, media);
            response
        }))
    }
}

/// The body becomes another, so its frames and sizes do, and the status of the probe's answer is
/// ours here. What it says of the new body is true all the same, and nothing else is excepted.
#[test]
fn an_answer_that_becomes_a_document_keeps_every_law_but_three() {
    // Of the last, only what is empty.
    let cases = [(404, "text/plain"), (500, "text/plain"), (500, "text/html"), (404, "text/html")];
    for (status, media) in cases {
        let fail =
            FailLayer(StatusCode::from_u16(status).unwrap(), HeaderValue::from_static(media));
        Laws::of(Stack::new(fail, ProblemLayer::new()))
            .except(Law::Response)
            .except(Law::Frames)
            .except(Law::Sizes)
            .check();
    }
}

/// At each await: the service's, and the error body's that is being read.
#[test]
fn dropped_at_each_await_it_holds_nothing() {
    let (shut, task) = (Gate::shut(), Task::new());
    let probe = Probe::answering(move || {
        let body = ProbeBody::new().data("no such").wait(&shut).data(" book").exact();
        Ok(Response::builder().status(404).body(body).unwrap())
    });
    for stops in 0..=2 {
        probe.answer().close();
        let mut service = ProblemLayer::new().layer(probe.service());
        assert!(
            task.poll(|cx| Service::<Request<ProbeBody>>::poll_ready(&mut service, cx)).is_ready()
        );
        let request = probe.watch(Request::new(ProbeBody::new()));
        let mut future = Box::pin(service.call(request));
        if stops > 0 {
            assert!(task.poll(|cx| future.as_mut().poll(cx)).is_pending());
            assert_eq!(probe.held(Held::Future), 1);
        }
        if stops > 1 {
            probe.answer().open();
            assert!(task.poll(|cx| future.as_mut().poll(cx)).is_pending());
            assert_eq!((probe.held(Held::Future), probe.held(Held::Body)), (0, 1));
        }
        drop((future, service));
        for held in [Held::Request, Held::Future, Held::Body] {
            assert_eq!(probe.held(held), 0, "{held:?} after {stops}");
        }
    }
}
