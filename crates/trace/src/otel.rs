//! Spans of an OpenTelemetry tracer.

use std::{borrow::Cow, fmt, sync::Arc};

use buttress_core::context::{self, RequestContext, TraceContext};
use http::{HeaderValue, Request, Version};
use opentelemetry::{
    Context, InstrumentationScope, KeyValue,
    global::BoxedTracer,
    trace::{
        self, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
        TraceState, Tracer as _, TracerProvider,
    },
};
use opentelemetry_sdk::trace::IdGenerator;

use crate::{
    headers::with_state,
    ids::{self, RANDOM},
    semconv::{self, Ending},
};

/// An OpenTelemetry tracer of any provider.
#[derive(Clone)]
pub(crate) struct Tracer(Arc<BoxedTracer>);

impl Tracer {
    pub(crate) fn new<P>(provider: &P) -> Self
    where
        P: TracerProvider,
        P::Tracer: Send + Sync + 'static,
        <P::Tracer as trace::Tracer>::Span: Send + Sync + 'static,
    {
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        Self(Arc::new(BoxedTracer::new(Box::new(provider.tracer_with_scope(scope)))))
    }

    /// Begins the span of a request that is served. `None` where the tracer made no ids.
    pub(crate) fn serve<B>(
        &self,
        request: &Request<B>,
        method: Option<Cow<'static, str>>,
        context: &RequestContext,
        parent: Option<&TraceContext>,
        scheme: &'static str,
    ) -> Option<(TraceContext, Context)> {
        let around = match parent {
            Some(parent) => Context::new().with_remote_span_context(span_context(parent, true)),
            None => Context::new(),
        };
        let mut attributes = Vec::with_capacity(7);
        let name = named(request, method, &mut attributes);
        attributes.push(KeyValue::new("url.path", request.uri().path().to_owned()));
        attributes.push(KeyValue::new("url.scheme", semconv::scheme(request.uri(), scheme)));
        if let Some(version) = semconv::version(request.version()) {
            attributes.push(KeyValue::new("network.protocol.version", version));
        }
        if let Some(id) = context.request_id_str() {
            attributes.push(KeyValue::new("request_id", id.to_owned()));
        }
        if let Some(ip) = context.client_ip() {
            attributes.push(KeyValue::new("client.address", ip.to_string()));
        }
        let span = self.start(name, SpanKind::Server, attributes, &around);
        let trace = trace_context(span.span().span_context(), parent, context)?;
        // A tracer that does nothing hands its parent on.
        let own = parent.is_none_or(|parent| parent.span_id() != trace.span_id());
        own.then_some((trace, span))
    }

    /// Begins the span of a call that is made.
    pub(crate) fn call<B>(
        &self,
        request: &Request<B>,
        method: Option<Cow<'static, str>>,
        context: &RequestContext,
    ) -> Context {
        let mut around = Context::current();
        // A task that took only the request's context along.
        if let Some(trace) = context.trace()
            && !around.has_active_span()
        {
            around = around.with_remote_span_context(span_context(trace, false));
        }
        let mut attributes = Vec::with_capacity(5);
        let name = named(request, method, &mut attributes);
        if let Some((host, port)) = semconv::server(request) {
            attributes.push(KeyValue::new("server.address", host.to_owned()));
            attributes.push(KeyValue::new("server.port", i64::from(port)));
        }
        if let Some(url) = semconv::url(request.uri()) {
            attributes.push(KeyValue::new("url.full", url));
        }
        self.start(name, SpanKind::Client, attributes, &around)
    }

    fn start(
        &self,
        name: Cow<'static, str>,
        kind: SpanKind,
        attributes: Vec<KeyValue>,
        around: &Context,
    ) -> Context {
        let builder = self.0.span_builder(name).with_kind(kind).with_attributes(attributes);
        let span = self.0.build_with_context(builder, around);
        around.with_span(span)
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tracer")
    }
}

/// Which version of HTTP a call was answered in.
pub(crate) fn answered(context: &Context, version: Version) {
    if let Some(version) = semconv::version(version) {
        context.span().set_attribute(KeyValue::new("network.protocol.version", version));
    }
}

/// What is known at the end; and the end.
pub(crate) fn end(context: &Context, ending: &Ending<'_>) {
    let span = context.span();
    if span.is_recording() {
        if let Some(name) = ending.name() {
            span.update_name(name);
        }
        if let Some(status) = ending.status {
            let status = i64::from(status.as_u16());
            span.set_attribute(KeyValue::new("http.response.status_code", status));
        }
        for (key, text) in [("http.route", ending.route), ("error.type", ending.error)] {
            if let Some(text) = text {
                span.set_attribute(KeyValue::new(key, text.to_owned()));
            }
        }
        if ending.error.is_some() {
            // What there is to say of it is in `error.type`.
            span.set_status(Status::Error { description: Cow::Borrowed("") });
        }
    }
    span.end();
}

/// The trace of the span that is current; `request` is the request's.
pub(crate) fn current(request: Option<&TraceContext>) -> Option<TraceContext> {
    let context = Context::current();
    let span = context.span();
    of_span(span.span_context(), request)
}

/// The trace of a span that was begun for a request.
fn trace_context(
    span: &SpanContext,
    parent: Option<&TraceContext>,
    context: &RequestContext,
) -> Option<TraceContext> {
    let trace = of_span(span, parent)?;
    // The SDK sets no such flag; these bytes are known to be random.
    let uuid = context.request_id().and_then(|id| ids::uuid7(id.as_bytes()));
    if uuid.as_ref() != Some(trace.trace_id()) {
        return Some(trace);
    }
    let random = TraceContext::new(*trace.trace_id(), *trace.span_id(), trace.flags() | RANDOM)?;
    Some(with_state(random, trace.state().cloned()))
}

/// What the SDK loses of the trace that it continues is put back: the random flag where a span is
/// not sampled, and a state that is valid at level 2 but not at level 1.
fn of_span(span: &SpanContext, continued: Option<&TraceContext>) -> Option<TraceContext> {
    let trace_id = span.trace_id().to_bytes();
    let continued = continued.filter(|continued| *continued.trace_id() == trace_id);
    let random = continued.map_or(0, |continued| continued.flags() & RANDOM);
    let flags = span.trace_flags().to_u8() | random;
    let trace = TraceContext::new(trace_id, span.span_id().to_bytes(), flags)?;
    let state = match span.trace_state().header() {
        state if state.is_empty() => continued.and_then(TraceContext::state).cloned(),
        state => HeaderValue::try_from(state).ok(),
    };
    Some(with_state(trace, state))
}

fn span_context(trace: &TraceContext, remote: bool) -> SpanContext {
    let state = trace.state().and_then(|state| state.to_str().ok()?.parse::<TraceState>().ok());
    SpanContext::new(
        TraceId::from_bytes(*trace.trace_id()),
        SpanId::from_bytes(*trace.span_id()),
        TraceFlags::new(trace.flags()),
        remote,
        state.unwrap_or_default(),
    )
}

/// The attributes of a method, by its name where it is known; and what a span is called by it.
fn named<B>(
    request: &Request<B>,
    method: Option<Cow<'static, str>>,
    attributes: &mut Vec<KeyValue>,
) -> Cow<'static, str> {
    let Some(name) = method else {
        let original = request.method().as_str().to_owned();
        attributes.push(KeyValue::new("http.request.method", semconv::OTHER));
        attributes.push(KeyValue::new("http.request.method_original", original));
        return Cow::Borrowed(semconv::UNNAMED);
    };
    attributes.push(KeyValue::new("http.request.method", name.clone()));
    name
}

/// Makes the ids of an OpenTelemetry SDK's spans: a trace that begins in a request has the bytes
/// of the request's id as its own, where that is a UUIDv7. Whoever has one of the two finds the
/// other. All other ids are random, those of a second trace within the request included.
///
/// The request's id must be known by then: the layer that sets it stands outside of the one that
/// traces.
///
/// ```
/// use buttress_core::context::RequestContext;
/// use buttress_trace::RequestIdGenerator;
/// use http::HeaderValue;
/// use opentelemetry_sdk::trace::IdGenerator;
///
/// let request = RequestContext::new();
/// let id = HeaderValue::from_static("01890a5d-ac96-774b-bcce-b302099a8057");
/// request.set_request_id(id);
/// let trace_id = request.scope(|| RequestIdGenerator::new().new_trace_id());
/// assert_eq!(trace_id.to_string(), "01890a5dac96774bbcceb302099a8057");
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RequestIdGenerator;

impl RequestIdGenerator {
    /// The generator, for `SdkTracerProvider::builder().with_id_generator(…)`.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl IdGenerator for RequestIdGenerator {
    fn new_trace_id(&self) -> TraceId {
        // In a request that has its trace already, another one is begun on purpose.
        let request = context::current().filter(|request| request.trace().is_none());
        TraceId::from_bytes(match request {
            Some(request) => ids::trace_id(&request),
            None => ids::random_trace_id(),
        })
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from_bytes(ids::span_id())
    }
}
