//! The page that Prometheus reads.

mod families;
mod negotiate;
mod text;

use std::{fmt, sync::Arc};

use buttress_core::source;
use http::HeaderMap;

pub use self::negotiate::Format;
pub(crate) use self::text::float;
use self::{families::Families, text::Page};
use crate::{
    attributes::{Attributes, Word},
    conventions::Metrics,
    http_metrics::HttpMetrics,
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
    sources: Vec<Arc<dyn source::Metrics>>,
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
    pub fn source(self, source: impl source::Metrics + 'static) -> Self {
        self.shared(Arc::new(source))
    }

    /// The same, of a source that others hold too.
    #[must_use]
    pub fn shared(mut self, source: Arc<dyn source::Metrics>) -> Self {
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
    let Metrics { active, duration, request_size, response_size } =
        Metrics::of(recorder.settings.kind);

    let name = active.prometheus_name();
    page.family(&name, "gauge", active.prometheus_unit(), active.help);
    for (index, value) in recorder.gauges.iter() {
        page.integer(&name, &prometheus(recorder.gauge_attributes(index)), value);
    }

    let series: Vec<_> = recorder
        .series()
        .map(|series| (series, prometheus(recorder.attributes_of(series))))
        .collect();
    let name = duration.prometheus_name();
    page.family(&name, "histogram", duration.prometheus_unit(), duration.help);
    let bounds = DURATION_BOUNDS.map(seconds);
    for (series, labels) in &series {
        let Counted { buckets, sum } = series.durations();
        let exemplar = |bucket| series.exemplar(bucket);
        page.histogram(&name, labels, &bounds, &buckets, seconds(sum), exemplar);
    }
    let sizes = [
        (request_size, Series::request_sizes as fn(&Series) -> Counted),
        (response_size, Series::response_sizes),
    ];
    let bounds = SIZE_BOUNDS.map(float);
    for (size, sizes) in sizes {
        let name = size.prometheus_name();
        page.family(&name, "histogram", size.prometheus_unit(), size.help);
        for (series, labels) in &series {
            let Counted { buckets, sum } = sizes(series);
            page.histogram(&name, labels, &bounds, &buckets, float(sum), |_| None);
        }
    }
    write_operations(page, recorder);
}

fn write_operations(page: &mut Page, recorder: &Recorder) {
    let totals: Vec<_> = recorder
        .operations
        .totals()
        .map(|(kind, count, nanos)| ([("operation".to_owned(), kind.to_owned())], count, nanos))
        .collect();
    if totals.is_empty() {
        return;
    }
    let name = "http_server_request_operations_total";
    page.family(name, "counter", None, "Operations that requests have caused, by kind.");
    for (labels, count, _) in &totals {
        page.integer(name, labels, *count);
    }
    let name = "http_server_request_operation_seconds_total";
    page.family(name, "counter", None, "How long these took together.");
    for (labels, _, nanos) in &totals {
        page.number(name, labels, seconds(*nanos));
    }
}

pub(crate) fn seconds(nanos: impl Into<u128>) -> f64 {
    float(nanos) / 1e9
}

/// Labels as Prometheus calls them.
fn prometheus(attributes: Attributes) -> Vec<(String, String)> {
    let label = |(name, value): (&str, Word)| (name.replace('.', "_"), value.to_string());
    attributes.into_iter().map(label).collect()
}
