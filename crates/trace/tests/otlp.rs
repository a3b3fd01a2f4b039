//! Spans on their way to a real collector.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body, routing::get};
use buttress_core::context;
use buttress_testkit::otlp::{
    Collector,
    proto::trace::v1::{Span, span::SpanKind},
};
use buttress_trace::{OutboundLayer, RequestIdGenerator, Trace, TraceLayer};
use http::Request;
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tokio::net::TcpListener;
use tower::ServiceExt;

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A caller, a first service that calls a second one, and a collector: three spans of one trace,
/// with the ids that the services themselves know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_of_two_services_arrive_as_one_trace_with_the_ids_that_their_code_knows() {
    let collector = Collector::start().await.unwrap();
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(collector.endpoint())
        .with_timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    let provider = SdkTracerProvider::builder()
        .with_id_generator(RequestIdGenerator::new())
        .with_resource(Resource::builder().with_service_name("test").build())
        .with_batch_exporter(exporter)
        .build();

    async fn known() -> String {
        context::current().unwrap().trace().unwrap().to_string()
    }
    let layer = TraceLayer::new(Trace::otel(&provider));
    let second = serve(Router::new().route("/second", get(known)).layer(layer.clone())).await;
    let client = tower::ServiceBuilder::new()
        .layer(OutboundLayer::otel(&provider))
        .service(Client::builder(TokioExecutor::new()).build_http::<Body>());
    let first = Router::new().route(
        "/first",
        get(move || async move {
            let call = Request::get(format!("http://{second}/second")).body(Body::empty()).unwrap();
            let answer = client.oneshot(call).await.unwrap();
            let inner = answer.into_body().collect().await.unwrap().to_bytes();
            format!("{} {}", known().await, String::from_utf8(inner.to_vec()).unwrap())
        }),
    );
    let first = serve(first.layer(layer)).await;

    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let call = Request::get(format!("http://{first}/first?token=hunter2"))
        .header("traceparent", parent)
        .header("authorization", "hunter2")
        .body(Body::empty())
        .unwrap();
    let answer = Client::builder(TokioExecutor::new()).build_http::<Body>().request(call).await;
    let body = answer.unwrap().into_body().collect().await.unwrap().to_bytes();
    let said = String::from_utf8(body.to_vec()).unwrap();
    let (first, second) = said.split_once(' ').unwrap();

    // The answer is there before its server lets go of the body, which is when a span ends.
    let spans = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let flushing = provider.clone();
            tokio::task::spawn_blocking(move || flushing.force_flush()).await.unwrap().unwrap();
            let spans = collector.spans();
            if spans.len() >= 3 {
                return spans;
            }
            tokio::task::yield_now().await;
        }
    });
    let spans = spans.await.unwrap();
    assert_eq!(spans.len(), 3, "{spans:?}");
    assert!(!format!("{spans:?}").contains("hunter2"));
    assert!(collector.scopes().iter().all(|scope| scope == "buttress-trace"));

    let of = |kind: SpanKind, parent: &str| {
        let is = |span: &&Span| span.kind == kind as i32 && hex(&span.parent_span_id) == parent;
        spans.iter().find(is).unwrap_or_else(|| panic!("{spans:?}"))
    };
    let known = |span: &Span| format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id));
    let outer = of(SpanKind::Server, "b7ad6b7169203331");
    let call = of(SpanKind::Client, &hex(&outer.span_id));
    let inner = of(SpanKind::Server, &hex(&call.span_id));
    assert_eq!((first, second), (&*known(outer), &*known(inner)));
    for span in &spans {
        assert_eq!(hex(&span.trace_id), "0af7651916cd43dd8448eb211c80319c");
    }
    assert!(outer.start_time_unix_nano <= call.start_time_unix_nano);
    assert!(outer.end_time_unix_nano >= outer.start_time_unix_nano);
    tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap().unwrap();
}
