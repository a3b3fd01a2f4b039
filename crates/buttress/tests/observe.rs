//! What the log and the metrics are told of what happens in the stack.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test is meant to panic"
)]

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use buttress::{
    RequestBody, Stack,
    client_ip::{ClientIp, Peer},
    context::{self, RequestContext},
    metrics::HttpMetrics,
    observe::{Observer, Totals},
    problem::BodyPanicked,
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use lines::Lines;
use tower::{Layer, ServiceExt, service_fn};

mod lines;

/// A body that gives one frame, and then does as it is told.
enum Then {
    Wait,
    Panic,
}

struct Part(bool, Then);

impl Body for Part {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !std::mem::replace(&mut self.0, true) {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"hello")))));
        }
        match self.1 {
            Then::Wait => Poll::Pending,
            Then::Panic => panic!("hunter2"),
        }
    }
}

type HttpBody = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

async fn service(
    request: Request<RequestBody<Full<Bytes>>>,
) -> Result<Response<HttpBody>, Infallible> {
    let body = match request.uri().path() {
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Full::default().boxed_unsync()
        }
        "/panic" => panic!("hunter2"),
        "/part" => Part(false, Then::Wait).boxed_unsync(),
        "/panic-later" => Part(false, Then::Panic).boxed_unsync(),
        _ => {
            let context = context::current().unwrap();
            Full::from(context.trace().unwrap().to_string()).boxed_unsync()
        }
    };
    Ok(Response::new(body))
}

fn request(path: &str) -> http::request::Builder {
    Request::get(path).extension(Peer([192, 0, 2, 4].into()))
}

fn empty(request: http::request::Builder) -> Request<Full<Bytes>> {
    request.body(Full::default()).unwrap()
}

fn errors(metrics: &HttpMetrics) -> Vec<(String, u64)> {
    let report = metrics.report();
    report.since_start().errors().map(|(error, count)| (error.to_owned(), count)).collect()
}

/// No server asks for a body then, so nothing but the head tells the end.
#[tokio::test]
async fn an_answer_that_has_no_body_to_send_ends_with_its_head() {
    let (lines, _guard) = Lines::of("access");
    for (method, status) in
        [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 101), ("CONNECT", 200)]
    {
        let metrics = HttpMetrics::server();
        let stack = Stack::production(ClientIp::peer()).metrics(metrics.clone());
        let app = stack.layer(service_fn(move |_: Request<_>| async move {
            let answer = Response::builder().status(status).header("content-length", "5");
            Ok::<_, Infallible>(answer.body(Full::new(Bytes::from_static(b"hello"))).unwrap())
        }));
        let answer = app.oneshot(empty(request("/").method(method))).await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-length"], "5");
        assert_eq!(answer.body().size_hint().exact(), Some(5));
        assert_eq!(metrics.in_flight(), 0, "{method} {status}");
        let ended = lines.take();
        let [line] = ended.as_slice() else { panic!("{ended:?}") };
        assert_eq!((&*line["outcome"], &*line["bytes_out"]), ("complete", "0"));
        drop(answer);
        assert_eq!(lines.take().len(), 0);
    }
}

/// One for each stack that has the slots filled, all of one request and in one trace.
#[tokio::test]
async fn a_stack_inside_of_a_stack_has_a_line_of_its_own() {
    let (lines, _guard) = Lines::of("access");
    let production = || Stack::production(ClientIp::peer());
    let inner = production().layer(service_fn(|_: Request<_>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello")))
    }));
    let both = production().layer(inner.clone()).oneshot(empty(request("/"))).await.unwrap();
    assert_eq!(both.headers().get_all("x-request-id").iter().count(), 1);
    let id = both.headers()["x-request-id"].clone();
    both.into_body().collect().await.unwrap();
    let ended = lines.take();
    assert_eq!(ended.len(), 2);
    assert!(ended.iter().all(|line| id == *line["request_id"]), "{ended:?}");

    // What is one request's alone is left to one of them.
    let outer = production().log(None).metrics(None);
    let one = outer.layer(inner).oneshot(empty(request("/"))).await.unwrap();
    one.into_body().collect().await.unwrap();
    assert_eq!(lines.take().len(), 1);
}

#[tokio::test]
async fn a_trace_that_begins_here_has_the_requests_id() {
    let (lines, _guard) = Lines::of("access");
    let app = Stack::production(ClientIp::peer()).layer(service_fn(service));
    let answer = app.clone().oneshot(empty(request("/"))).await.unwrap();
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let seen = answer.into_body().collect().await.unwrap().to_bytes();
    let seen = std::str::from_utf8(&seen).unwrap();
    assert_eq!(seen.split('-').nth(1).unwrap(), id.replace('-', ""));
    assert_eq!(lines.take()[0]["request_id"], id);

    let theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = app.oneshot(empty(request("/").header("traceparent", theirs))).await.unwrap();
    let seen = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(seen.starts_with(b"00-0af7651916cd43dd8448eb211c80319c-"));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_by_its_reason() {
    let (lines, _guard) = Lines::of("access");
    for (request, layer, reason) in [
        (
            request("/").method("POST").header("sec-fetch-site", "cross-site"),
            "csrf",
            "cross_origin",
        ),
        (request("/slow"), "timeout", "elapsed"),
        (request("/").header("content-length", "2000000"), "body_limit", "too_large"),
    ] {
        let metrics = HttpMetrics::server();
        let stack = Stack::production(ClientIp::peer()).metrics(metrics.clone());
        let answer = stack.layer(service_fn(service)).oneshot(empty(request)).await.unwrap();
        answer.into_body().collect().await.unwrap();
        let lines = lines.take();
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((&*line["rejected_by"], &*line["reason"]), (layer, reason));
        assert_eq!(line["client_ip"], "192.0.2.4");
        assert_eq!(errors(&metrics), [(reason.to_owned(), 1)]);
    }
}

#[tokio::test]
async fn a_panic_is_a_document_one_line_and_one_sample() {
    let (lines, _guard) = Lines::of("access");
    let metrics = HttpMetrics::server();
    let stack = Stack::production(ClientIp::peer()).metrics(metrics.clone());
    let answer = stack.layer(service_fn(service)).oneshot(empty(request("/panic"))).await.unwrap();
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    answer.into_body().collect().await.unwrap();
    assert_eq!(errors(&metrics), [("panic".to_owned(), 1)]);
    let lines = lines.take();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&*line["status"], &*line["error_type"]), ("500", "panic"));
}

#[tokio::test]
async fn in_development_the_client_is_told_what_panicked() {
    let answer = Stack::development()
        .layer(service_fn(service))
        .oneshot(empty(request("/panic")))
        .await
        .unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(document["detail"], "hunter2");
}

#[tokio::test]
async fn a_panic_in_the_body_breaks_it_off_and_is_one_line() {
    let (lines, _guard) = Lines::of("access");
    let metrics = HttpMetrics::server();
    let stack = Stack::production(ClientIp::peer()).metrics(metrics.clone());
    let app = stack.layer(service_fn(service));
    let answer = app.oneshot(empty(request("/panic-later"))).await.unwrap();
    let error = answer.into_body().collect().await.unwrap_err();
    assert!(error.is::<BodyPanicked>());
    let lines = lines.take();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&*line["outcome"], &*line["error_type"]), ("body_error", "panic"));
    assert_eq!((metrics.in_flight(), errors(&metrics)), (0, vec![("panic".to_owned(), 1)]));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_one_line_one_sample_and_no_longer_in_flight() {
    let (lines, _guard) = Lines::of("access");
    for (path, status) in [("/slow", None), ("/part", Some("200"))] {
        let metrics = HttpMetrics::server();
        let stack = Stack::production(ClientIp::peer()).metrics(metrics.clone());
        let mut call = Box::pin(stack.layer(service_fn(service)).oneshot(empty(request(path))));
        match call.as_mut().now_or_never() {
            // Before the head.
            None => drop(call),
            // In the middle of the body.
            Some(answer) => {
                let mut body = answer.unwrap().into_body();
                body.frame().await.unwrap().unwrap();
                assert!(body.frame().now_or_never().is_none());
                assert_eq!(metrics.in_flight(), 1);
                drop(body);
            }
        }
        let lines = lines.take();
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(line["outcome"], "client_gone");
        assert_eq!(line.get("status").map(String::as_str), status);
        assert_eq!(metrics.in_flight(), 0);
        assert_eq!(metrics.report().since_start().requests(), 1);
        assert_eq!(errors(&metrics), [("client_gone".to_owned(), 1)]);
    }
}

/// What it knows when the request comes in, and when it has ended.
#[derive(Clone, Default)]
struct Own(Arc<Mutex<Vec<String>>>);

impl Observer for Own {
    type Exchange = ();

    fn on_request<B>(&self, _: &Request<B>, context: &RequestContext) {
        let known = (context.request_id().is_some(), context.trace().is_some());
        self.0.lock().unwrap().push(format!("{known:?} {:?}", context.client_ip()));
    }

    fn on_end(&self, (): (), end: &Totals, _: &RequestContext) {
        self.0.lock().unwrap().push(format!("{:?} {}", end.status, end.outcome.as_str()));
    }
}

#[tokio::test]
async fn an_observer_of_ones_own_knows_what_the_slots_know() {
    let own = Own::default();
    let stack = Stack::new().observe(own.clone());
    // Filled after it, or before: it is the same.
    let stack = stack
        .client_ip(ClientIp::peer())
        .request_id(buttress::request_id::RequestIdLayer::new())
        .trace(buttress::trace::Trace::propagate());
    let answer = stack.layer(service_fn(service)).oneshot(empty(request("/"))).await.unwrap();
    answer.into_body().collect().await.unwrap();
    let seen = own.0.lock().unwrap();
    assert_eq!(*seen, ["(true, true) Some(192.0.2.4)", "Some(200) complete"]);
}
