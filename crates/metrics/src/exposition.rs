//! The page that Prometheus reads.

mod families;
mod negotiate;
mod text;

use std::{fmt, sync::Arc};

use buttress_core::source::Metrics;
use http::HeaderMap;

pub use self::negotiate::Format;
use self::{families::Families, text::Page};
use crate::{
    http_metrics::HttpMetrics,
    labels::{Labels, Place, Scheme},
    recorder::Recorder,
    series::{Counted, DURATION_BOUNDS, SIZE_BOUNDS, Series},
    settings::Kind,
};

/// Everything that is shown on one page: a server's and a client's metrics, and other sources.
///
/// ```
/// use buttress_core::source::{Metrics, Sample};
/// use buttress_metrics::{Exposition, Format, HttpMetrics, ProcessMetrics};
///
/// struct Queue;
///
/// impl Metrics for Queue {
///     fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
///         each(Sample::gauge("queue_depth", "Jobs that wait.", 7.0).labels(&[("queue", "mail")]));
///     }
/// }
///
/// let page = Exposition::new()
///     .http(&HttpMetrics::server())
///     .source(ProcessMetrics::new())
///     .source(Queue);
/// assert!(page.render(Format::Prometheus).contains("\nqueue_depth{queue=\"mail\"} 7\n"));
/// ```
#[derive(Clone, Default)]
pub struct Exposition {
    server: Option<HttpMetrics>,
    client: Option<HttpMetrics>,
    sources: Vec<Arc<dyn Metrics>>,
}

impl Exposition {
    /// An empty page.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows these. A page has one server's metrics and one client's; another takes its place.
    #[must_use]
    pub fn http(mut self, metrics: &HttpMetrics) -> Self {
        let place = match metrics.0.settings.kind {
            Kind::Server => &mut self.server,
            Kind::Client => &mut self.client,
        };
        *place = Some(metrics.clone());
        self
    }

    /// Shows what `source` has to show. It is asked on each scrape.
    ///
    /// Samples of one name from several sources become one family, with the first one's help and
    /// kind. What a scraper would refuse the page for is put right: names that the format does
    /// not know get `_` for what is not allowed in them, a counter gets its `_total`, a label
    /// named twice keeps its first value, and a series shown twice its first number.
    #[must_use]
    pub fn source(self, source: impl Metrics + 'static) -> Self {
        self.shared(Arc::new(source))
    }

    /// The same, of a source that others hold too.
    #[must_use]
    pub fn shared(mut self, source: Arc<dyn Metrics>) -> Self {
        self.sources.push(source);
        self
    }

    /// The page, in this format.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        let mut page = Page::new(format);
        let mut families = Families::new();
        for metrics in [&self.server, &self.client].into_iter().flatten() {
            write_http(&mut page, &metrics.0);
        }
        for source in &self.sources {
            source.collect(&mut |sample| families.add(&sample));
        }
        families.write(&mut page);
        page.finish()
    }

    /// The page, in the format that a request asks for, and which that is.
    #[must_use]
    pub fn negotiate(&self, headers: &HeaderMap) -> (Format, String) {
        let format = Format::asked_for(headers);
        (format, self.render(format))
    }
}

impl fmt::Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exposition")
            .field("server", &self.server)
            .field("client", &self.client)
            .field("sources", &self.sources.len())
            .finish()
    }
}

fn write_http(page: &mut Page, recorder: &Recorder) {
    let (side, of) = match recorder.settings.kind {
        Kind::Server => ("server", "HTTP server requests"),
        Kind::Client => ("client", "HTTP client requests"),
    };
    let name = |rest: &str| format!("http_{side}_{rest}");

    let active = name("active_requests");
    page.family(&active, "gauge", None, &format!("Number of active {of}."));
    for (index, value) in recorder.gauges.iter() {
        page.integer(&active, &gauge_labels(recorder, index), value);
    }

    let series: Vec<_> =
        recorder.series().map(|series| (series, series_labels(recorder, series))).collect();
    let duration = name("request_duration_seconds");
    page.family(&duration, "histogram", Some("seconds"), &format!("Duration of {of}."));
    for (series, labels) in &series {
        let bounds = DURATION_BOUNDS.map(seconds);
        let exemplar = |bucket| series.exemplar(bucket);
        let Counted { buckets, sum } = series.durations();
        page.histogram(&duration, labels, &bounds, &buckets, seconds(sum), exemplar);
    }
    let sizes = [
        ("request", Series::request_sizes as fn(&Series) -> Counted),
        ("response", Series::response_sizes),
    ];
    for (which, sizes) in sizes {
        let size = name(&format!("{which}_body_size_bytes"));
        page.family(
            &size,
            "histogram",
            Some("bytes"),
            &format!("Size of HTTP {side} {which} bodies."),
        );
        for (series, labels) in &series {
            let Counted { buckets, sum } = sizes(series);
            let bounds = SIZE_BOUNDS.map(|bound| text::float(u128::from(bound)));
            page.histogram(&size, labels, &bounds, &buckets, text::float(sum), |_| None);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a float has 15 digits, and that is what is shown")]
fn seconds(nanos: impl Into<u128>) -> f64 {
    nanos.into() as f64 / 1e9
}

type OwnLabels = Vec<(&'static str, String)>;

fn overflow() -> OwnLabels {
    vec![("otel_metric_overflow", "true".to_owned())]
}

fn gauge_labels(recorder: &Recorder, index: usize) -> OwnLabels {
    match recorder.settings.kind {
        Kind::Server => {
            let method = u8::try_from(index / Scheme::ALL.len()).unwrap_or(u8::MAX);
            let scheme = Scheme::ALL.get(index % Scheme::ALL.len()).copied().unwrap_or_default();
            vec![
                ("http_request_method", recorder.settings.methods.name(method).to_owned()),
                ("url_scheme", scheme.as_str().to_owned()),
            ]
        }
        Kind::Client => match Place::of_index(index) {
            Place::OVERFLOW => overflow(),
            place => place_labels(recorder, place),
        },
    }
}

fn series_labels(recorder: &Recorder, series: &Series) -> OwnLabels {
    let Some(Labels { method, wire, status, place, error }) = series.labels else {
        return overflow();
    };
    let mut labels = vec![
        ("http_request_method", recorder.settings.methods.name(method).to_owned()),
        ("url_scheme", wire.scheme().as_str().to_owned()),
        ("network_protocol_version", wire.version().to_owned()),
    ];
    labels.extend(place_labels(recorder, place));
    labels.extend(status.map(|status| ("http_response_status_code", status.as_u16().to_string())));
    labels.extend(recorder.error_name(error).map(|error| ("error_type", error)));
    labels
}

fn place_labels(recorder: &Recorder, place: Place) -> OwnLabels {
    let name = recorder.names.at(place);
    match recorder.settings.kind {
        _ if place.as_named().is_none() => Vec::new(),
        Kind::Server => vec![("http_route", name.text.to_string())],
        Kind::Client => {
            vec![("server_address", name.text.to_string()), ("server_port", name.port.to_string())]
        }
    }
}
