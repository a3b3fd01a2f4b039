//! A call goes out with its trace, and is recorded.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod support;

use std::{
    collections::HashSet,
    future::{Ready, ready},
};

use axum::body::Body;
use buttress_core::context::RequestContext;
use buttress_trace::{OutboundLayer, Trace, TraceContext, TraceLayer, extract, parse};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn};

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
    let (_, _kept) = Spans::keep();
    for layer in [OutboundLayer::propagate(), OutboundLayer::spans(), OutboundLayer::default()] {
        let headers = sent(layer, &traced(), call()).await;
        let (request, sent) = (parse(TRACE.as_bytes(), []).unwrap(), extract(&headers).unwrap());
        assert_eq!(sent.trace_id(), request.trace_id());
        assert_eq!(sent.flags(), 3);
        assert_eq!(sent.state().unwrap(), "rojo=1");
        assert_ne!(sent.span_id(), request.span_id(), "a call is not its request");
    }
}

#[tokio::test]
async fn each_call_of_a_request_has_an_id_of_its_own_and_leaves_the_request_its() {
    let (_, _kept) = Spans::keep();
    for layer in [OutboundLayer::propagate(), OutboundLayer::spans()] {
        let request = traced();
        let mut ids = HashSet::new();
        // The same call again, as a retry makes it.
        for _ in 0..3 {
            let headers = sent(layer.clone(), &request, call()).await;
            assert!(ids.insert(*extract(&headers).unwrap().span_id()));
        }
        assert_eq!(request.trace().unwrap().to_string(), TRACE);
        assert_eq!(request.started(), None, "the call is not the request");
    }
}

/// What the specification's validation service asks of a service that calls back three times.
#[tokio::test]
async fn a_service_passes_its_callers_trace_on_and_begins_one_where_there_is_none() {
    let (_, _kept) = Spans::keep();
    let invalid = "00-00000000000000000000000000000000-1234567890123456-01";
    for parent in [None, Some(TRACE), Some(invalid)] {
        let service =
            TraceLayer::new(Trace::propagate()).layer(service_fn(|_: Request<()>| async {
                let client = OutboundLayer::propagate().layer(service_fn(echo));
                let mut sent = Vec::new();
                for _ in 0..3 {
                    let answer = client.clone().oneshot(call()).await?;
                    sent.extend(extract(answer.extensions().get::<HeaderMap>().unwrap()));
                }
                Ok::<_, &str>(Response::builder().extension(sent).body(Body::empty()).unwrap())
            }));
        let mut request = Request::new(());
        if let Some(parent) = parent {
            request.headers_mut().insert("traceparent", HeaderValue::from_static(parent));
        }
        let answer = service.oneshot(request).await.unwrap();
        let sent = answer.extensions().get::<Vec<TraceContext>>().unwrap();
        let traces: HashSet<_> = sent.iter().map(|trace| hex(trace.trace_id())).collect();
        let spans: HashSet<_> = sent.iter().map(|trace| hex(trace.span_id())).collect();
        assert_eq!((sent.len(), traces.len(), spans.len()), (3, 1, 3));
        let continued = traces.contains("0af7651916cd43dd8448eb211c80319c");
        assert_eq!(continued, parent == Some(TRACE));
        assert!(!spans.contains("b7ad6b7169203331") && !spans.contains("1234567890123456"));
    }
}

#[tokio::test]
async fn without_a_trace_or_a_layer_nothing_is_set() {
    let (_, _kept) = Spans::keep();
    for layer in [OutboundLayer::propagate(), OutboundLayer::spans()] {
        assert_eq!(extract(&sent(layer, &RequestContext::new(), call()).await), None);
    }
    assert!(sent(OutboundLayer::disabled(), &traced(), call()).await.is_empty());
}

#[tokio::test]
async fn a_request_that_is_passed_on_has_its_callers_trace_replaced() {
    let callers = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
    let passed_on = || {
        let mut call = call();
        call.headers_mut().append("traceparent", HeaderValue::from_static(callers));
        call.headers_mut().append("tracestate", HeaderValue::from_static("congo=2"));
        call.headers_mut().append("tracestate", HeaderValue::from_static("baz=3"));
        call
    };
    let headers = sent(OutboundLayer::propagate(), &traced(), passed_on()).await;
    let replaced = extract(&headers).unwrap();
    assert!(!["00f067aa0ba902b7", "b7ad6b7169203331"].contains(&&*hex(replaced.span_id())));
    assert_eq!(replaced.state().unwrap(), "rojo=1");
    assert_eq!(headers.len(), 2, "one line each");

    // Who has no trace of its own passes it on as it is (W3C Trace Context §3.4).
    let headers = sent(OutboundLayer::propagate(), &RequestContext::new(), passed_on()).await;
    assert_eq!(headers["traceparent"], callers);
    assert_eq!(headers.get_all("tracestate").iter().count(), 2);
}

#[tokio::test]
async fn a_calls_span_says_where_it_went_without_secrets_and_ends_with_the_body() {
    let (spans, _kept) = Spans::keep();
    let headers = sent(OutboundLayer::spans(), &traced(), call()).await;
    let span = spans.only("call");
    let (trace_id, span_id) =
        (hex(extract(&headers).unwrap().trace_id()), hex(extract(&headers).unwrap().span_id()));
    let expected = [
        ("trace_id", &*trace_id),
        ("span_id", &*span_id),
        ("network.protocol.version", "1.1"),
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

    let (spans, _kept) = Spans::keep();
    drop(client.call(call()).await.unwrap());
    assert!(spans.only("call").closed);
    assert_eq!(spans.only("call").get("error.type"), None, "who has the head may be content");
}

#[tokio::test]
async fn ids_are_written_on_no_span_but_the_calls_own() {
    let (spans, _kept) = Spans::keep();
    let own = tracing::info_span!("own", "span_id" = tracing::field::Empty);
    let headers = {
        let request = traced();
        let mut client = OutboundLayer::propagate().layer(service_fn(echo));
        let _entered = own.enter();
        request
            .scope(|| client.call(call()))
            .await
            .unwrap()
            .extensions()
            .get::<HeaderMap>()
            .cloned()
    };
    assert!(extract(&headers.unwrap()).is_some());
    assert_eq!(spans.only("own").get("span_id"), None);
}

#[tokio::test]
async fn a_call_is_named_by_the_methods_that_are_known() {
    let (spans, _kept) = Spans::keep();
    let layer = OutboundLayer::spans().known_methods([http::Method::GET]);
    sent(layer, &traced(), call()).await;
    assert_eq!(spans.only("call").get("otel.name"), Some("HTTP"));
    assert_eq!(spans.only("call").get("http.request.method"), Some("_OTHER"));
    assert_eq!(spans.only("call").get("http.request.method_original"), Some("POST"));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
