//! The laws of a correct layer.

use buttress_conformance::{End, Laws, ProbeBody, assert_any_body, assert_error_type};
use buttress_metrics::HttpMetrics;
use http::{HeaderValue, Request, header::CONTENT_LENGTH};

fn requests(metrics: &HttpMetrics) -> impl Fn() -> u64 + 'static {
    let metrics = metrics.clone();
    move || metrics.report().since_start().requests()
}

#[test]
fn a_server_is_measured_by_the_laws() {
    let metrics = HttpMetrics::server();
    assert_any_body(&metrics.layer());
    assert_error_type(&metrics.layer());
    let gauge = metrics.clone();
    Laws::of(metrics.layer())
        .counts_calls(requests(&metrics))
        .counts_ends(End::ALL, requests(&metrics))
        .gauges_in_flight(move || gauge.in_flight())
        .check();
}

#[test]
fn a_client_is_measured_by_the_laws() {
    let metrics = HttpMetrics::client();
    let gauge = metrics.clone();
    Laws::of(metrics.layer())
        .request(|| {
            let mut request = Request::new(ProbeBody::new());
            *request.uri_mut() = "https://api.example/v1".parse().unwrap_or_default();
            request
        })
        .counts_ends(End::ALL, requests(&metrics))
        .gauges_in_flight(move || gauge.in_flight())
        .allocates(0)
        .check();
}

#[test]
fn a_server_allocates_nothing() {
    #[derive(Clone)]
    struct Matched(&'static str);

    let metrics = HttpMetrics::server()
        .route_from(|extensions| extensions.get::<Matched>().map(|matched| matched.0));
    let request = || {
        let mut request = Request::new(ProbeBody::new());
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
        request.extensions_mut().insert(Matched("/users/{id}"));
        request
    };
    Laws::of(metrics.layer()).request(request).allocates(0).check();
    let report = metrics.report();
    assert_eq!(report.since_start().routes()[0].name(), Some("/users/{id}"));
}

#[test]
fn with_ids_for_exemplars_it_allocates_nothing() {
    use buttress_core::context::{RequestContext, TraceContext};

    let context = RequestContext::new();
    context.set_request_id(HeaderValue::from_static("01890a5d"));
    context.set_route("/users/{id}".into());
    context.set_error_type("timeout");
    assert!(context.set_trace(TraceContext::new([1; 16], [2; 8], 1).unwrap()));
    let metrics = HttpMetrics::server();
    context.scope(|| Laws::of(metrics.layer()).allocates(0).check());
    let report = metrics.report();
    let route = &report.since_start().routes()[0];
    assert_eq!((route.name(), route.slowest_request_id()), (Some("/users/{id}"), Some("01890a5d")));
}
