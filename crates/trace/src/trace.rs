//! The server's side.

use std::{borrow::Cow, fmt};

use buttress_core::{
    context::RequestContext,
    observe::{ObserveLayer, Observer, Totals},
};
use http::{Method, Request};

use crate::{
    headers::extract,
    ids,
    live::Live,
    semconv::{Ending, Methods, UNNAMED},
    span,
};

/// Puts a [`Trace`] around a service.
///
/// ```
/// use buttress_trace::{Trace, TraceLayer};
///
/// let layer = TraceLayer::new(Trace::propagate());
/// # let _ = layer;
/// ```
///
/// [`TraceLayer::disabled`](ObserveLayer::disabled) is the layer that is not there.
pub type TraceLayer = ObserveLayer<Trace>;

/// Knows of each request which trace it belongs to, and records a span of it if told so.
///
/// It is an [`Observer`]: [`TraceLayer`] puts it around a service, and a tuple of observers puts
/// several around it with one wrapper. The trace is in
/// [`RequestContext::trace`], for log lines and outbound calls. Where a layer further out has set
/// it, that one stays, and nothing is recorded a second time.
///
/// ```
/// use buttress_trace::Trace;
///
/// assert_eq!(Trace::propagate().to_string(), "traceparent continued; no spans");
/// assert_eq!(
///     Trace::spans().restart(true).sampled(false).to_string(),
///     "new traces only, not sampled; tracing spans",
/// );
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Trace {
    mode: Mode,
    restart: bool,
    sampled: bool,
    scheme: &'static str,
    methods: Methods,
}

#[derive(Clone, Debug)]
enum Mode {
    Propagate,
    Spans,
    #[cfg(feature = "otel")]
    Otel(crate::otel::Tracer),
}

impl Trace {
    /// Ids only: the caller's trace is continued, or one begins, and nothing is recorded.
    pub const fn propagate() -> Self {
        Self::of(Mode::Propagate)
    }

    /// A span of the [`tracing`] crate besides, at level info with the target `buttress_trace` and
    /// the name `request`, entered whenever the service's code runs.
    ///
    /// Its fields are named as in OpenTelemetry's semantic conventions. `otel.name`,
    /// `http.route`, `http.response.status_code` and `error.type` are known at the end only.
    pub const fn spans() -> Self {
        Self::of(Mode::Spans)
    }

    /// A server span of an OpenTelemetry tracer, which is current whenever the service's code runs.
    ///
    /// The ids are the tracer's. With [`RequestIdGenerator`](crate::RequestIdGenerator) in its
    /// provider, those of a new trace are the request id's. A provider that makes no ids (none is
    /// installed, or it was shut down) leaves the traces as [`propagate`](Self::propagate) has
    /// them.
    ///
    /// ```no_run
    /// use buttress_trace::{RedactExporter, RequestIdGenerator, Trace, TraceLayer};
    /// use opentelemetry_sdk::trace::SdkTracerProvider;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // To the collector at `OTEL_EXPORTER_OTLP_ENDPOINT`, without what must not get there.
    /// let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().build()?;
    /// let provider = SdkTracerProvider::builder()
    ///     .with_id_generator(RequestIdGenerator::new())
    ///     .with_batch_exporter(RedactExporter::new(exporter))
    ///     .build();
    /// let app = axum::Router::<()>::new().layer(TraceLayer::new(Trace::otel(&provider)));
    ///
    /// // After the last request: spans still wait in the batch.
    /// provider.shutdown()?;
    /// # let _ = app;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "otel")]
    pub fn otel<P>(provider: &P) -> Self
    where
        P: opentelemetry::trace::TracerProvider,
        P::Tracer: Send + Sync + 'static,
        <P::Tracer as opentelemetry::trace::Tracer>::Span: Send + Sync + 'static,
    {
        Self::of(Mode::Otel(crate::otel::Tracer::new(provider)))
    }

    const fn of(mode: Mode) -> Self {
        Self { mode, restart: false, sampled: true, scheme: "http", methods: Methods::CONVENTIONAL }
    }

    /// Begins a new trace for each request, whatever the caller sends. Default false.
    ///
    /// For a service that strangers call: a caller chooses ids and the sampled flag, and so which
    /// trace its requests show up in and how much is recorded (W3C Trace Context, “Mutating the
    /// traceparent Field” and “Security Considerations”). A new trace has the bytes of the request's
    /// id: let the layer that sets that take none from strangers either.
    pub const fn restart(mut self, restart: bool) -> Self {
        self.restart = restart;
        self
    }

    /// Whether a trace that begins here is marked as recorded. Default true: the log has its id.
    ///
    /// Most tracers record what is marked and drop what is not. An OpenTelemetry tracer has its
    /// own sampler and ignores this.
    pub const fn sampled(mut self, sampled: bool) -> Self {
        self.sampled = sampled;
        self
    }

    /// Clients speak HTTPS to this service, although TLS ends in front of it: the `url.scheme` of
    /// a request that does not say its own. Default false.
    pub const fn https(mut self, https: bool) -> Self {
        self.scheme = if https { "https" } else { "http" };
        self
    }

    /// The methods that spans are called by; each other is `_OTHER`. They take the place of all of
    /// the default ones: those of RFC 9110, PATCH and QUERY.
    ///
    /// ```
    /// use buttress_trace::Trace;
    /// use http::Method;
    ///
    /// // As `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` has them.
    /// let list = "GET,PROPFIND";
    /// let methods: Result<Vec<Method>, _> = list.split(',').map(str::parse).collect();
    /// let trace = Trace::spans().known_methods(methods?);
    /// # let _ = trace;
    /// # Ok::<(), http::method::InvalidMethod>(())
    /// ```
    pub fn known_methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = Methods::new(methods);
        self
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::propagate()
    }
}

impl Observer for Trace {
    type Exchange = Exchange;

    fn on_request<B>(&self, request: &Request<B>, context: &RequestContext) -> Exchange {
        if context.trace().is_some() {
            return Exchange(None);
        }
        let parent = if self.restart { None } else { extract(request.headers()) };
        #[cfg(feature = "otel")]
        if let Mode::Otel(tracer) = &self.mode {
            let method = self.methods.name(request.method());
            let served =
                tracer.serve(request, method.clone(), context, parent.as_ref(), self.scheme);
            if let Some((trace, span)) = served {
                context.set_trace(trace);
                return Exchange(Some(Open { live: Live::Otel(span), method }));
            }
        }
        let trace = match parent {
            Some(parent) => parent.with_span_id(ids::span_id()),
            None => ids::root(context, self.sampled),
        };
        if let Some(trace) = trace {
            context.set_trace(trace);
        }
        if !matches!(self.mode, Mode::Spans) {
            return Exchange(None);
        }
        let method = self.methods.name(request.method());
        let span = span::served(request, method.as_deref(), context, self.scheme);
        Exchange(Some(Open { live: Live::Span(span), method }))
    }

    fn around<R>(&self, exchange: &Exchange, run: impl FnOnce() -> R) -> R {
        match &exchange.0 {
            Some(open) => open.live.around(run),
            None => run(),
        }
    }

    fn on_end(&self, exchange: Exchange, end: &Totals, context: &RequestContext) {
        if let Some(Open { live, method }) = exchange.0 {
            live.end(&Ending::served(method.as_deref().unwrap_or(UNNAMED), end, context));
        }
    }
}

/// What is in force, in one line.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.restart { "new traces only" } else { "traceparent continued" })?;
        f.write_str(if self.sampled { "" } else { ", not sampled" })?;
        f.write_str(match self.mode {
            Mode::Propagate => "; no spans",
            Mode::Spans => "; tracing spans",
            #[cfg(feature = "otel")]
            Mode::Otel(_) => "; OpenTelemetry spans",
        })
    }
}

/// What [`Trace`] keeps of a request until its end: its span, if there is one.
///
/// ```
/// use buttress_core::{context::RequestContext, observe::Observer};
/// use buttress_trace::{Exchange, Trace};
/// use http::{Method, Request};
///
/// let context = RequestContext::new();
/// let exchange: Exchange = Trace::propagate().on_request(&Request::new(()), &context);
/// assert!(context.trace().is_some());
/// # let _ = exchange;
/// ```
#[derive(Debug)]
pub struct Exchange(Option<Open>);

#[derive(Debug)]
struct Open {
    live: Live,
    /// The method, where it is known.
    method: Option<Cow<'static, str>>,
}
