//! Spans of an OpenTelemetry tracer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use axum::body::Body;
use buttress_core::context::{self, InRequest, RequestContext, TraceContext};
use buttress_trace::{OutboundLayer, RequestIdGenerator, Trace, TraceLayer, extract, parse};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData, TracerProviderBuilder,
};
use tower::{Layer, Service, ServiceExt, service_fn};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

/// A provider that is dropped takes with it what its exporter has.
fn recording() -> (InMemorySpanExporter, TracerProviderBuilder) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_id_generator(RequestIdGenerator::new())
        .with_simple_exporter(exporter.clone());
    (exporter, provider)
}

fn attributes(span: &SpanData) -> Vec<(String, String)> {
    let pair =
        |pair: &opentelemetry::KeyValue| (pair.key.to_string(), pair.value.as_str().into_owned());
    let mut all: Vec<_> = span.attributes.iter().map(pair).collect();
    all.sort();
    all
}

/// What the context and what OpenTelemetry say of the trace, inside the service.
type Known = (TraceContext, [u8; 16], [u8; 8]);

fn known() -> Known {
    let trace = context::current().unwrap().trace().unwrap().clone();
    let current = opentelemetry::Context::current();
    let span = current.span().span_context().clone();
    (trace, span.trace_id().to_bytes(), span.span_id().to_bytes())
}

/// Serves one request, whose service awaits once and answers with the route set.
async fn served(provider: &SdkTracerProvider, request: Request<()>) -> Known {
    let service = service_fn(|_: Request<()>| async {
        let before = known();
        tokio::task::yield_now().await;
        assert_eq!(known(), before);
        context::current().unwrap().set_route("/users/{id}".into());
        Ok::<_, Infallible>(Response::builder().extension(before).body(Body::from("a")).unwrap())
    });
    let layer = TraceLayer::new(Trace::otel(provider));
    let context = RequestContext::new();
    context.set_request_id(HeaderValue::from_static("01890a5d-ac96-774b-bcce-b302099a8057"));
    let response =
        InRequest::new(Some(context), layer.layer(service).oneshot(request)).await.unwrap();
    let (parts, body) = response.into_parts();
    body.collect().await.unwrap();
    parts.extensions.get::<Known>().unwrap().clone()
}

fn with_parent() -> Request<()> {
    let request = Request::get("/users/42?token=hunter2")
        .header("authorization", "hunter2")
        .header("traceparent", PARENT)
        .header("tracestate", "rojo=1,foo@bar@baz=2");
    request.body(()).unwrap()
}

#[tokio::test]
async fn a_request_has_one_server_span_in_the_callers_trace() {
    let (exporter, provider) = recording();
    let provider = provider.build();
    let (trace, trace_id, span_id) = served(&provider, with_parent()).await;
    assert_eq!((*trace.trace_id(), *trace.span_id()), (trace_id, span_id));

    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans.len(), 1);
    let (span, parent) = (&spans[0], parse(PARENT.as_bytes(), []).unwrap());
    assert_eq!(span.span_context.trace_id().to_bytes(), *parent.trace_id());
    assert_eq!(span.span_context.span_id().to_bytes(), span_id);
    assert_eq!(span.parent_span_id.to_bytes(), *parent.span_id());
    assert!(span.parent_span_is_remote);
    assert_eq!(span.span_kind, SpanKind::Server);
    assert_eq!(span.name, "GET /users/{id}");
    assert_eq!(span.status, Status::Unset);
    let expected = [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.route", "/users/{id}"),
        ("network.protocol.version", "1.1"),
        ("request_id", "01890a5d-ac96-774b-bcce-b302099a8057"),
        ("url.path", "/users/42"),
        ("url.scheme", "http"),
    ];
    assert_eq!(attributes(span), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert_eq!(span.instrumentation_scope.name(), "buttress-trace");
    // What goes on: the flags, and a state that the SDK does not take for valid.
    assert_eq!(trace.flags(), 3);
    assert_eq!(trace.state().unwrap(), "rojo=1,foo@bar@baz=2");
}

#[tokio::test]
async fn a_new_trace_has_the_bytes_of_the_requests_id() {
    let (exporter, provider) = recording();
    let provider = provider.build();
    let (trace, trace_id, _) = served(&provider, Request::new(())).await;
    assert_eq!(trace_id, 0x01890a5d_ac96_774b_bcce_b302099a8057_u128.to_be_bytes());
    assert_eq!(trace.flags(), 3);
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans[0].span_context.trace_id().to_bytes(), trace_id);
    assert_eq!(spans[0].parent_span_id.to_bytes(), [0; 8]);
}

#[tokio::test]
async fn what_is_not_sampled_is_not_recorded_and_its_ids_still_go_on() {
    let (exporter, provider) = recording();
    let provider = provider.with_sampler(Sampler::AlwaysOff).build();
    let (trace, trace_id, span_id) = served(&provider, with_parent()).await;
    assert_eq!((*trace.trace_id(), *trace.span_id()), (trace_id, span_id));
    assert_eq!(trace.flags(), 2, "not sampled any more; its bytes are as random as before");
    assert!(exporter.get_finished_spans().unwrap().is_empty());
}

#[tokio::test]
async fn by_default_a_caller_that_does_not_record_is_followed() {
    let (exporter, provider) = recording();
    let provider = provider.build();
    for (flags, recorded) in [("00", false), ("01", true), ("02", false), ("03", true)] {
        exporter.reset();
        let parent = format!("{}-{flags}", PARENT.strip_suffix("-03").unwrap());
        let request = Request::get("/").header("traceparent", parent).body(()).unwrap();
        let (trace, trace_id, span_id) = served(&provider, request).await;
        assert_eq!((*trace.trace_id(), *trace.span_id()), (trace_id, span_id));
        assert_eq!(format!("{:02x}", trace.flags()), flags, "both flags go on");
        assert_eq!(!exporter.get_finished_spans().unwrap().is_empty(), recorded, "{flags}");
    }
}

#[tokio::test]
async fn a_second_trace_within_a_request_has_an_id_of_its_own() {
    let (_, provider) = recording();
    let provider = provider.build();
    let request = RequestContext::new();
    request.set_request_id(HeaderValue::from_static("01890a5d-ac96-774b-bcce-b302099a8057"));
    let begin = || {
        let tracer = provider.tracer("job");
        let span = tracer.span_builder("job").start_with_context(&tracer, &Default::default());
        opentelemetry::trace::Span::span_context(&span).trace_id().to_string()
    };
    assert_eq!(request.scope(begin), "01890a5dac96774bbcceb302099a8057");
    request.set_trace(parse(PARENT.as_bytes(), []).unwrap());
    assert_ne!(request.scope(begin), "01890a5dac96774bbcceb302099a8057");
}

#[tokio::test]
async fn a_tracer_that_does_nothing_leaves_propagation() {
    let (_, provider) = recording();
    let stopped = provider.build();
    stopped.shutdown().unwrap();
    let (trace, ..) = served(&stopped, with_parent()).await;
    let parent = parse(PARENT.as_bytes(), []).unwrap();
    assert_eq!(trace.trace_id(), parent.trace_id());
    assert_ne!(trace.span_id(), parent.span_id());

    let noop = opentelemetry::trace::noop::NoopTracerProvider::new();
    let service = TraceLayer::new(Trace::otel(&noop)).layer(service_fn(|_: Request<()>| {
        let trace = context::current().unwrap().trace().unwrap().clone();
        ready(Ok::<_, Infallible>(
            Response::builder().extension(trace).body(Body::empty()).unwrap(),
        ))
    }));
    let response = service.oneshot(with_parent()).await.unwrap();
    let trace = response.extensions().get::<TraceContext>().unwrap();
    assert_eq!(trace.trace_id(), parent.trace_id());
    assert_ne!(trace.span_id(), parent.span_id());

    let request = RequestContext::new();
    request.set_trace(parent.clone());
    let sent = extract(&InRequest::new(Some(request), called(&stopped)).await).unwrap();
    assert_eq!(sent.trace_id(), parent.trace_id());
    assert_ne!(sent.span_id(), parent.span_id());
}

#[tokio::test]
async fn a_status_of_500_is_an_error_and_one_of_404_is_none() {
    for (status, code, error) in [(404, Status::Unset, None), (500, Status::error(""), Some("500"))]
    {
        let (exporter, provider) = recording();
        let provider = provider.build();
        let service =
            TraceLayer::new(Trace::otel(&provider)).layer(service_fn(move |_: Request<()>| {
                ready(Ok::<_, Infallible>(
                    Response::builder().status(status).body(Body::empty()).unwrap(),
                ))
            }));
        service.oneshot(Request::new(())).await.unwrap();
        let span = exporter.get_finished_spans().unwrap().remove(0);
        assert_eq!(span.status, code);
        let all = attributes(&span);
        let kind = all.iter().find(|(key, _)| key == "error.type").map(|(_, value)| value.as_str());
        assert_eq!(kind, error);
    }
}

/// Answers with the headers that were sent.
fn echo(call: Request<()>) -> Ready<Result<Response<Body>, Infallible>> {
    let (parts, ()) = call.into_parts();
    ready(Ok(Response::builder().extension(parts.headers).body(Body::from("a")).unwrap()))
}

async fn called(provider: &SdkTracerProvider) -> HeaderMap {
    let client = OutboundLayer::otel(provider).layer(service_fn(echo));
    let call = Request::get("https://user:hunter2@api.example/pay?card=hunter2").body(()).unwrap();
    let (parts, body) = client.oneshot(call).await.unwrap().into_parts();
    body.collect().await.unwrap();
    parts.extensions.get::<HeaderMap>().unwrap().clone()
}

#[tokio::test]
async fn a_call_has_a_client_span_within_the_requests_and_sends_its_own_id() {
    let (exporter, provider) = recording();
    let provider = provider.build();
    let clients = provider.clone();
    let service =
        TraceLayer::new(Trace::otel(&provider)).layer(service_fn(move |_: Request<()>| {
            let provider = clients.clone();
            async move {
                let sent = called(&provider).await;
                Ok::<_, Infallible>(
                    Response::builder().extension(sent).body(Body::empty()).unwrap(),
                )
            }
        }));
    let response = service.oneshot(with_parent()).await.unwrap();
    let sent = extract(response.extensions().get::<HeaderMap>().unwrap()).unwrap();

    let spans = exporter.get_finished_spans().unwrap();
    let [call, request] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(call.span_kind, SpanKind::Client);
    assert_eq!(call.name, "GET");
    assert_eq!(call.parent_span_id, request.span_context.span_id());
    assert!(!call.parent_span_is_remote);
    assert_eq!(sent.span_id(), &call.span_context.span_id().to_bytes());
    assert_eq!(sent.trace_id(), &request.span_context.trace_id().to_bytes());
    assert_eq!(sent.flags(), 3);
    assert_eq!(sent.state().unwrap(), "rojo=1,foo@bar@baz=2");
    let expected = [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("network.protocol.version", "1.1"),
        ("server.address", "api.example"),
        ("server.port", "443"),
        ("url.full", "https://api.example/pay"),
    ];
    assert_eq!(attributes(call), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn a_call_in_another_task_has_the_requests_span_as_its_parent() {
    let (exporter, provider) = recording();
    let provider = provider.build();
    let request = RequestContext::new();
    request.set_trace(parse(PARENT.as_bytes(), []).unwrap());
    let sent = InRequest::new(Some(request), called(&provider)).await;
    let span = exporter.get_finished_spans().unwrap().remove(0);
    assert_eq!(span.parent_span_id.to_bytes(), *parse(PARENT.as_bytes(), []).unwrap().span_id());
    assert_eq!(extract(&sent).unwrap().span_id(), &span.span_context.span_id().to_bytes());
}

#[tokio::test]
async fn a_call_outside_of_a_request_begins_a_trace_or_joins_the_current_span() {
    let (exporter, provider) = recording();
    let provider = provider.build();
    let sent = extract(&called(&provider).await).unwrap();
    let span = exporter.get_finished_spans().unwrap().remove(0);
    assert_eq!(sent.trace_id(), &span.span_context.trace_id().to_bytes());
    assert_eq!(span.parent_span_id.to_bytes(), [0; 8]);

    let job = opentelemetry::Context::current_with_span(provider.tracer("job").start("job"));
    let mut client = OutboundLayer::otel(&provider).layer(service_fn(echo));
    let call = {
        let _entered = job.clone().attach();
        client.call(Request::new(()))
    };
    let sent = extract(call.await.unwrap().extensions().get::<HeaderMap>().unwrap()).unwrap();
    assert_eq!(sent.trace_id(), &job.span().span_context().trace_id().to_bytes());
}
