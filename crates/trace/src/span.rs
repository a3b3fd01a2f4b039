//! Spans of the `tracing` crate.

use std::fmt;

use buttress_core::context::{RequestContext, TraceContext};
use http::{Request, Version};
use tracing::{Metadata, Span, field};

use crate::semconv::{self, Ending};

/// The span of a request that is served.
pub(crate) fn served<B>(
    request: &Request<B>,
    method: Option<&str>,
    context: &RequestContext,
    scheme: &'static str,
) -> Span {
    let trace = context.trace();
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        "otel.name" = method.unwrap_or(semconv::UNNAMED),
        "otel.kind" = "server",
        "otel.status_code" = field::Empty,
        "request_id" = context.request_id_str(),
        "trace_id" = trace.map(|trace| field::display(Hex(trace.trace_id()))),
        "span_id" = trace.map(|trace| field::display(Hex(trace.span_id()))),
        "http.request.method" = method.unwrap_or(semconv::OTHER),
        "http.request.method_original" = field::Empty,
        "http.route" = field::Empty,
        "http.response.status_code" = field::Empty,
        "url.path" = request.uri().path(),
        "url.scheme" = semconv::scheme(request.uri(), scheme),
        "network.protocol.version" = semconv::version(request.version()),
        "client.address" = context.client_ip().map(field::display),
        "error.type" = field::Empty,
    );
    if method.is_none() {
        span.record("http.request.method_original", request.method().as_str());
    }
    span
}

/// The target of all spans.
const TARGET: &str = "buttress_trace";

const CALL: &str = "call";

/// The span of a call that is made.
pub(crate) fn called<B>(request: &Request<B>, method: Option<&str>) -> Span {
    let server = semconv::server(request);
    let span = tracing::info_span!(
        target: TARGET,
        CALL,
        "otel.name" = method.unwrap_or(semconv::UNNAMED),
        "otel.kind" = "client",
        "otel.status_code" = field::Empty,
        "trace_id" = field::Empty,
        "span_id" = field::Empty,
        "http.request.method" = method.unwrap_or(semconv::OTHER),
        "http.request.method_original" = field::Empty,
        "http.response.status_code" = field::Empty,
        "server.address" = server.map(|(host, _)| host),
        "server.port" = server.map(|(_, port)| port),
        "url.full" = semconv::url(request.uri()),
        "network.protocol.version" = field::Empty,
        "error.type" = field::Empty,
    );
    if method.is_none() {
        span.record("http.request.method_original", request.method().as_str());
    }
    span
}

/// The ids that a call goes out with, on its span: that is the current one, if it is recorded.
pub(crate) fn sent(trace: &TraceContext) {
    let span = Span::current();
    let is_call = |metadata: &Metadata<'_>| metadata.name() == CALL && metadata.target() == TARGET;
    if span.metadata().is_some_and(is_call) {
        span.record("trace_id", field::display(Hex(trace.trace_id())));
        span.record("span_id", field::display(Hex(trace.span_id())));
    }
}

/// What is known at the end. The span itself ends when it is dropped.
pub(crate) fn end(span: &Span, ending: &Ending<'_>) {
    if span.is_disabled() {
        return;
    }
    span.record("http.response.status_code", ending.status.map(|status| status.as_u16()));
    span.record("error.type", ending.error);
    span.record("otel.status_code", ending.error.map(|_| "ERROR"));
    // Only the server's span has these: a field that a span has not is passed over.
    span.record("otel.name", ending.name().as_deref());
    span.record("http.route", ending.route);
}

/// Which version of HTTP a call was answered in.
pub(crate) fn answered(span: &Span, version: Version) {
    span.record("network.protocol.version", semconv::version(version));
}

/// Lower-case digits, without an allocation.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
