//! The laws of a correct layer.

use buttress_conformance::{
    Law, Laws, ProbeBody, assert_any_body, assert_auto_traits, assert_error_type,
};
use buttress_core::context::RequestContext;
use buttress_trace::{OutboundLayer, Trace, TraceLayer};
use http::{HeaderMap, HeaderValue, Request};

fn with(set: fn(&mut HeaderMap)) -> impl Fn() -> Request<ProbeBody> {
    move || {
        let mut request = Request::new(ProbeBody::new().data("{}").exact());
        set(request.headers_mut());
        request
    }
}

fn traced(headers: &mut HeaderMap) {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    headers.insert("traceparent", HeaderValue::from_static(parent));
    headers.insert("tracestate", HeaderValue::from_static("rojo=1,congo=2"));
}

fn joined(headers: &mut HeaderMap) {
    traced(headers);
    headers.append("tracestate", HeaderValue::from_static("baz=3"));
}

#[test]
fn beginning_and_continuing_a_trace_cost_no_allocation() {
    let layer = TraceLayer::new(Trace::propagate());
    assert_auto_traits(&layer);
    assert_any_body(&layer);
    assert_error_type(&layer);
    Laws::of(layer.clone()).allocates(0).check();
    Laws::of(layer.clone()).request(with(traced)).allocates(0).check();
    // The joined state: its text, and the count of who shares it.
    Laws::of(layer).request(with(joined)).allocates(1).check();
}

#[test]
fn every_setting_keeps_the_laws() {
    Laws::of(TraceLayer::new(Trace::propagate().restart(true).sampled(false))).check();
    Laws::of(TraceLayer::disabled()).allocates(0).check();
}

#[test]
fn spans_that_nobody_records_cost_no_allocation() {
    let layer = TraceLayer::new(Trace::spans().https(true));
    assert_any_body(&layer);
    Laws::of(layer).request(with(traced)).allocates(0).check();
}

#[test]
fn spans_that_are_recorded_keep_the_laws() {
    let subscriber = tracing_subscriber::registry();
    tracing::subscriber::with_default(subscriber, || {
        Laws::of(TraceLayer::new(Trace::spans())).check();
        Laws::of(OutboundLayer::spans()).check();
    });
}

#[test]
fn outside_of_a_request_a_call_costs_nothing() {
    let layer = OutboundLayer::propagate();
    assert_auto_traits(&layer);
    assert_any_body(&layer);
    assert_error_type(&layer);
    Laws::of(layer).allocates(0).check();
    Laws::of(OutboundLayer::disabled()).allocates(0).check();
}

#[test]
fn in_a_request_a_call_costs_its_headers() {
    let request = RequestContext::new();
    let mut headers = HeaderMap::new();
    traced(&mut headers);
    request.set_trace(buttress_trace::extract(&headers).unwrap());
    request.scope(|| {
        // The value of `traceparent`, and two for the first header of the map.
        Laws::of(OutboundLayer::propagate()).allocates(3).check();
        // Those that are there already have room: the value alone.
        let replaced = Laws::of(OutboundLayer::propagate()).request(with(traced));
        replaced.except(Law::Request).allocates(1).check();
        Laws::of(OutboundLayer::disabled()).allocates(0).check();
    });
}

#[cfg(feature = "otel")]
mod otel {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    };

    use buttress_conformance::End;
    use opentelemetry_sdk::{
        error::OTelSdkResult,
        trace::{SdkTracerProvider, Span, SpanData, SpanProcessor},
    };

    use super::{Laws, OutboundLayer, Trace, TraceLayer, assert_any_body, assert_auto_traits};

    #[derive(Clone, Debug, Default)]
    struct Tally {
        begun: Arc<AtomicU64>,
        ended: Arc<AtomicU64>,
    }

    impl SpanProcessor for Tally {
        fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {
            self.begun.fetch_add(1, SeqCst);
        }

        fn on_end(&self, _: SpanData) {
            self.ended.fetch_add(1, SeqCst);
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: std::time::Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    fn provider(tally: &Tally) -> SdkTracerProvider {
        SdkTracerProvider::builder().with_span_processor(tally.clone()).build()
    }

    #[test]
    fn each_request_has_one_server_span_that_ends_with_it() {
        let tally = Tally::default();
        let layer = TraceLayer::new(Trace::otel(&provider(&tally)));
        assert_auto_traits(&layer);
        assert_any_body(&layer);
        let (calls, ends, live) = (tally.clone(), tally.clone(), tally);
        Laws::of(layer)
            .counts_calls(move || calls.begun.load(SeqCst))
            .counts_ends(End::ALL, move || ends.ended.load(SeqCst))
            .gauges_in_flight(move || live.begun.load(SeqCst) - live.ended.load(SeqCst))
            .check();
    }

    #[test]
    fn each_call_has_one_client_span_that_ends_with_it() {
        let tally = Tally::default();
        let layer = OutboundLayer::otel(&provider(&tally));
        assert_auto_traits(&layer);
        assert_any_body(&layer);
        let (calls, ends, live) = (tally.clone(), tally.clone(), tally);
        Laws::of(layer)
            .counts_calls(move || calls.begun.load(SeqCst))
            .counts_ends(End::ALL, move || ends.ended.load(SeqCst))
            .gauges_in_flight(move || live.begun.load(SeqCst) - live.ended.load(SeqCst))
            .check();
    }
}
