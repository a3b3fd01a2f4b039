//! The server's side.

use std::fmt;

use buttress_core::{
    context::RequestContext,
    observe::{ObserveLayer, Observer, Totals},
};
use http::Request;

use crate::{
    headers::extract,
    ids,
    live::Live,
    semconv::{Ending, UNNAMED, known},
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
    /// use buttress_trace::{RequestIdGenerator, Trace, TraceLayer};
    /// use opentelemetry_sdk::trace::SdkTracerProvider;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // To the collector at `OTEL_EXPORTER_OTLP_ENDPOINT`.
    /// let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().build()?;
    /// let provider = SdkTracerProvider::builder()
    ///     .with_id_generator(RequestIdGenerator::new())
    ///     .with_batch_exporter(exporter)
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
        Self { mode, restart: false, sampled: true, scheme: "http" }
    }

    /// Begins a new trace for each request, whatever the caller sends. Default false.
    ///
    /// For a service that strangers call: a caller chooses ids and the sampled flag, and so which
    /// trace its requests show up in and how much is recorded (W3C Trace Context §3.4 and its
    /// “Security Considerations”).
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
}

impl Default for Trace {
    fn default() -> Self {
        Self::propagate()
    }
}

impl Observer for Trace {
    type Exchange = Exchange;

    fn on_request<B>(&self, request: &Request<B>, context: &RequestContext) -> Exchange {
        let method = known(request.method()).unwrap_or(UNNAMED);
        if context.trace().is_some() {
            return Exchange { live: None, method };
        }
        let parent = if self.restart { None } else { extract(request.headers()) };
        #[cfg(feature = "otel")]
        if let Mode::Otel(tracer) = &self.mode
            && let Some((trace, span)) =
                tracer.serve(request, context, parent.as_ref(), self.scheme)
        {
            context.set_trace(trace);
            return Exchange { live: Some(Live::Otel(span)), method };
        }
        let trace = match parent {
            Some(parent) => parent.with_span_id(ids::span_id()),
            None => ids::root(context, self.sampled),
        };
        if let Some(trace) = trace {
            context.set_trace(trace);
        }
        let spans = matches!(self.mode, Mode::Spans);
        let live = spans.then(|| Live::Span(span::served(request, context, self.scheme)));
        Exchange { live, method }
    }

    fn around<R>(&self, exchange: &Exchange, run: impl FnOnce() -> R) -> R {
        match &exchange.live {
            Some(live) => live.around(run),
            None => run(),
        }
    }

    fn on_end(&self, exchange: Exchange, end: &Totals, context: &RequestContext) {
        if let Some(live) = exchange.live {
            live.end(&Ending::served(exchange.method, end, context));
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
/// use http::Request;
///
/// let context = RequestContext::new();
/// let exchange: Exchange = Trace::propagate().on_request(&Request::new(()), &context);
/// assert!(context.trace().is_some());
/// # let _ = exchange;
/// ```
#[derive(Debug)]
pub struct Exchange {
    live: Option<Live>,
    method: &'static str,
}
