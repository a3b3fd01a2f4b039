//! What came in a span of time.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use buttress_core::value::Value;

use crate::{
    exemplar::Ids, exponential::Distribution, labels::Place, names::Name, recorder::Recorder,
    series::Series,
};

/// What one route is called that stands for those that were too many.
const OVERFLOW: &str = "otel.metric.overflow";

/// What came in a span of time.
#[derive(Clone, Debug)]
pub struct Period {
    span: Duration,
    latency: Latency,
    by_method: BTreeMap<String, u64>,
    by_status: BTreeMap<String, u64>,
    errors: BTreeMap<String, u64>,
    routes: Vec<Route>,
}

/// How long requests took, to the end of their bodies.
///
/// The percentiles are within 2.2 %, the rest is exact. Of no request, all of them are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latency {
    /// How many there were.
    pub count: u64,
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
    /// Their sum, divided by their number.
    pub mean: Duration,
    /// Half of them took no longer.
    pub p50: Duration,
    /// 95 in 100 took no longer.
    pub p95: Duration,
    /// 99 in 100 took no longer.
    pub p99: Duration,
}

/// One route of a server, or one peer of a client.
#[derive(Clone, Debug)]
pub struct Route {
    name: Option<String>,
    latency: Latency,
    slowest: Ids,
}

impl Period {
    pub(super) fn of(
        recorder: &Recorder,
        span: Duration,
        count: impl Fn(&Series) -> u64,
        latency: impl Fn(&Name) -> (Distribution, Ids),
    ) -> Self {
        let mut by_method = BTreeMap::new();
        let mut by_status = BTreeMap::new();
        let mut errors = BTreeMap::new();
        for series in recorder.series() {
            let count = count(series);
            if count == 0 {
                continue;
            }
            let Some(labels) = &series.labels else {
                for table in [&mut by_method, &mut by_status] {
                    *table.entry(OVERFLOW.to_owned()).or_insert(0) += count;
                }
                continue;
            };
            let method = recorder.settings.methods.name(labels.method);
            *by_method.entry(method.to_owned()).or_insert(0) += count;
            let status = labels
                .status
                .map_or_else(|| "none".to_owned(), |status| status.as_u16().to_string());
            *by_status.entry(status).or_insert(0) += count;
            if let Some(error) = recorder.error_name(labels.error) {
                *errors.entry(error).or_insert(0) += count;
            }
        }
        let mut all = Distribution::empty();
        let mut routes = Vec::new();
        for name in recorder.names.iter() {
            let (distribution, slowest) = latency(name);
            if distribution.count() > 0 {
                all.merge(&distribution);
                let latency = Latency::of(&distribution);
                routes.push(Route { name: text(name), latency, slowest });
            }
        }
        routes.sort_by_key(|route| Reverse(route.latency.count));
        Self { span, latency: Latency::of(&all), by_method, by_status, errors, routes }
    }

    /// How much time it covers.
    #[must_use]
    pub const fn span(&self) -> Duration {
        self.span
    }

    /// How many requests ended.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.latency.count
    }

    /// How many requests ended per second; 0 in no time.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate, to be read")]
    pub fn per_second(&self) -> f64 {
        let seconds = self.span.as_secs_f64();
        if seconds > 0.0 { self.latency.count as f64 / seconds } else { 0.0 }
    }

    /// How long all of them took.
    #[must_use]
    pub const fn latency(&self) -> &Latency {
        &self.latency
    }

    /// How many there were of each method.
    pub fn by_method(&self) -> impl Iterator<Item = (&str, u64)> {
        self.by_method.iter().map(|(method, count)| (&**method, *count))
    }

    /// How many there were of each status; `none` where there was no answer.
    pub fn by_status(&self) -> impl Iterator<Item = (&str, u64)> {
        self.by_status.iter().map(|(status, count)| (&**status, *count))
    }

    /// How many there were of each `error.type`.
    pub fn errors(&self) -> impl Iterator<Item = (&str, u64)> {
        self.errors.iter().map(|(kind, count)| (&**kind, *count))
    }

    /// Each route, the most used first.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The routes with the greatest 95th percentile, at most so many.
    pub fn slowest(&self, count: usize) -> impl Iterator<Item = &Route> {
        let mut routes: Vec<_> = self.routes.iter().collect();
        routes.sort_by_key(|route| Reverse(route.latency.p95));
        routes.into_iter().take(count)
    }

    pub(super) fn to_value(&self, routes: &'static str, slowest: usize) -> Value {
        let list = |routes: &mut dyn Iterator<Item = &Route>| {
            Value::from(routes.map(Route::to_value).collect::<Vec<_>>())
        };
        let table = |table: &BTreeMap<String, u64>| {
            Value::object(table.iter().map(|(name, count)| (name.clone(), *count)))
        };
        Value::object([
            ("seconds", Value::from(rounded(self.span.as_secs_f64()))),
            ("requests", Value::from(self.requests())),
            ("requests_per_second", Value::from(rounded(self.per_second()))),
            ("duration_ms", self.latency.to_value()),
            ("by_method", table(&self.by_method)),
            ("by_status", table(&self.by_status)),
            ("errors", table(&self.errors)),
            (routes, list(&mut self.routes.iter())),
            ("slowest", list(&mut self.slowest(slowest))),
        ])
    }
}

impl Latency {
    fn of(distribution: &Distribution) -> Self {
        let percentile = |percent| Duration::from_nanos(distribution.percentile(percent));
        Self {
            count: distribution.count(),
            min: Duration::from_nanos(distribution.min()),
            max: Duration::from_nanos(distribution.max()),
            mean: Duration::from_nanos(distribution.mean()),
            p50: percentile(50),
            p95: percentile(95),
            p99: percentile(99),
        }
    }

    fn to_value(self) -> Value {
        if self.count == 0 {
            return Value::Null;
        }
        let members = [
            ("min", self.min),
            ("max", self.max),
            ("mean", self.mean),
            ("p50", self.p50),
            ("p95", self.p95),
            ("p99", self.p99),
        ];
        Value::object(members.map(|(name, duration)| (name, millis(duration))))
    }
}

impl Route {
    /// The route's template, or a peer's host and port; `None` where no route matched.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// How long its requests took.
    #[must_use]
    pub const fn latency(&self) -> &Latency {
        &self.latency
    }

    /// The id of the request that took [`max`](Latency::max), if it had one.
    #[must_use]
    pub fn slowest_request_id(&self) -> Option<&str> {
        self.slowest.request_id()
    }

    /// The same request's trace, in hexadecimal, if it was sampled.
    #[must_use]
    pub fn slowest_trace_id(&self) -> Option<String> {
        self.slowest.trace_id()
    }

    fn to_value(&self) -> Value {
        Value::object([
            ("route", Value::from(self.name.clone())),
            ("requests", Value::from(self.latency.count)),
            ("duration_ms", self.latency.to_value()),
            ("slowest_request_id", Value::from(self.slowest_request_id().map(str::to_owned))),
            ("slowest_trace_id", Value::from(self.slowest_trace_id())),
        ])
    }
}

fn text(name: &Name) -> Option<String> {
    match name.port {
        _ if name.place == Place::UNKNOWN => None,
        _ if name.place == Place::OVERFLOW => Some(OVERFLOW.to_owned()),
        0 => Some(name.text.to_string()),
        port => Some(format!("{}:{port}", name.text)),
    }
}

pub(super) fn millis(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1_000.0)
}

/// To three decimals.
fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}
