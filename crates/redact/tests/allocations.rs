//! Where there is nothing to hide, nothing is allocated.
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::fmt::{self, Write};

use buttress_conformance::allocations;
use buttress_redact::{RedactLayer, Rules, Verdict};
use http::{HeaderMap, HeaderValue, header};
use tracing::{Event, Subscriber, field::Empty, subscriber::with_default};
use tracing_subscriber::{Layer, Registry, layer::Context, layer::SubscriberExt};

struct Nowhere;

impl Write for Nowhere {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        std::hint::black_box(text);
        Ok(())
    }
}

/// A layer that costs nothing.
struct Sink;

impl<S: Subscriber> Layer<S> for Sink {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut |_: &tracing::field::Field, value: &dyn fmt::Debug| {
            write!(Nowhere, "{value:?}").unwrap();
        });
    }
}

/// The worst of some, after what is built once has been.
fn warm(mut run: impl FnMut()) -> u64 {
    run();
    run();
    (0..4).map(|_| allocations(&mut run)).max().unwrap()
}

#[test]
fn a_clear_event_passes_without_an_allocation() {
    let subscriber = Registry::default().with(RedactLayer::new(Sink));
    let count = with_default(subscriber, || {
        warm(|| {
            tracing::info!(
                user = "ada",
                id = 42_u64,
                score = 0.5,
                debug = ?Some("text"),
                "handled {} in {:?}", "GET /", std::time::Duration::from_millis(3)
            );
        })
    });
    assert_eq!(count, 0);
}

#[test]
fn a_sensitive_field_without_a_value_costs_nothing() {
    let subscriber = Registry::default().with(RedactLayer::new(Sink));
    let count = with_default(subscriber, || {
        warm(|| tracing::info!(password = Empty, user = "ada", "hello"))
    });
    assert_eq!(count, 0);
}

#[test]
fn keys_numbers_and_texts_are_judged_without_an_allocation() {
    let rules = Rules::new().redact_path("**.street").unwrap();
    let count = warm(|| {
        for key in ["user_agent", "X-Api-Key", "a.b.street", "usage.total_tokens"] {
            let _ = std::hint::black_box(rules.key(key));
        }
        assert!(matches!(rules.number(4_111_111_111_111_112), Verdict::Clear));
        rules
            .text("GET /users/42 -> 200 in 3 ms, see https://example.com/a?b=c", &mut Nowhere)
            .unwrap();
        rules.text("postgres://app:hunter2@db and 4111 1111 1111 1111", &mut Nowhere).unwrap();
        rules.format(format_args!("{:?} {}", Some("x"), 1), &mut Nowhere).unwrap();
    });
    assert_eq!(count, 0);
}

#[test]
fn queries_and_headers_are_printed_without_an_allocation() {
    let rules = Rules::new();
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
    let count = warm(|| {
        write!(Nowhere, "{}", rules.query("page=2&q=a%20b+c&p%61ssword=hunter2")).unwrap();
        write!(Nowhere, "{}", rules.headers(&headers)).unwrap();
    });
    assert_eq!(count, 0);
}

#[cfg(feature = "serde")]
#[test]
fn a_value_is_serialised_without_an_allocation() {
    let value = serde_json::json!({
        "user": {"name": "Ada", "password": "hunter2", "ids": [1, 2.5, null]},
        "url": "https://a:b@c",
    });
    let rules = Rules::new().redact_path("user.ids[0]").unwrap();
    let count = warm(|| serde_json::to_writer(std::io::sink(), &rules.redacted(&value)).unwrap());
    assert_eq!(count, 0);
}
