//! The id and the trace on their way out of a request, and into the next.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
};

use axum::{Router, body::Body, routing::get};
use buttress_core::context::{self, InRequest, RequestContext, TraceContext};
use buttress_request_id::{
    Carrier, PropagateLayer, RequestIdLayer, X_CORRELATION_ID, X_REQUEST_ID, is_valid,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use proptest::prelude::*;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

fn traced(id: &'static str) -> RequestContext {
    let request = RequestContext::new();
    request.set_request_id(HeaderValue::from_static(id));
    let trace_id = 0x0af7651916cd43dd8448eb211c80319c_u128.to_be_bytes();
    let span_id = 0xb7ad6b7169203331_u64.to_be_bytes();
    let trace = TraceContext::new(trace_id, span_id, 3).unwrap();
    request.set_trace(trace.with_state(HeaderValue::from_static("vendor=1")));
    request
}

/// What the client sends, called in this context.
fn outbound(layer: &PropagateLayer, context: &RequestContext, call: Request<()>) -> HeaderMap {
    fn client(call: Request<()>) -> Ready<Result<Response<HeaderMap>, Infallible>> {
        ready(Ok(Response::new(call.into_parts().0.headers)))
    }
    let mut client = layer.layer(service_fn(client));
    context.scope(|| client.call(call)).into_inner().unwrap().into_body()
}

#[test]
fn id_and_trace_go_out_with_a_call() {
    let sent = outbound(&PropagateLayer::new(), &traced("a"), Request::new(()));
    assert_eq!(sent[X_REQUEST_ID], "a");
    assert_eq!(sent["traceparent"], TRACEPARENT);
    assert_eq!(sent["tracestate"], "vendor=1");
    assert_eq!(sent.len(), 3);
}

#[test]
fn names_can_be_chosen() {
    let layer = PropagateLayer::new().header(X_CORRELATION_ID).also_send([X_REQUEST_ID]);
    let sent = outbound(&layer, &traced("a"), Request::new(()));
    assert_eq!(sent[X_CORRELATION_ID], "a");
    assert_eq!(sent[X_REQUEST_ID], "a");
}

#[test]
fn a_call_that_can_take_no_more_headers_goes_out_without() {
    let mut call = Request::new(());
    let names = (0_u32..).map(|n| HeaderName::try_from(format!("x-{n}")).unwrap());
    for name in names {
        if call.headers_mut().try_insert(name, HeaderValue::from_static("")).is_err() {
            break;
        }
    }
    let full = call.headers().len();
    assert_eq!(outbound(&PropagateLayer::new(), &traced("a"), call).len(), full);
}

#[test]
fn a_clone_of_the_client_allocates_nothing() {
    let client = PropagateLayer::new().also_send([X_CORRELATION_ID]).layer(());
    assert_eq!(buttress_conformance::allocations(|| client.clone()), 0);
}

#[test]
fn what_the_call_says_itself_stays() {
    let call = Request::builder().header(X_REQUEST_ID, "mine").header("traceparent", "mine");
    let sent = outbound(&PropagateLayer::new(), &traced("a"), call.body(()).unwrap());
    assert_eq!(sent[X_REQUEST_ID], "mine");
    assert_eq!(sent["traceparent"], "mine");
    // The state of one trace does not belong to another.
    assert!(!sent.contains_key("tracestate"));

    let call = Request::builder().header("tracestate", "mine").body(()).unwrap();
    let sent = outbound(&PropagateLayer::new(), &traced("a"), call);
    assert_eq!(sent["tracestate"], "mine");
    assert!(!sent.contains_key("traceparent"));
}

#[test]
fn a_context_that_knows_nothing_sends_nothing() {
    let sent = outbound(&PropagateLayer::new(), &RequestContext::new(), Request::new(()));
    assert!(sent.is_empty());
    let mut headers = HeaderMap::new();
    Carrier::new().inject(&mut headers);
    assert!(headers.is_empty());
}

async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Two services, each with the layer, and a client with propagation in the first.
#[tokio::test]
async fn one_id_crosses_two_services() {
    async fn show() -> String {
        let request = context::current().unwrap();
        tokio::task::yield_now().await;
        request.request_id().unwrap().to_str().unwrap().to_owned()
    }
    let second = serve(Router::new().route("/", get(show)).layer(RequestIdLayer::new())).await;

    let client = ServiceBuilder::new()
        .layer(PropagateLayer::new())
        .service(Client::builder(TokioExecutor::new()).build_http::<Body>());
    let call_second = move || async move {
        let call = Request::get(format!("http://{second}/")).body(Body::empty()).unwrap();
        let answer = client.oneshot(call).await.unwrap();
        let echoed = answer.headers()[X_REQUEST_ID].clone();
        let seen = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(seen, echoed.as_bytes());
        echoed.to_str().unwrap().to_owned()
    };
    let app = Router::new().route("/", get(call_second)).layer(RequestIdLayer::new());
    let first = serve(app).await;

    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    for id in [Some("edge-1"), None] {
        let mut call = Request::get(format!("http://{first}/"));
        if let Some(id) = id {
            call = call.header(X_REQUEST_ID, id);
        }
        let answer = client.request(call.body(Body::empty()).unwrap()).await.unwrap();
        let echoed = answer.headers()[X_REQUEST_ID].clone();
        assert!(id.is_none_or(|id| echoed == id));
        let second_saw = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(second_saw, echoed.as_bytes());
    }
}

#[tokio::test]
async fn a_job_runs_with_the_id_of_the_request_that_queued_it() {
    let mut message = HeaderMap::new();
    traced("queued").scope(|| Carrier::new().inject(&mut message));
    let context = Carrier::new().extract(&message);
    let id = InRequest::new(Some(context), async {
        tokio::task::yield_now().await;
        context::current().unwrap().request_id().cloned()
    });
    assert_eq!(id.await.unwrap(), "queued");
}

#[test]
fn a_message_of_any_kind_carries_it() {
    let mut message = Vec::new();
    let carrier = Carrier::new().also_send([X_CORRELATION_ID]);
    traced("a").scope(|| {
        carrier.inject_with(|name, value| message.push((name.to_owned(), value.to_owned())));
    });
    let expected = [
        ("x-request-id", "a"),
        ("x-correlation-id", "a"),
        ("traceparent", TRACEPARENT),
        ("tracestate", "vendor=1"),
    ];
    assert_eq!(message, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let get = |name: &str| message.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    assert_eq!(carrier.extract_with(get).request_id().unwrap(), "a");
}

#[test]
fn a_carried_id_is_held_to_the_same_rule() {
    let carrier = Carrier::new();
    for refused in ["", "two words", "a/b", &"x".repeat(129)] {
        let id = carrier.extract_with(|_| Some(refused)).request_id().cloned().unwrap();
        assert_eq!(id.len(), 36, "{refused}");
    }
    let mut twice = HeaderMap::new();
    twice.append(X_REQUEST_ID, HeaderValue::from_static("a"));
    twice.append(X_REQUEST_ID, HeaderValue::from_static("a"));
    assert_eq!(carrier.extract(&twice).request_id().unwrap().len(), 36);
    assert_eq!(carrier.extract(&HeaderMap::new()).request_id().unwrap().len(), 36);
}

proptest! {
    #[test]
    fn whatever_is_carried_the_context_has_a_valid_id(
        carried in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
    ) {
        let context = Carrier::new().extract_with(|_| carried.as_ref());
        let id = context.request_id().unwrap();
        prop_assert!(is_valid(id.as_bytes()));
        if let Some(carried) = carried && is_valid(&carried) {
            prop_assert_eq!(id.as_bytes(), &carried);
        }
    }
}
