//! What was counted, for a person.

mod period;

use std::{fmt, time::Duration};

use buttress_core::value::Value;

use self::period::millis;
pub use self::period::{Latency, Period, Route};
use crate::{recorder::Recorder, series::Series, settings::Kind};

/// How many of the slowest routes are named, unless another number is said.
const SLOWEST: usize = 5;

/// What was counted since the start and in the window, at the moment when it was asked for.
///
/// `Display` writes one line for a log; [`to_json`](Self::to_json) everything.
///
/// ```
/// use buttress_metrics::HttpMetrics;
///
/// let report = HttpMetrics::server().report();
/// assert_eq!(report.since_start().requests(), 0);
/// assert!(report.to_string().starts_with("requests=0 rps=0.0 in_flight=0"));
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    kind: Kind,
    in_flight: u64,
    since_start: Period,
    window: Period,
    slowest: usize,
}

impl Report {
    pub(crate) fn of(recorder: &Recorder, now: u64) -> Self {
        let first = recorder.first_slice(now);
        let since_start = Period::of(recorder, Duration::from_nanos(now), Series::count, |name| {
            name.latency.since_start()
        });
        let window = Period::of(
            recorder,
            recorder.window.covered(now),
            |series| series.count_since(first),
            |name| name.latency.since(first),
        );
        Self {
            kind: recorder.settings.kind,
            in_flight: recorder.in_flight(),
            since_start,
            window,
            slowest: SLOWEST,
        }
    }

    /// How many of the slowest routes the JSON and the line name: 5 by default.
    #[must_use]
    pub const fn slowest(mut self, routes: usize) -> Self {
        self.slowest = routes;
        self
    }

    /// How many requests are under way.
    #[must_use]
    pub const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Since the metrics were made.
    #[must_use]
    pub const fn since_start(&self) -> &Period {
        &self.since_start
    }

    /// In the newest past: between five sixths of the window's length and all of it.
    #[must_use]
    pub const fn window(&self) -> &Period {
        &self.window
    }

    /// Everything, as one line of JSON. Durations are in milliseconds.
    #[must_use]
    pub fn to_json(&self) -> String {
        let routes = match self.kind {
            Kind::Server => "by_route",
            Kind::Client => "by_server",
        };
        Value::object([
            ("in_flight", Value::from(self.in_flight)),
            ("since_start", self.since_start.to_value(routes, self.slowest)),
            ("window", self.window.to_value(routes, self.slowest)),
        ])
        .to_json()
    }
}

/// The window in one line, and the total since the start.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let latency = self.window.latency();
        write!(
            f,
            "requests={} rps={:.1} in_flight={} errors={} mean_ms={:.3} p50_ms={:.3} p95_ms={:.3} \
             p99_ms={:.3} max_ms={:.3} window_s={:.0} total={}",
            latency.count,
            self.window.per_second(),
            self.in_flight,
            self.window.errors().map(|(_, count)| count).sum::<u64>(),
            millis(latency.mean),
            millis(latency.p50),
            millis(latency.p95),
            millis(latency.p99),
            millis(latency.max),
            self.window.span().as_secs_f64(),
            self.since_start.requests(),
        )?;
        for (at, route) in self.window.slowest(self.slowest).enumerate() {
            f.write_str(if at == 0 { " slowest=\"" } else { ", " })?;
            // A peer's name comes from outside, and so does an id.
            let name = route.name().unwrap_or("-").escape_debug();
            write!(f, "{name} p95={:.3}", millis(route.latency().p95))?;
            if let Some(id) = route.slowest_request_id() {
                write!(f, " id={}", id.escape_debug())?;
            }
        }
        if self.slowest > 0 && self.window.requests() > 0 {
            f.write_str("\"")?;
        }
        Ok(())
    }
}
