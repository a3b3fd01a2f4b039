use axum_prometheus::metrics::{Gauge, Label, counter, gauge, histogram};
use buttress::metrics::HttpMetrics;
use buttress::{
    context::RequestContext,
    observe::{ObserveLayer, Observer, Totals},
};
use http::Request;
use opentelemetry::{
    KeyValue,
    metrics::{Histogram, MeterProvider, UpDownCounter},
};
use opentelemetry_sdk::metrics::{ManualReader, SdkMeterProvider};
use tower_layer::Layer;

use super::Headers;
use crate::{
    Case, Loop,
    case::bare,
    drive::{Answer, Bare, serve},
    peers,
};

pub(super) fn cases() -> Vec<Case> {
    vec![recorded(), layer()]
}

const ROUTE: &str = "/users/{id}";

fn ours() -> HttpMetrics {
    HttpMetrics::server().route_from(|_| Some(ROUTE))
}

fn observed<O: Observer + 'static>(observer: O) -> Loop {
    serve(ObserveLayer::new(observer).layer(Bare(Answer::Empty)), Headers::None.request())
}

/// What recording takes where the exchange is observed anyway: a histogram, a gauge, and what else
/// each of them keeps.
fn recorded() -> Case {
    let nobody = bare("a request that is observed", || Ok(observed(())));
    Case::new("metrics, recorded", nobody, || Ok(observed(ours())))
        .peer("metrics", || {
            peers::prometheus()?;
            Ok(observed(ByMacros))
        })
        .peer("opentelemetry", || Ok(observed(ByInstruments::new())))
        .asked(400, 0)
}

/// By itself.
fn layer() -> Case {
    Case::new("metrics, a layer", Headers::None.bare(), || {
        Ok(serve(ours().layer().layer(Bare(Answer::Empty)), Headers::None.request()))
    })
    .peer("axum-prometheus", || {
        Ok(serve(peers::prometheus()?.layer(Bare(Answer::Empty)), Headers::None.request()))
    })
}

/// A counter, a histogram and a gauge of the crate metrics, in a Prometheus recorder.
struct ByMacros;

impl Observer for ByMacros {
    type Exchange = (&'static str, Gauge);

    fn on_request<B>(&self, request: &Request<B>, _: &RequestContext) -> Self::Exchange {
        let method = peers::method(request.method());
        let active = gauge!("bench_active_requests", "method" => method, "scheme" => "http");
        active.increment(1);
        (method, active)
    }

    fn on_end(&self, (method, active): Self::Exchange, end: &Totals, _: &RequestContext) {
        let status = end.status.map(|status| status.as_u16().to_string());
        let labels = [
            Label::from_static_parts("method", method),
            Label::from_static_parts("scheme", "http"),
            Label::from_static_parts("route", ROUTE),
            Label::from_static_parts("version", "1.1"),
            Label::new("status", status.unwrap_or_default()),
        ];
        counter!("bench_requests_total", labels.iter()).increment(1);
        histogram!("bench_request_duration_seconds", labels.iter()).record(end.duration);
        active.decrement(1);
    }
}

/// OpenTelemetry's, with five attributes.
struct ByInstruments {
    active: UpDownCounter<i64>,
    duration: Histogram<f64>,
    // Without it nothing is kept.
    _provider: SdkMeterProvider,
}

impl ByInstruments {
    fn new() -> Self {
        let provider = SdkMeterProvider::builder().with_reader(ManualReader::default()).build();
        let meter = provider.meter("bench");
        let active = meter.i64_up_down_counter("http.server.active_requests").build();
        let duration = meter.f64_histogram("http.server.request.duration").build();
        Self { active, duration, _provider: provider }
    }
}

impl Observer for ByInstruments {
    type Exchange = [KeyValue; 2];

    fn on_request<B>(&self, request: &Request<B>, _: &RequestContext) -> Self::Exchange {
        let attributes = [
            KeyValue::new("http.request.method", peers::method(request.method())),
            KeyValue::new("url.scheme", "http"),
        ];
        self.active.add(1, &attributes);
        attributes
    }

    fn on_end(&self, attributes: Self::Exchange, end: &Totals, _: &RequestContext) {
        self.active.add(-1, &attributes);
        let [method, scheme] = attributes;
        let status = end.status.map_or(0, |status| i64::from(status.as_u16()));
        let attributes = [
            method,
            scheme,
            KeyValue::new("http.route", ROUTE),
            KeyValue::new("http.response.status_code", status),
            KeyValue::new("network.protocol.version", "1.1"),
        ];
        self.duration.record(end.duration.as_secs_f64(), &attributes);
    }
}
