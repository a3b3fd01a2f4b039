//! The client's side: a call goes out with its trace.

use std::{
    fmt,
    task::{Context, Poll},
};

use buttress_core::{
    context::{self, RequestContext},
    observe::{Observe, ObserveLayer, Observer, Totals},
};
use http::{HeaderMap, Method, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    headers::inject,
    ids,
    live::Live,
    semconv::{Ending, Methods},
    span,
};

/// Sends the current trace along with each call, and records a span of the call if told so.
///
/// Each call goes out in a span id of its own, as a part of the request that makes it. A
/// `traceparent` and a `tracestate` that it has already are replaced: in a request that is passed on
/// they are the caller's. Outside of a request, and of a span, nothing is set or replaced.
///
/// Place it around the client so that it is called by the request's own code: outside of `Buffer`
/// and of whatever else moves the call to another task. Outside of retries there is one span for
/// all attempts; inside of them one for each, as the semantic conventions would have it. Only around
/// calls to services that should know the trace.
///
/// ```
/// use buttress_core::context::{RequestContext, TraceContext};
/// use buttress_trace::OutboundLayer;
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use tower::{Layer, Service, service_fn};
///
/// let mut client = OutboundLayer::propagate().layer(service_fn(|call: Request<()>| {
///     let sent = call.headers()["traceparent"].to_str().unwrap();
///     assert!(sent.starts_with("00-4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b-"));
///     assert!(!sent.ends_with("-1f1f1f1f1f1f1f1f-03"), "a call is not its request");
///     async { Ok::<_, std::convert::Infallible>(Response::new(Empty::<Bytes>::new())) }
/// }));
///
/// let request = RequestContext::new();
/// request.set_trace(TraceContext::new([0x4b; 16], [0x1f; 8], 3).unwrap());
/// # let _ =
/// request.scope(|| client.call(Request::new(())));
/// ```
#[derive(Clone)]
#[must_use]
pub struct OutboundLayer {
    /// What `observe` tells: kept to set it anew.
    calls: Option<Calls>,
    observe: ObserveLayer<Calls>,
    source: Option<Source>,
}

/// The service that [`OutboundLayer`] makes: [`Inject`] with [`Calls`] around it.
///
/// ```
/// use buttress_trace::{Outbound, OutboundLayer};
/// use tower::Layer;
///
/// struct Payments<C> {
///     client: Outbound<C>,
/// }
/// # let client = ();
/// let payments = Payments { client: OutboundLayer::spans().layer(client) };
/// # let _ = payments.client;
/// ```
pub type Outbound<S> = Observe<Inject<S>, Calls>;

/// Where a call's trace is found.
#[derive(Clone, Copy, Debug)]
enum Source {
    Request,
    /// Besides, the call's span is told its ids.
    Spans,
    #[cfg(feature = "otel")]
    Otel,
}

impl OutboundLayer {
    /// The trace goes along, and nothing is recorded: the call's own id is known to the service that
    /// is called.
    pub const fn propagate() -> Self {
        Self { calls: None, observe: ObserveLayer::disabled(), source: Some(Source::Request) }
    }

    /// A span of the [`tracing`] crate besides, at level info with the target `buttress_trace` and
    /// the name `call`, from the call to the end of the answer's body. Its fields have the ids that
    /// go along.
    pub fn spans() -> Self {
        let calls = Calls { mode: Mode::Spans, methods: Methods::CONVENTIONAL };
        Self::recording(calls, Source::Spans)
    }

    /// A client span of an OpenTelemetry tracer, from the call to the end of the answer's body. Its
    /// parent is the span that is current, else the request's; outside of both it begins a trace.
    /// What goes along is its own id.
    #[cfg(feature = "otel")]
    pub fn otel<P>(provider: &P) -> Self
    where
        P: opentelemetry::trace::TracerProvider,
        P::Tracer: Send + Sync + 'static,
        <P::Tracer as opentelemetry::trace::Tracer>::Span: Send + Sync + 'static,
    {
        let mode = Mode::Otel(crate::otel::Tracer::new(provider));
        Self::recording(Calls { mode, methods: Methods::CONVENTIONAL }, Source::Otel)
    }

    /// A layer that does nothing, at the price of two branches.
    pub const fn disabled() -> Self {
        Self { calls: None, observe: ObserveLayer::disabled(), source: None }
    }

    fn recording(calls: Calls, source: Source) -> Self {
        let observe = ObserveLayer::new(calls.clone()).outbound();
        Self { calls: Some(calls), observe, source: Some(source) }
    }

    /// The methods that spans are called by, as of [`Trace::known_methods`](crate::Trace).
    pub fn known_methods(self, methods: impl IntoIterator<Item = Method>) -> Self {
        match (self.calls, self.source) {
            (Some(calls), Some(source)) => {
                Self::recording(Calls { methods: Methods::new(methods), ..calls }, source)
            }
            (calls, source) => Self { calls, source, ..self },
        }
    }
}

impl Default for OutboundLayer {
    fn default() -> Self {
        Self::propagate()
    }
}

impl fmt::Debug for OutboundLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundLayer").field("observe", &self.observe).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for OutboundLayer {
    type Service = Outbound<S>;

    fn layer(&self, inner: S) -> Outbound<S> {
        self.observe.layer(Inject { inner, source: self.source })
    }
}

/// Observes calls: records the span of each. It is what [`OutboundLayer`] puts around a client, and
/// is only named in the types of what comes of it.
///
/// ```
/// use buttress_core::observe::Observe;
/// use buttress_trace::{Calls, Inject, OutboundLayer};
/// use tower::Layer;
///
/// let client: Observe<Inject<()>, Calls> = OutboundLayer::propagate().layer(());
/// # let _ = client;
/// ```
#[derive(Clone, Debug)]
pub struct Calls {
    mode: Mode,
    methods: Methods,
}

#[derive(Clone, Debug)]
enum Mode {
    Spans,
    #[cfg(feature = "otel")]
    Otel(crate::otel::Tracer),
}

/// The span of a call, which [`Calls`] keeps until its end.
///
/// ```
/// use buttress_core::observe::Observer;
/// use buttress_trace::{Call, Calls};
///
/// fn spans_of(calls: &impl Observer<Exchange = Call>) {
///     // …
/// #   let _ = calls;
/// }
/// # let _: fn(&Calls) = spans_of;
/// ```
#[derive(Debug)]
pub struct Call(Live);

impl Observer for Calls {
    type Exchange = Call;

    // The context is that of the request on whose behalf the call is made; only a tracer asks it.
    #[cfg_attr(not(feature = "otel"), expect(unused_variables, reason = "no tracer"))]
    fn on_request<B>(&self, request: &Request<B>, context: &RequestContext) -> Call {
        let method = self.methods.name(request.method());
        Call(match &self.mode {
            Mode::Spans => Live::Span(span::called(request, method.as_deref())),
            #[cfg(feature = "otel")]
            Mode::Otel(tracer) => Live::Otel(tracer.call(request, method, context)),
        })
    }

    fn around<R>(&self, call: &Call, run: impl FnOnce() -> R) -> R {
        call.0.around(run)
    }

    fn on_response<B>(&self, call: &mut Call, response: &Response<B>, _: &RequestContext) {
        call.0.answered(response.version());
    }

    fn on_end(&self, call: Call, end: &Totals, _: &RequestContext) {
        call.0.end(&Ending::called(end));
    }
}

/// The part of [`Outbound`] that sets the headers: the client itself is inside it.
///
/// ```
/// use buttress_trace::Inject;
/// use tower::Service;
///
/// fn send<S>(client: &mut Inject<S>, call: http::Request<()>) -> S::Future
/// where
///     S: Service<http::Request<()>>,
/// {
///     client.call(call)
/// }
/// # let _ = send::<tower::util::BoxService<http::Request<()>, (), ()>>;
/// ```
#[derive(Clone, Debug)]
pub struct Inject<S> {
    inner: S,
    source: Option<Source>,
}

impl Source {
    /// Sets the call's trace, if there is one.
    fn inject(self, headers: &mut HeaderMap) {
        let request = context::current();
        let trace = request.as_ref().and_then(RequestContext::trace);
        #[cfg(feature = "otel")]
        if let Self::Otel = self
            && let Some(own) = crate::otel::current(trace)
            // A tracer that does nothing hands the request's on.
            && trace.is_none_or(|request| request.span_id() != own.span_id())
        {
            return inject(&own, headers);
        }
        let Some(own) = trace.and_then(|trace| trace.clone().with_span_id(ids::span_id())) else {
            return;
        };
        if let Self::Spans = self {
            span::sent(&own);
        }
        inject(&own, headers);
    }
}

impl<S, B> Service<Request<B>> for Inject<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(source) = self.source {
            source.inject(request.headers_mut());
        }
        self.inner.call(request)
    }
}
