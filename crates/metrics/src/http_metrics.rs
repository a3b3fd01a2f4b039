//! The observer that measures.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use buttress_core::{
    context::RequestContext,
    observe::{ObserveLayer, Observer, Outcome, Totals},
    reject::Rejected,
};
use http::{
    Extensions, HeaderMap, Request, Response, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

use crate::{
    error::{ConfigError, ConfigErrorKind},
    exemplar::Ids,
    in_flight::Shard,
    labels::{ErrorType, Labels, Place, Scheme, Wire},
    recorder::{MAX_SERIES, Recorder, nanos},
    report::Report,
    series::Measured,
    settings::{Kind, Settings, parse_methods},
};

/// Measures HTTP exchanges: an [`Observer`], and by [`layer`](Self::layer) a layer of its own.
///
/// A clone is another handle to the same numbers. The settings come first: each of them starts
/// anew, with nothing counted.
///
/// ```
/// use buttress_metrics::{HttpMetrics, Scheme};
/// use axum::{Router, extract::MatchedPath, routing::get};
///
/// let metrics = HttpMetrics::server()
///     .route_from(|extensions| extensions.get::<MatchedPath>().map(MatchedPath::as_str))
///     .scheme(Scheme::Https);
/// let app: Router = Router::new()
///     .route("/users/{id}", get(|| async { "a user" }))
///     .layer(metrics.layer());
/// # let _ = app;
/// ```
#[derive(Clone)]
pub struct HttpMetrics(pub(crate) Arc<Recorder>);

impl HttpMetrics {
    /// Measures what a service serves: `http.server.*`.
    #[must_use]
    pub fn server() -> Self {
        Self::of(Settings::new(Kind::Server))
    }

    /// Measures what a client asks of others: `http.client.*`, by `server.address` and
    /// `server.port` instead of a route. Where the URI names no host, they are absent.
    #[must_use]
    pub fn client() -> Self {
        Self::of(Settings::new(Kind::Client))
    }

    fn of(settings: Settings) -> Self {
        let recorder = Arc::new(Recorder::new(settings));
        recorder.settings.export.observe(&recorder);
        Self(recorder)
    }

    pub(crate) fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.0.settings.clone();
        change(&mut settings);
        Self::of(settings)
    }

    /// The scheme that clients use, whatever a request says. Set it where a proxy ends TLS. By
    /// default it is the URI's (`https` or else `http`), which only HTTP/2 and later have.
    #[must_use]
    pub fn scheme(self, scheme: Scheme) -> Self {
        self.with(|settings| settings.scheme = Some(scheme))
    }

    /// The methods that are a label of their own, as a comma-separated list: what the variable
    /// `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` holds. It takes the place of the default list
    /// (RFC 9110's, PATCH and QUERY) as a whole; an empty one changes nothing. Every other method
    /// is `_OTHER`.
    ///
    /// ```
    /// use buttress_metrics::HttpMetrics;
    ///
    /// let variable = std::env::var("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS");
    /// let metrics = HttpMetrics::server().known_methods(&variable.unwrap_or_default())?;
    /// # Ok::<(), buttress_metrics::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// Where a name is no method, and where there are more than 255.
    pub fn known_methods(self, list: &str) -> Result<Self, ConfigError> {
        let methods = parse_methods(list)?;
        Ok(match methods {
            Some(methods) => self.with(|settings| settings.methods = methods),
            None => self,
        })
    }

    /// Where a router has left the route that it matched: the template, such as `/users/{id}`,
    /// never the path. It is asked when the request comes in; a route that the
    /// [`RequestContext`] knows by the end goes first. Of a client it is not asked.
    #[must_use]
    pub fn route_from<F>(self, route: F) -> Self
    where
        F: for<'a> Fn(&'a Extensions) -> Option<&'a str> + Send + Sync + 'static,
    {
        self.with(|settings| settings.route_from = Some(Arc::new(route)))
    }

    /// How much time the report's window covers: 60 seconds by default. It slides by sixths.
    ///
    /// # Errors
    /// Where it is shorter than a second or longer than a day.
    pub fn window(self, length: Duration) -> Result<Self, ConfigError> {
        if !(Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&length) {
            let message = format!("a window of {length:?}: from a second to a day");
            return Err(ConfigError::new(ConfigErrorKind::InvalidWindow, message));
        }
        Ok(self.with(|settings| settings.window = length))
    }

    /// Whether to keep a request's ids for each bucket, for the exemplars of `OpenMetrics`: they are by
    /// default.
    #[must_use]
    pub fn exemplars(self, keep: bool) -> Self {
        self.with(|settings| settings.exemplars = keep)
    }

    /// A layer that measures and does nothing else. Where others observe too, hand a clone to
    /// their [`ObserveLayer`] instead: `ObserveLayer::new((log, metrics))`. A client's is
    /// [`outbound`](ObserveLayer::outbound): it leaves the context of the request that makes the
    /// call as it is.
    #[must_use]
    pub fn layer(&self) -> ObserveLayer<Self> {
        let layer = ObserveLayer::new(self.clone());
        match self.0.settings.kind {
            Kind::Server => layer,
            Kind::Client => layer.outbound(),
        }
    }

    /// What was counted, for a person or a dashboard.
    #[must_use]
    pub fn report(&self) -> Report {
        Report::of(&self.0, self.0.at(Instant::now()))
    }

    /// How many requests are under way.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.0.in_flight()
    }

    fn place_of<B>(&self, request: &Request<B>, scheme: Scheme) -> Place {
        let recorder = &*self.0;
        match recorder.settings.kind {
            Kind::Server => {
                let route = recorder.settings.route_from.as_ref();
                let route = route.and_then(|route| route(request.extensions()));
                route.map_or(Place::UNKNOWN, |route| recorder.names.find(route, 0).place)
            }
            Kind::Client => {
                let uri = request.uri();
                let Some(host) = uri.host() else { return Place::UNKNOWN };
                let port = uri.port_u16().unwrap_or(scheme.default_port());
                // An address of IPv6, without its brackets.
                let host =
                    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
                recorder.names.find(host, port).place
            }
        }
    }
}

/// What is in force, in one line.
///
/// ```
/// use buttress_metrics::{HttpMetrics, Scheme};
///
/// let metrics = HttpMetrics::server();
/// assert_eq!(metrics.to_string(), "http.server, at most 2000 series, window 60s");
/// let metrics = metrics.scheme(Scheme::Https).exemplars(false);
/// assert!(metrics.to_string().ends_with(", always https, no exemplars"));
/// ```
impl fmt::Display for HttpMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { kind, scheme, window, exemplars, .. } = &self.0.settings;
        f.write_str(match kind {
            Kind::Server => "http.server",
            Kind::Client => "http.client",
        })?;
        write!(f, ", at most {MAX_SERIES} series, window {window:?}")?;
        if let Some(scheme) = scheme {
            write!(f, ", always {}", scheme.as_str())?;
        }
        f.write_str(if *exemplars { "" } else { ", no exemplars" })
    }
}

impl fmt::Debug for HttpMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpMetrics").field(&self.0.settings).finish()
    }
}

/// What is kept of one exchange until its end.
#[derive(Debug)]
pub struct Exchange {
    // Three words in all: it is moved from the future to the body with every exchange.
    in_flight: Option<Arc<Shard>>,
    request_bytes: u64,
    gauge: u16,
    place: Place,
    rejected: ErrorType,
    method: u8,
    wire: Wire,
}

/// Whatever happens, the gauge goes back.
impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(shard) = &self.in_flight {
            shard.end(self.gauge.into());
        }
    }
}

/// Of a body whose length its head does not tell.
const UNKNOWN_LENGTH: u64 = u64::MAX;

impl Observer for HttpMetrics {
    type Exchange = Exchange;

    fn on_request<B>(&self, request: &Request<B>, _: &RequestContext) -> Exchange {
        let Recorder { settings, gauges, .. } = &*self.0;
        let method = settings.methods.index(request.method());
        let scheme = settings.scheme.unwrap_or_else(|| Scheme::of(request.uri()));
        let place = self.place_of(request, scheme);
        let gauge = match settings.kind {
            Kind::Server => u16::from(method) * 2 + scheme as u16,
            Kind::Client => place.index(),
        };
        Exchange {
            in_flight: gauges.begin(gauge.into()),
            gauge,
            method,
            wire: Wire::new(scheme, request.version()),
            place,
            request_bytes: request_bytes(settings.kind, request.version(), request.headers())
                .unwrap_or(UNKNOWN_LENGTH),
            rejected: ErrorType::NONE,
        }
    }

    fn on_response<B>(&self, exchange: &mut Exchange, response: &Response<B>, _: &RequestContext) {
        if let Some(rejected) = response.extensions().get::<Rejected>() {
            exchange.rejected = self.0.error_word(rejected.reason());
        }
        if self.0.settings.kind == Kind::Client {
            // What was spoken is settled when the connection is there.
            exchange.wire = Wire::new(exchange.wire.scheme(), response.version());
        }
    }

    fn on_end(&self, exchange: Exchange, end: &Totals, context: &RequestContext) {
        let recorder = &*self.0;
        let took = nanos(end.duration);
        let (name, ended) = match recorder.settings.kind {
            Kind::Server => {
                recorder.operations.record(context);
                let route = context.route().map(|route| recorder.names.find(route, 0));
                // The clock was read twice for the duration; there is no need to read it again.
                let ended = context.started().map(|started| recorder.at(started) + took);
                (route, ended)
            }
            // The context is that of the request which is served meanwhile.
            Kind::Client => (None, None),
        };
        let name = name.unwrap_or_else(|| recorder.names.at(exchange.place));
        let labels = Labels {
            method: exchange.method,
            wire: exchange.wire,
            status: end.status,
            place: name.place,
            error: self.error_of(&exchange, end, context),
        };
        let measured = Measured {
            nanos: took,
            request_bytes: Some(exchange.request_bytes).filter(|bytes| *bytes != UNKNOWN_LENGTH),
            response_bytes: end.bytes_out,
        };
        let now = ended.unwrap_or_else(|| recorder.at(Instant::now()));
        recorder.record(labels, name, measured, now, || Ids::of(context));
    }
}

impl HttpMetrics {
    /// What went wrong, the most telling first.
    fn error_of(&self, exchange: &Exchange, end: &Totals, context: &RequestContext) -> ErrorType {
        let is_server = self.0.settings.kind == Kind::Server;
        if is_server && let Some(word) = context.error_type() {
            return self.0.error_word(word);
        }
        if exchange.rejected != ErrorType::NONE {
            return exchange.rejected;
        }
        // RFC 9110 §15: 4xx is the client's own failure, so it is one for a client alone.
        let fails = |status: u16| status >= if is_server { 500 } else { 400 };
        match (end.status, end.outcome) {
            (Some(status), _) if fails(status.as_u16()) => ErrorType::status(status),
            (_, Outcome::Complete) => ErrorType::NONE,
            (_, Outcome::ClientGone) if !is_server => self.0.error_word("cancelled"),
            (_, outcome) => self.0.error_word(outcome.as_str()),
        }
    }
}

/// A length that no body has, so the head that declares it lies. It would take the last digits
/// of the sum of sizes, which is a float with 15 of them, for ever.
const IMPOSSIBLE_LENGTH: u64 = 1 << 50;

/// How long the request's body is, where the head tells.
fn request_bytes(kind: Kind, version: Version, headers: &HeaderMap) -> Option<u64> {
    if let Some(length) = headers.get(CONTENT_LENGTH) {
        let length = length.to_str().ok()?.parse().ok()?;
        return Some(length).filter(|length| *length < IMPOSSIBLE_LENGTH);
    }
    // RFC 9112 §6.3: a request in HTTP/1 without either has no body. On a client's side the
    // connection adds them later.
    let is_http1 = version <= Version::HTTP_11;
    (kind == Kind::Server && is_http1 && !headers.contains_key(TRANSFER_ENCODING)).then_some(0)
}

#[cfg(test)]
mod tests;
