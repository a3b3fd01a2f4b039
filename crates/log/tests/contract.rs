//! The laws of a correct layer.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use buttress_conformance::{End, Laws, ProbeBody, assert_any_body, assert_error_type};
use buttress_core::context::{Operation, RequestContext, TraceContext};
use buttress_log::{AccessLog, JsonLayer, Sink};
use http::{
    HeaderValue, Request,
    header::{CONTENT_LENGTH, USER_AGENT},
};
use tracing::{Event, Subscriber, subscriber::DefaultGuard};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry::LookupSpan,
};

/// Counts the access lines, and keeps nothing of them.
#[derive(Clone, Default)]
struct Count(Arc<AtomicU64>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Count {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.fetch_add(u64::from(event.metadata().target() == "access"), SeqCst);
    }
}

fn counted() -> (impl Fn() -> u64 + 'static, DefaultGuard) {
    let count = Count::default();
    let subscriber = tracing_subscriber::registry().with(count.clone());
    (move || count.0.load(SeqCst), tracing::subscriber::set_default(subscriber))
}

#[test]
fn the_access_log_keeps_the_laws() {
    let (lines, _guard) = counted();
    let log = AccessLog::new();
    assert_any_body(&log.layer());
    assert_error_type(&log.layer());
    Laws::of(log.layer()).counts_ends(End::ALL, lines).check();
}

#[test]
fn every_service_of_one_layer_writes() {
    let (lines, _guard) = counted();
    Laws::of(AccessLog::new().layer()).counts_calls(lines).check();
}

fn request() -> Request<ProbeBody> {
    let mut request = Request::new(ProbeBody::new());
    *request.uri_mut() = http::Uri::from_static("https://api.example/users/42?page=2&token=s3cr3t");
    let headers = request.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
    headers.insert(USER_AGENT, HeaderValue::from_static("curl/8.9"));
    request
}

fn everything_known() -> RequestContext {
    let context = RequestContext::new();
    context.set_request_id(HeaderValue::from_static("01890a5d-ac96-774b-bcce-b302099a8057"));
    let trace = TraceContext::new([1; 16], [2; 8], 3);
    assert!(trace.is_some_and(|trace| context.set_trace(trace)));
    context.set_route("/users/{id}".into());
    context.set_client_ip([192, 0, 2, 4].into());
    context.set_principal("u_1".into());
    context.count(Operation::Db, std::time::Duration::from_millis(3));
    context
}

#[test]
fn a_line_allocates_nothing() {
    let (_, _guard) = counted();
    everything_known().scope(|| {
        Laws::of(AccessLog::new().layer()).request(request).allocates(0).check();
    });
}

#[test]
fn a_line_in_json_allocates_nothing() {
    let (writer, _writing) = Sink::to(std::io::sink()).open().unwrap();
    let subscriber = tracing_subscriber::registry().with(JsonLayer::new(writer));
    let _guard = tracing::subscriber::set_default(subscriber);
    everything_known().scope(|| {
        Laws::of(AccessLog::new().layer()).request(request).allocates(0).check();
    });
}
