//! What a service with the layer knows of its trace, and what a subscriber sees.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

mod support;

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Waker},
};

use axum::body::Body;
use buttress_core::{
    client_ip::{ClientIp, Peer},
    context::{self, ContextLayer, RequestContext, TraceContext},
};
use buttress_trace::{Trace, TraceLayer};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn};

use self::support::Spans;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

/// The trace in which the service is called.
async fn trace_of(trace: Trace, context: &RequestContext, request: Request<()>) -> TraceContext {
    fn show(_: Request<()>) -> Ready<Result<Response<Body>, Infallible>> {
        let trace = context::current().unwrap().trace().unwrap().clone();
        ready(Ok(Response::builder().extension(trace).body(Body::empty()).unwrap()))
    }
    let call = context.scope(|| TraceLayer::new(trace).layer(service_fn(show)).call(request));
    call.await.unwrap().extensions().get::<TraceContext>().unwrap().clone()
}

fn with_parent(parent: &'static str) -> Request<()> {
    let request = Request::builder().header("traceparent", parent).header("tracestate", "rojo=1");
    request.body(()).unwrap()
}

#[tokio::test]
async fn the_callers_trace_is_continued_in_a_span_of_our_own() {
    let (_, _kept) = Spans::keep();
    for mode in [Trace::propagate(), Trace::spans()] {
        let trace = trace_of(mode, &RequestContext::new(), with_parent(PARENT)).await;
        let parent = buttress_trace::parse(PARENT.as_bytes(), []).unwrap();
        assert_eq!(trace.trace_id(), parent.trace_id());
        assert_ne!(trace.span_id(), parent.span_id());
        assert_eq!(trace.flags(), 3);
        assert_eq!(trace.state().unwrap(), "rojo=1");
    }
}

#[tokio::test]
async fn a_call_without_a_trace_begins_one_with_the_bytes_of_its_id() {
    let context = RequestContext::new();
    context.set_request_id(HeaderValue::from_static("01890a5d-ac96-774b-bcce-b302099a8057"));
    let trace = trace_of(Trace::propagate(), &context, Request::new(())).await;
    let id = u128::from_be_bytes(*trace.trace_id());
    assert_eq!(format!("{id:032x}"), "01890a5dac96774bbcceb302099a8057");
    assert_eq!(trace.flags(), 3, "sampled, and its last 7 bytes are random");
    assert_eq!(trace.state(), None);
}

#[tokio::test]
async fn an_id_of_another_kind_begins_a_random_trace() {
    let mut seen = std::collections::HashSet::new();
    for id in [None, Some("a"), Some("a"), Some("01890a5d-ac96-474b-bcce-b302099a8057")] {
        let context = RequestContext::new();
        if let Some(id) = id {
            context.set_request_id(HeaderValue::from_static(id));
        }
        let trace = trace_of(Trace::propagate().sampled(false), &context, Request::new(())).await;
        assert_eq!(trace.flags(), 2, "not sampled, and random");
        assert!(seen.insert(*trace.trace_id()));
    }
}

#[tokio::test]
async fn an_invalid_parent_or_a_restart_begins_a_new_trace_without_its_state() {
    let invalid = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-03";
    for (mode, parent) in
        [(Trace::propagate(), invalid), (Trace::propagate().restart(true), PARENT)]
    {
        let trace = trace_of(mode, &RequestContext::new(), with_parent(parent)).await;
        let parent = buttress_trace::parse(PARENT.as_bytes(), []).unwrap();
        assert_ne!(trace.trace_id(), parent.trace_id());
        assert_eq!(trace.state(), None);
    }
}

#[tokio::test]
async fn a_trace_that_a_layer_further_out_has_set_stays_and_has_one_span() {
    let (spans, _kept) = Spans::keep();
    let inner = TraceLayer::new(Trace::spans()).layer(service_fn(|_: Request<()>| async {
        let trace = context::current().unwrap().trace().unwrap().to_string();
        Ok::<_, Infallible>(Response::new(Body::from(trace)))
    }));
    let outer = TraceLayer::new(Trace::spans()).layer(inner);
    let response = outer.oneshot(with_parent(PARENT)).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let span = spans.only("request");
    assert!(body.ends_with(format!("{}-03", span.get("span_id").unwrap()).as_bytes()));
}

/// Serves one request and reads its answer to the end.
async fn served(
    trace: Trace,
    request: Request<()>,
    answer: impl Fn() -> Response<Body> + Clone + Send,
) {
    let service = TraceLayer::new(trace).layer(service_fn(move |_: Request<()>| {
        let answer = answer.clone();
        async move {
            tracing::info!("before an await");
            tokio::task::yield_now().await;
            tracing::info!("after it");
            Ok::<_, Infallible>(answer())
        }
    }));
    let service = ContextLayer::new().client_ip(ClientIp::peer()).layer(service);
    let response = service.oneshot(request).await.unwrap();
    let _ = response.into_body().collect().await;
}

#[tokio::test]
async fn a_span_says_what_the_conventions_ask_for_and_is_entered_whenever_the_service_runs() {
    let (spans, _kept) = Spans::keep();
    let mut request = with_parent(PARENT);
    *request.uri_mut() = "/users/42?token=hunter2".parse().unwrap();
    request.headers_mut().insert("authorization", HeaderValue::from_static("Bearer hunter2"));
    request.headers_mut().insert("user-agent", HeaderValue::from_static("hunter2"));
    request.extensions_mut().insert(Peer([192, 0, 2, 4].into()));
    served(Trace::spans(), request, || {
        let context = context::current().unwrap();
        context.set_route("/users/{id}".into());
        context.set_request_id(HeaderValue::from_static("late"));
        Response::new(Body::from("hello"))
    })
    .await;
    let span = spans.only("request");
    let expected = [
        ("otel.name", "GET /users/{id}"),
        ("otel.kind", "server"),
        ("trace_id", "0af7651916cd43dd8448eb211c80319c"),
        ("http.request.method", "GET"),
        ("http.route", "/users/{id}"),
        ("http.response.status_code", "200"),
        ("url.path", "/users/42"),
        ("url.scheme", "http"),
        ("network.protocol.version", "1.1"),
        ("client.address", "192.0.2.4"),
    ];
    for (field, value) in expected {
        assert_eq!(span.get(field), Some(value), "{field}");
    }
    assert_eq!(span.get("span_id").unwrap().len(), 16);
    assert_eq!(span.fields.len(), expected.len() + 1, "{:?}", span.fields);
    assert!(!format!("{span:?}").contains("hunter2"), "a header or the query is on the span");
    assert_eq!(span.events, 2);
    assert!(span.closed);
}

#[tokio::test]
async fn status_and_error_type_follow_the_conventions() {
    let cases = [
        (200, None, None, None),
        (302, None, None, None),
        // The client's own error: the server's span is none.
        (404, None, None, None),
        (429, Some("rate_limited"), None, None),
        (500, None, Some("500"), Some("ERROR")),
        (503, Some("timeout"), Some("timeout"), Some("ERROR")),
    ];
    for (status, found, error, code) in cases {
        let (spans, _kept) = Spans::keep();
        served(Trace::spans(), Request::new(()), move || {
            if let Some(found) = found {
                context::current().unwrap().set_error_type(found);
            }
            let status = StatusCode::from_u16(status).unwrap();
            Response::builder().status(status).body(Body::from("hello")).unwrap()
        })
        .await;
        let span = spans.only("request");
        assert_eq!(span.get("error.type"), error, "{status}");
        assert_eq!(span.get("otel.status_code"), code, "{status}");
        assert_eq!(span.get("http.response.status_code"), Some(&*status.to_string()));
        assert_eq!(span.get("otel.name"), Some("GET"), "no route, no more");
        assert_eq!(span.get("http.route"), None);
    }
}

#[tokio::test]
async fn a_span_lasts_to_the_end_of_the_body_and_knows_who_left() {
    let (spans, _kept) = Spans::keep();
    let service = TraceLayer::new(Trace::spans()).layer(service_fn(|_: Request<()>| {
        ready(Ok::<_, Infallible>(Response::new(Body::from("a"))))
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert!(!spans.only("request").closed);
    drop(response);
    let span = spans.only("request");
    assert!(span.closed);
    assert_eq!(span.get("error.type"), Some("client_gone"));
    assert_eq!(span.get("otel.status_code"), Some("ERROR"), "it was not sent to its end");
    assert_eq!(span.get("http.response.status_code"), Some("200"));
}

#[tokio::test]
async fn a_service_that_fails_or_panics_has_a_span_that_says_so() {
    let (spans, _kept) = Spans::keep();
    let failing = TraceLayer::new(Trace::spans())
        .layer(service_fn(|_: Request<()>| ready(Err::<Response<Body>, _>("broken"))));
    assert_eq!(failing.oneshot(Request::new(())).await.unwrap_err(), "broken");
    let panicking =
        TraceLayer::new(Trace::spans()).layer(service_fn(|request: Request<()>| async move {
            assert!(request.headers().is_empty(), "a panic, as told");
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }));
    let mut call = Box::pin(panicking.oneshot(with_parent(PARENT)));
    let mut cx = Context::from_waker(Waker::noop());
    let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(&mut cx).is_ready()));
    assert!(polled.is_err());
    drop(call);
    let errors: Vec<_> = spans
        .named("request")
        .iter()
        .map(|span| {
            (
                span.get("error.type").unwrap().to_owned(),
                span.get("otel.status_code").unwrap().to_owned(),
                span.closed,
            )
        })
        .collect();
    let error = |kind: &str| (kind.to_owned(), "ERROR".to_owned(), true);
    assert_eq!(errors, [error("service_error"), error("panic")]);
}

#[tokio::test]
async fn invented_methods_have_one_name() {
    let (spans, _kept) = Spans::keep();
    for method in ["BREW", "get"] {
        let request = Request::builder().method(method).body(()).unwrap();
        served(Trace::spans().https(true), request, || Response::new(Body::empty())).await;
    }
    for (span, method) in spans.named("request").iter().zip(["BREW", "get"]) {
        assert_eq!(span.get("otel.name"), Some("HTTP"));
        assert_eq!(span.get("http.request.method"), Some("_OTHER"));
        assert_eq!(span.get("http.request.method_original"), Some(method));
        assert_eq!(span.get("url.scheme"), Some("https"));
    }
}

#[tokio::test]
async fn the_methods_that_are_known_can_be_others() {
    let (spans, _kept) = Spans::keep();
    for method in ["PROPFIND", "GET"] {
        let request = Request::builder().method(method).body(()).unwrap();
        let known = ["PROPFIND".parse().unwrap()];
        served(Trace::spans().known_methods(known), request, || Response::new(Body::empty())).await;
    }
    let names: Vec<_> = spans
        .named("request")
        .iter()
        .map(|span| span.get("otel.name").unwrap().to_owned())
        .collect();
    assert_eq!(names, ["PROPFIND", "HTTP"]);
}

#[test]
fn a_trace_says_what_it_is_set_to() {
    assert_eq!(Trace::default().to_string(), "traceparent continued; no spans");
    assert_eq!(Trace::spans().to_string(), "traceparent continued; tracing spans");
    assert_eq!(
        Trace::propagate().restart(true).sampled(false).to_string(),
        "new traces only, not sampled; no spans"
    );
}
