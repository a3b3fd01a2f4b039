//! What the collector keeps of what real clients send.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use buttress_testkit::otlp::{
    Collector,
    proto::{
        collector::{
            metrics::v1::{
                ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient,
            },
            trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
        },
        common::v1::InstrumentationScope,
        metrics::v1::{Metric, ResourceMetrics, ScopeMetrics},
        trace::v1::{ResourceSpans, ScopeSpans, Span},
    },
};

fn scope(name: &str) -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: name.to_owned(), ..Default::default() })
}

#[tokio::test]
async fn it_keeps_every_span_and_the_newest_metrics() {
    let collector = Collector::start().await.unwrap();
    let mut traces = TraceServiceClient::connect(collector.endpoint()).await.unwrap();
    let mut metrics = MetricsServiceClient::connect(collector.endpoint()).await.unwrap();
    for name in ["first", "second"] {
        let span = Span { name: name.to_owned(), ..Default::default() };
        let of_scope = ScopeSpans { scope: scope("a"), spans: vec![span], ..Default::default() };
        let of_resource = ResourceSpans { scope_spans: vec![of_scope], ..Default::default() };
        let request = ExportTraceServiceRequest { resource_spans: vec![of_resource] };
        traces.export(request).await.unwrap();

        let metric = Metric { name: name.to_owned(), ..Default::default() };
        let of_scope =
            ScopeMetrics { scope: scope("b"), metrics: vec![metric], ..Default::default() };
        let of_resource = ResourceMetrics { scope_metrics: vec![of_scope], ..Default::default() };
        let request = ExportMetricsServiceRequest { resource_metrics: vec![of_resource] };
        metrics.export(request).await.unwrap();
    }
    let spans: Vec<_> = collector.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(spans, ["first", "second"]);
    let metrics: Vec<_> = collector.metrics().into_iter().map(|metric| metric.name).collect();
    assert_eq!(metrics, ["second"]);
    assert_eq!(collector.scopes(), ["a", "b", "a", "b"]);
}
