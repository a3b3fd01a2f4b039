//! What is counted, with the times and the ends passed in.

use http::{Method, StatusCode, Version};
use proptest::prelude::*;

use super::*;
use crate::{MAX_SERIES, report::Route};

/// A request of which nothing is known but its method.
fn labels(metrics: &HttpMetrics, method: &str, status: u16) -> Labels {
    let method: Method = method.parse().unwrap();
    Labels {
        method: metrics.0.settings.methods.index(&method),
        wire: Wire::new(Scheme::Http, Version::HTTP_11),
        status: StatusCode::from_u16(status).ok(),
        place: Place::UNKNOWN,
        error: ErrorType::NONE,
    }
}

impl HttpMetrics {
    fn count(&self, route: Option<&str>, labels: Labels, took: Duration, now: Duration) {
        let name = match route {
            Some(route) => self.0.names.find(route, 0),
            None => self.0.names.at(Place::UNKNOWN),
        };
        let measured = Measured { nanos: nanos(took), request_bytes: Some(1), response_bytes: 2 };
        let labels = Labels { place: name.place, ..labels };
        self.0.record(labels, name, measured, nanos(now), || Ids::NONE);
    }

    fn report_at(&self, now: Duration) -> Report {
        Report::of(&self.0, nanos(now))
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn percentiles_of_1_to_1000_milliseconds() {
    let metrics = HttpMetrics::server();
    for millis in 1..=1_000 {
        let labels = labels(&metrics, "GET", 200);
        metrics.count(Some("/"), labels, Duration::from_millis(millis), SECOND);
    }
    let report = metrics.report_at(SECOND);
    let route = report.since_start().routes().first().unwrap();
    for latency in [report.since_start().latency(), report.window().latency(), route.latency()] {
        for (found, exact) in [(latency.p50, 500.0), (latency.p95, 950.0), (latency.p99, 990.0)] {
            let found = found.as_secs_f64() * 1_000.0;
            assert!((found - exact).abs() <= exact * 0.025, "{found} for {exact}");
        }
        assert_eq!(latency.min, Duration::from_millis(1));
        assert_eq!(latency.max, SECOND);
        assert_eq!(latency.mean, Duration::from_micros(500_500));
    }
}

#[test]
fn too_many_routes_count_in_one_series_and_nothing_is_lost() {
    let metrics = HttpMetrics::server();
    for round in 1..=2 {
        for number in 0..3_000 {
            let labels = labels(&metrics, "GET", 200);
            metrics.count(Some(&format!("/{number}")), labels, SECOND, SECOND);
        }
        let series: Vec<_> = metrics.0.series().collect();
        assert_eq!(series.len(), MAX_SERIES + 1);
        let overflow = series.last().unwrap();
        assert!(overflow.labels.is_none());
        assert_eq!(overflow.count(), 1_000 * round);
        assert_eq!(series.iter().map(|series| series.count()).sum::<u64>(), 3_000 * round);
        let report = metrics.report_at(SECOND);
        for period in [report.since_start(), report.window()] {
            assert_eq!(period.requests(), 3_000 * round);
            assert_eq!(period.by_status().map(|(_, count)| count).sum::<u64>(), 3_000 * round);
            let routes = period.routes();
            assert_eq!(routes.len(), MAX_SERIES + 1);
            assert_eq!(
                routes.iter().map(|route| route.latency().count).sum::<u64>(),
                3_000 * round
            );
            assert_eq!(routes.first().unwrap().name(), Some("otel.metric.overflow"));
        }
    }
}

#[test]
fn too_many_statuses_of_a_known_route_overflow_too() {
    let metrics = HttpMetrics::server();
    for route in 0..3 {
        for status in 100..=999 {
            let labels = labels(&metrics, "GET", status);
            metrics.count(Some(&route.to_string()), labels, SECOND, SECOND);
        }
    }
    assert_eq!(metrics.0.series().count(), MAX_SERIES + 1);
    let report = metrics.report_at(SECOND);
    let counts = report.since_start().routes().iter().map(|route| route.latency().count);
    assert_eq!(counts.collect::<Vec<_>>(), [900; 3]);
}

#[test]
fn too_many_kinds_of_error_are_other() {
    let metrics = HttpMetrics::server();
    for number in 0..300 {
        let word: &'static str = Box::leak(format!("kind_{number}").into_boxed_str());
        let error = metrics.0.error_word(word);
        let name = metrics.0.error_name(error).unwrap();
        assert_eq!(name, if number < 255 { word } else { "_OTHER" });
    }
}

#[test]
fn a_word_that_reads_like_another_kind_of_error_is_that() {
    let metrics = HttpMetrics::server();
    let name = |error| metrics.0.error_name(error);
    for (word, error) in [
        ("500", ErrorType::status(StatusCode::INTERNAL_SERVER_ERROR)),
        ("999", ErrorType::status(StatusCode::from_u16(999).unwrap())),
    ] {
        assert_eq!(metrics.0.error_word(word), error);
        assert_eq!(name(error).as_deref(), Some(word));
    }
    let other = metrics.0.error_word("_OTHER");
    assert_eq!(metrics.0.error_word(""), other);
    assert_eq!(name(other).as_deref(), Some("_OTHER"));
    for word in ["5xx", "timeout", "099"] {
        assert_eq!(name(metrics.0.error_word(word)).as_deref(), Some(word));
    }
}

#[test]
fn the_window_forgets_and_the_totals_do_not() {
    let metrics = HttpMetrics::server();
    let at = Duration::from_secs;
    let count = |route, millis, now| {
        let labels = labels(&metrics, "GET", 200);
        metrics.count(Some(route), labels, Duration::from_millis(millis), at(now));
    };
    count("/old", 700, 5);
    count("/both", 100, 5);
    count("/both", 10, 62);
    count("/new", 1, 65);

    let report = metrics.report_at(at(69));
    assert_eq!(report.since_start().requests(), 4);
    assert_eq!(report.since_start().latency().max, Duration::from_millis(700));
    let window = report.window();
    assert_eq!(window.span(), at(59));
    assert_eq!(window.requests(), 2);
    assert_eq!(window.latency().max, Duration::from_millis(10));
    assert_eq!(window.latency().mean, Duration::from_micros(5_500));
    let mut routes: Vec<_> = window.routes().iter().filter_map(Route::name).collect();
    routes.sort_unstable();
    assert_eq!(routes, ["/both", "/new"]);
    assert_eq!(window.by_method().collect::<Vec<_>>(), [("GET", 2)]);

    let later = metrics.report_at(at(600));
    assert_eq!((later.window().requests(), later.window().per_second()), (0, 0.0));
    assert_eq!(later.since_start().requests(), 4);
}

proptest! {
    /// Against a list of what was counted.
    #[test]
    fn a_window_holds_what_came_since_its_first_slice(
        steps in proptest::collection::vec((0_u64..30, 1_u64..10_000), 1..60),
        wait in 0_u64..90,
    ) {
        let metrics = HttpMetrics::server();
        let mut now = 0;
        let mut counted = Vec::new();
        for (step, millis) in steps {
            now += step;
            let took = Duration::from_millis(millis);
            let labels = labels(&metrics, "GET", 200);
            metrics.count(Some("/"), labels, took, Duration::from_secs(now));
            counted.push((now, took));
        }
        now += wait;
        // Slices of ten seconds, of which six are in the window.
        let begun = (now / 10).saturating_sub(5) * 10;
        let within: Vec<_> =
            counted.iter().filter(|(at, _)| *at >= begun).map(|(_, took)| *took).collect();

        let report = metrics.report_at(Duration::from_secs(now));
        let latency = report.window().latency();
        prop_assert_eq!(latency.count, within.len() as u64);
        prop_assert_eq!(latency.max, within.iter().max().copied().unwrap_or_default());
        prop_assert_eq!(latency.min, within.iter().min().copied().unwrap_or_default());
        let sum = report.window().by_status().map(|(_, count)| count).sum::<u64>();
        prop_assert_eq!(sum, within.len() as u64);
        prop_assert_eq!(report.since_start().requests(), counted.len() as u64);
    }
}

#[test]
fn threads_that_count_together_lose_nothing() {
    const THREADS: usize = 4;
    const EACH: usize = 20_000;
    let nanoseconds = |nanos: usize| Duration::from_nanos(nanos as u64);
    let metrics = HttpMetrics::server();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let metrics = &metrics;
            scope.spawn(move || {
                for number in 0..EACH {
                    let labels = labels(metrics, "GET", [200, 201, 202][number % 3]);
                    let took = nanoseconds(1 + thread * EACH + number);
                    // Through many slices, whose beginnings race.
                    let now = nanoseconds(number * 10_000_000);
                    metrics.count(Some(["/a", "/b"][number % 2]), labels, took, now);
                }
            });
        }
    });
    let report = metrics.report_at(nanoseconds(EACH * 10_000_000));
    let all = report.since_start();
    let last = (THREADS * EACH) as u64;
    assert_eq!(all.requests(), last);
    assert_eq!(all.by_status().map(|(_, count)| count).sum::<u64>(), last);
    assert_eq!(all.latency().mean, Duration::from_nanos(last.div_ceil(2)));
    assert_eq!((all.latency().min.as_nanos(), all.latency().max.as_nanos()), (1, last.into()));
}
