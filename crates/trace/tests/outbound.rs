//! A call goes out with its trace, and is recorded.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod support;

use std::future::{Ready, ready};

use axum::body::Body;
use buttress_core::context::RequestContext;
use buttress_trace::{OutboundLayer, extract, parse};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Layer, Service, service_fn};

use self::support::Spans;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

fn traced() -> RequestContext {
    let request = RequestContext::new();
    request.set_trace(parse(TRACE.as_bytes(), [b"rojo=1".as_slice()]).unwrap());
    request
}

/// Answers with the call's headers as an extension, and the status that it asks for.
fn echo(call: Request<()>) -> Ready<Result<Response<Body>, &'static str>> {
    let (parts, ()) = call.into_parts();
    let Some(status) = parts.extensions.get::<StatusCode>() else {
        return ready(Err("refused"));
    };
    let response = Response::builder().status(status).extension(parts.headers);
    ready(Ok(response.body(Body::from("hello")).unwrap()))
}

fn call() -> Request<()> {
    let uri = "http://user:hunter2@api.example:8080/pay?card=hunter2";
    Request::post(uri).extension(StatusCode::OK).body(()).unwrap()
}

async fn sent(layer: OutboundLayer, context: &RequestContext, call: Request<()>) -> HeaderMap {
    let mut client = layer.layer(service_fn(echo));
    let answer = context.scope(|| client.call(call)).await.unwrap();
    let headers = answer.extensions().get::<HeaderMap>().unwrap().clone();
    answer.into_body().collect().await.unwrap();
    headers
}

#[tokio::test]
async fn a_call_goes_out_with_the_trace_of_its_request() {
    for layer in [OutboundLayer::propagate(), OutboundLayer::spans(), OutboundLayer::default()] {
        let headers = sent(layer, &traced(), call()).await;
        assert_eq!(headers["traceparent"], TRACE);
        assert_eq!(headers["tracestate"], "rojo=1");
    }
}

#[tokio::test]
async fn without_a_trace_or_a_layer_nothing_is_set() {
    for layer in [OutboundLayer::propagate(), OutboundLayer::spans()] {
        assert_eq!(extract(&sent(layer, &RequestContext::new(), call()).await), None);
    }
    assert!(sent(OutboundLayer::disabled(), &traced(), call()).await.is_empty());
}

#[tokio::test]
async fn a_trace_that_the_call_has_already_is_left_alone() {
    for name in ["traceparent", "tracestate"] {
        let mut call = call();
        call.headers_mut().insert(name, http::HeaderValue::from_static("mine"));
        let headers = sent(OutboundLayer::propagate(), &traced(), call).await;
        assert_eq!(headers.len(), 1);
        assert_eq!(headers[name], "mine");
    }
}

#[tokio::test]
async fn a_calls_span_says_where_it_went_without_secrets_and_ends_with_the_body() {
    let (spans, _kept) = Spans::keep();
    sent(OutboundLayer::spans(), &traced(), call()).await;
    let span = spans.only("call");
    let expected = [
        ("otel.name", "POST"),
        ("otel.kind", "client"),
        ("http.request.method", "POST"),
        ("http.response.status_code", "200"),
        ("server.address", "api.example"),
        ("server.port", "8080"),
        ("url.full", "http://api.example:8080/pay"),
    ];
    for (field, value) in expected {
        assert_eq!(span.get(field), Some(value), "{field}");
    }
    assert_eq!(span.fields.len(), expected.len(), "{:?}", span.fields);
    assert!(span.closed);
}

#[tokio::test]
async fn an_answer_from_400_up_a_failure_and_a_cancelled_call_are_errors() {
    for (status, error) in [(302, None), (404, Some("404")), (503, Some("503"))] {
        let (spans, _kept) = Spans::keep();
        let mut call = call();
        call.extensions_mut().insert(StatusCode::from_u16(status).unwrap());
        sent(OutboundLayer::spans(), &traced(), call).await;
        assert_eq!(spans.only("call").get("error.type"), error);
        assert_eq!(spans.only("call").get("otel.status_code"), error.map(|_| "ERROR"));
    }

    let (spans, _kept) = Spans::keep();
    let mut client = OutboundLayer::spans().layer(service_fn(echo));
    assert_eq!(client.call(Request::new(())).await.unwrap_err(), "refused");
    assert_eq!(spans.only("call").get("error.type"), Some("service_error"));

    let (spans, _kept) = Spans::keep();
    drop(client.call(call()));
    assert_eq!(spans.only("call").get("error.type"), Some("cancelled"));
}
