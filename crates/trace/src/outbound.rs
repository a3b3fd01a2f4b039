//! The client's side: a call goes out with its trace.

use std::{
    fmt,
    task::{Context, Poll},
};

use buttress_core::{
    context::{self, RequestContext, TraceContext},
    observe::{Observe, ObserveLayer, Observer, Totals},
};
use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use crate::{headers::inject, live::Live, semconv::Ending, span};

/// Sends the current trace along with each call, and records a span of the call if told so.
///
/// `traceparent` and `tracestate` are set where the call has neither. Without a span of the call's
/// own they name the span of the request that makes it; outside of a request nothing is set.
///
/// Place it around the client so that it is called by the request's own code: outside of `Buffer`
/// and of whatever else moves the call to another task. Outside of retries there is one span for
/// all attempts, inside one for each. It stands outside of other layers that set `traceparent`,
/// which then leave this one's. Only around calls to services that should know the trace.
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
///     let sent = &call.headers()["traceparent"];
///     assert_eq!(sent, "00-4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b-1f1f1f1f1f1f1f1f-03");
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
    #[cfg(feature = "otel")]
    Otel,
}

impl OutboundLayer {
    /// The trace goes along, and nothing is recorded.
    pub const fn propagate() -> Self {
        Self { observe: ObserveLayer::disabled(), source: Some(Source::Request) }
    }

    /// A span of the [`tracing`] crate besides, at level info with the target `buttress_trace` and
    /// the name `call`, from the call to the end of the answer's body. It has no id of its own to
    /// send: what goes along is the request's.
    pub fn spans() -> Self {
        Self { observe: ObserveLayer::new(Calls(Mode::Spans)), source: Some(Source::Request) }
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
        let tracer = crate::otel::Tracer::new(provider);
        Self { observe: ObserveLayer::new(Calls(Mode::Otel(tracer))), source: Some(Source::Otel) }
    }

    /// A layer that does nothing, at the price of two branches.
    pub const fn disabled() -> Self {
        Self { observe: ObserveLayer::disabled(), source: None }
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
pub struct Calls(Mode);

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

    fn on_request<B>(&self, request: &Request<B>, context: &RequestContext) -> Call {
        // The context is the request's that makes the call.
        let _ = context;
        Call(match &self.0 {
            Mode::Spans => Live::Span(span::called(request)),
            #[cfg(feature = "otel")]
            Mode::Otel(tracer) => Live::Otel(tracer.call(request, context)),
        })
    }

    fn around<R>(&self, call: &Call, run: impl FnOnce() -> R) -> R {
        call.0.around(run)
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
    fn with_trace(self, send: impl FnOnce(&TraceContext)) {
        let request = context::current();
        let trace = request.as_ref().and_then(RequestContext::trace);
        match self {
            Self::Request => {
                if let Some(trace) = trace {
                    send(trace);
                }
            }
            #[cfg(feature = "otel")]
            Self::Otel => {
                if let Some(trace) = crate::otel::current(trace).as_ref().or(trace) {
                    send(trace);
                }
            }
        }
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
            source.with_trace(|trace| inject(trace, request.headers_mut()));
        }
        self.inner.call(request)
    }
}
