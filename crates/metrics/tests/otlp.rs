//! The same numbers, on their way to a real collector.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

mod support;

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use buttress_core::context;
use buttress_metrics::HttpMetrics;
use buttress_testkit::otlp::{
    Collector,
    proto::{
        common::v1::{KeyValue, any_value::Value},
        metrics::v1::{
            AggregationTemporality, HistogramDataPoint, Metric, metric::Data,
            number_data_point::Value as Number,
        },
    },
};
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};
use support::{Line, page};
use tower::{Layer, ServiceExt, service_fn};

async fn provider(collector: &Collector) -> SdkMeterProvider {
    let exporter = MetricExporter::builder()
        .with_tonic()
        .with_endpoint(collector.endpoint())
        .with_timeout(Duration::from_secs(10))
        .with_temporality(Temporality::Cumulative)
        .build()
        .unwrap();
    SdkMeterProvider::builder().with_periodic_exporter(exporter).build()
}

async fn flush(provider: &SdkMeterProvider) {
    let flushing = provider.clone();
    tokio::task::spawn_blocking(move || flushing.force_flush()).await.unwrap().unwrap();
}

/// Answers `/{status}/{bytes}`; a path without is never answered.
async fn answer(request: Request<()>) -> Result<Response<String>, Infallible> {
    let mut parts = request.uri().path().split('/').skip(1).map(str::parse::<u16>);
    let (Some(Ok(status)), Some(Ok(bytes))) = (parts.next(), parts.next()) else {
        return std::future::pending().await;
    };
    if let Some(context) = context::current() {
        context.set_route("/{status}/{bytes}".into());
    }
    let mut response = Response::new("x".repeat(bytes.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    Ok(response)
}

/// Some exchanges that end, and one that does not: it is what is returned.
async fn busy(metrics: &HttpMetrics) -> impl Sized + use<> {
    let service = metrics.layer().layer(service_fn(answer));
    for (method, path, length) in [
        ("GET", "/200/5", None),
        ("GET", "/200/5000", None),
        ("POST", "/201/0", Some("300")),
        ("POST", "/503/20", Some("70000")),
        ("BREW", "/418/1", None),
    ] {
        let mut request = Request::builder().method(method).uri(format!("http://a:81{path}"));
        if let Some(length) = length {
            request = request.header("content-length", length);
        }
        let response = service.clone().oneshot(request.body(()).unwrap()).await.unwrap();
        let _ = response.into_body().collect().await.unwrap();
    }
    let mut open = Box::pin(service.oneshot(Request::get("http://a:81/").body(()).unwrap()));
    assert!(open.as_mut().now_or_never().is_none());
    open
}

fn labels(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let label = |attribute: &KeyValue| {
        let value = match attribute.value.as_ref().unwrap().value.as_ref().unwrap() {
            Value::StringValue(text) => text.clone(),
            Value::IntValue(number) => number.to_string(),
            Value::BoolValue(truth) => truth.to_string(),
            other => panic!("{other:?}"),
        };
        (attribute.key.replace('.', "_"), value)
    };
    attributes.iter().map(label).collect()
}

fn histogram(metric: &Metric) -> &[HistogramDataPoint] {
    let Some(Data::Histogram(histogram)) = &metric.data else { panic!("{metric:?}") };
    assert_eq!(histogram.aggregation_temporality, AggregationTemporality::Cumulative as i32);
    &histogram.data_points
}

/// A histogram is the same, series by series and bucket by bucket, as on the page.
fn assert_same_histogram(metric: &Metric, family: &str, page: &[Line]) {
    let points = histogram(metric);
    let line = |name: &str, labels: &BTreeMap<String, String>| {
        let name = format!("{family}{name}");
        let found = page.iter().find(|line| line.name == name && line.labels == *labels);
        found.unwrap_or_else(|| panic!("{name} {labels:?}")).value
    };
    let series = page.iter().filter(|line| line.name == format!("{family}_count")).count();
    assert_eq!((points.len(), series > 0), (series, true), "{family}");
    for point in points {
        let labels = labels(&point.attributes);
        assert_eq!(line("_count", &labels).to_string(), point.count.to_string());
        let sum = line("_sum", &labels);
        assert!((sum - point.sum.unwrap()).abs() < 1e-9, "{sum} {point:?}");
        let bounds = point.explicit_bounds.iter().map(ToString::to_string);
        let mut reached = 0;
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(&point.bucket_counts) {
            reached += count;
            let mut labels = labels.clone();
            labels.insert("le".to_owned(), bound);
            assert_eq!(line("_bucket", &labels).to_string(), reached.to_string());
        }
        assert_eq!(reached, point.count);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_is_sent_what_the_page_and_the_report_say() {
    for (side, metrics) in [("server", HttpMetrics::server()), ("client", HttpMetrics::client())] {
        let collector = Collector::start().await.unwrap();
        let provider = provider(&collector).await;
        let metrics = metrics.otel(&provider);
        let open = busy(&metrics).await;
        flush(&provider).await;
        let sent = collector.metrics();
        let of = |name: &str| {
            let name = format!("http.{side}.{name}");
            sent.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name}"))
        };

        let units: BTreeMap<_, _> =
            sent.iter().map(|metric| (&*metric.name, &*metric.unit)).collect();
        let expected = [
            ("active_requests", "{request}"),
            ("request.body.size", "By"),
            ("request.duration", "s"),
            ("response.body.size", "By"),
        ];
        let expected = expected.map(|(name, unit)| (format!("http.{side}.{name}"), unit));
        assert_eq!(units, expected.iter().map(|(name, unit)| (&**name, *unit)).collect());
        assert!(collector.scopes().iter().all(|scope| scope == "buttress-metrics"));

        let lines = page(&metrics);
        for (name, family) in [
            ("request.duration", "request_duration_seconds"),
            ("request.body.size", "request_body_size_bytes"),
            ("response.body.size", "response_body_size_bytes"),
        ] {
            assert_same_histogram(of(name), &format!("http_{side}_{family}"), &lines);
        }

        let report = metrics.report();
        let durations = histogram(of("request.duration"));
        let count: u64 = durations.iter().map(|point| point.count).sum();
        assert_eq!((count, report.since_start().requests()), (5, 5));
        let by = |label: &str| {
            let mut by = BTreeMap::new();
            for point in durations {
                if let Some(value) = labels(&point.attributes).remove(label) {
                    *by.entry(value).or_insert(0) += point.count;
                }
            }
            by
        };
        let own = |counts: Vec<(&str, u64)>| -> BTreeMap<_, _> {
            counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
        };
        let since_start = report.since_start();
        assert_eq!(by("http_request_method"), own(since_start.by_method().collect()));
        assert_eq!(by("http_response_status_code"), own(since_start.by_status().collect()));
        assert_eq!(by("error_type"), own(since_start.errors().collect()));

        assert_eq!(in_flight(of("active_requests")), 1);
        drop(open);
        flush(&provider).await;
        let sent = collector.metrics();
        let name = format!("http.{side}.active_requests");
        let gauge = sent.iter().find(|metric| metric.name == name).unwrap();
        assert_eq!((in_flight(gauge), metrics.in_flight()), (0, 0));
        tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap().unwrap();
    }
}

/// The sum of an up-down counter, over all of its attributes.
fn in_flight(metric: &Metric) -> i64 {
    let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
    assert!(!sum.is_monotonic);
    let value = |value: Option<Number>| match value {
        Some(Number::AsInt(value)) => value,
        other => panic!("{other:?}"),
    };
    sum.data_points.iter().map(|point| value(point.value)).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_one_series_too_many_is_sent_too_and_the_sum_is_right() {
    let collector = Collector::start().await.unwrap();
    let provider = provider(&collector).await;
    let metrics = HttpMetrics::server().otel(&provider);
    let service = metrics.layer().layer(service_fn(|request: Request<()>| async move {
        context::current().unwrap().set_route(request.uri().path().into());
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    for number in 0..3_000 {
        let request = Request::get(format!("/{number}")).body(()).unwrap();
        drop(service.clone().oneshot(request).await.unwrap());
    }
    flush(&provider).await;
    let sent = collector.metrics();
    let durations = sent.iter().find(|metric| metric.name.ends_with("duration")).unwrap();
    let points = histogram(durations);
    // The SDK has a limit of its own, and the same words for what is past it.
    assert!(points.len() <= buttress_metrics::MAX_SERIES + 1, "{}", points.len());
    assert_eq!(points.iter().map(|point| point.count).sum::<u64>(), 3_000);
    let is_overflow = |point: &&HistogramDataPoint| {
        labels(&point.attributes).contains_key("otel_metric_overflow")
    };
    assert_eq!(points.iter().filter(is_overflow).count(), 1);
    tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_that_nobody_holds_any_more_are_sent_no_more() {
    let collector = Collector::start().await.unwrap();
    let provider = provider(&collector).await;
    let metrics = HttpMetrics::server().otel(&provider);
    let open = busy(&metrics).await;
    flush(&provider).await;
    assert!(collector.metrics().iter().any(|metric| metric.name.ends_with("active_requests")));
    drop((open, metrics));
    flush(&provider).await;
    let sent = collector.metrics();
    let gauge = sent.iter().find(|metric| metric.name.ends_with("active_requests"));
    assert_eq!(gauge.map_or(0, in_flight), 0);
    tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap().unwrap();
}
