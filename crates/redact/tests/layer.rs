//! What a layer sees through `RedactLayer`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test is meant to panic")]

use std::{
    error::Error,
    fmt, io,
    sync::{Arc, Mutex},
};

use buttress_redact::{Censor, RedactLayer, Rules};
use proptest::prelude::*;
use serde_json::Value;
use tracing::{
    Event, Subscriber,
    field::{Empty, Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::with_default,
};
use tracing_subscriber::{
    Layer, Registry,
    fmt::MakeWriter,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

/// What was written.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Output {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// A layer of another crate: it notes each value by the method that it came by, and the parent.
#[derive(Clone, Default)]
struct Foreign(Arc<Mutex<Vec<String>>>);

struct Note<'a>(&'a mut Vec<String>);

impl Visit for Note<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push(format!("{field} str {value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push(format!("{field} debug {value:?}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let source = value.source().map(ToString::to_string).unwrap_or_default();
        self.0.push(format!("{field} error {value} <- {source}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.push(format!("{field} u64 {value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push(format!("{field} i64 {value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.0.push(format!("{field} u128 {value}"));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.0.push(format!("{field} i128 {value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.push(format!("{field} f64 {value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push(format!("{field} bool {value}"));
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.0.push(format!("{field} bytes {}", value.escape_ascii()));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Foreign {
    fn on_new_span(&self, attrs: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut notes = self.0.lock().unwrap();
        notes.push(format!("span root={} parent={}", attrs.is_root(), attrs.parent().is_some()));
        attrs.record(&mut Note(&mut notes));
    }

    fn on_record(&self, _: &Id, record: &Record<'_>, _: Context<'_, S>) {
        record.record(&mut Note(&mut self.0.lock().unwrap()));
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut notes = self.0.lock().unwrap();
        notes.push(format!("event root={} parent={}", event.is_root(), event.parent().is_some()));
        event.record(&mut Note(&mut notes));
    }
}

fn notes(rules: &Rules, run: impl FnOnce()) -> Vec<String> {
    let foreign = Foreign::default();
    let layer = RedactLayer::new(foreign.clone()).rules(rules.clone());
    with_default(Registry::default().with(layer), run);
    foreign.0.lock().unwrap().clone()
}

fn json(run: impl FnOnce()) -> Vec<Value> {
    let output = Output::default();
    let layer = tracing_subscriber::fmt::layer().json().with_writer(output.clone());
    with_default(Registry::default().with(RedactLayer::new(layer)), run);
    output.lines()
}

#[derive(Debug)]
struct Refused {
    why: String,
    source: Option<Box<Refused>>,
}

impl Refused {
    fn new(why: &str, source: Option<Refused>) -> Self {
        Self { why: why.to_owned(), source: source.map(Box::new) }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[test]
fn values_of_sensitive_fields_are_replaced_whatever_their_type() {
    let seen = notes(&Rules::new(), || {
        let error = Refused::new("hunter2", None);
        tracing::info!(
            password = "hunter2",
            pin = 4711_u64,
            otp = -12_i64,
            session_ok = true,
            token = ?Some("hunter2"),
            user.secret = %"hunter2",
            auth_score = 0.5,
            cookie = &b"hunter2"[..],
            credential = &error as &(dyn Error + 'static),
            big_token = u128::MAX,
            "hello"
        );
    });
    assert_eq!(seen.first().unwrap(), "event root=false parent=false");
    assert_eq!(seen.iter().filter(|note| note.ends_with("str [REDACTED]")).count(), 10, "{seen:?}");
    assert!(seen.contains(&"message debug hello".to_owned()), "{seen:?}");
    assert_eq!(seen.len(), 12);
}

#[test]
fn the_other_fields_keep_their_values_and_types() {
    let record = || {
        let inner = Refused::new("inner", None);
        let error = Refused::new("outer", Some(inner));
        tracing::info!(
            password = "hunter2",
            text = "a \"text\"",
            debug = ?Some(1),
            display = %"shown",
            u = 1_u64,
            i = -1_i64,
            big = u128::MAX,
            small = i128::MIN,
            float = f64::INFINITY,
            flag = true,
            bytes = &[1_u8, 2][..],
            error = &error as &(dyn Error + 'static),
            none = Empty,
            "the message {}", 1
        );
    };
    let mut expected = notes(&Rules::none(), record);
    for note in &mut expected {
        if note.starts_with("password") {
            *note = "password str [REDACTED]".to_owned();
        }
    }
    assert_eq!(notes(&Rules::new(), record), expected);
}

#[test]
fn values_are_censored_by_their_look_under_any_field() {
    let seen = notes(&Rules::new(), || {
        let source = Refused::new("no route to postgres://app:hunter2@db", None);
        let error = Refused::new("query failed", Some(source));
        tracing::info!(
            card = 4_111_111_111_111_111_u64,
            signed = 4_111_111_111_111_111_i64,
            float = 4_111_111_111_111_111.0,
            bytes = &b"AKIAIOSFODNN7EXAMPLE"[..],
            binary = &b"\xff AKIAIOSFODNN7EXAMPLE"[..],
            text = "Bearer abc",
            debug = ?["AKIAIOSFODNN7EXAMPLE"],
            error = &error as &(dyn Error + 'static),
            "calling https://a:b@c"
        );
    });
    assert_eq!(
        seen,
        [
            "event root=false parent=false",
            "message debug calling https://a:[REDACTED]@c",
            "card str [REDACTED]",
            "signed str [REDACTED]",
            "float str [REDACTED]",
            "bytes str [REDACTED]",
            "binary str \u{fffd} [REDACTED]",
            "text str Bearer [REDACTED]",
            "debug debug [\"[REDACTED]\"]",
            "error error query failed <- no route to postgres://app:[REDACTED]@db",
        ]
    );
}

/// The last source that a layer can get at.
#[derive(Clone, Default)]
struct Deepest(Arc<Mutex<String>>);

impl<S: Subscriber> Layer<S> for Deepest {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut self.clone());
    }
}

impl Visit for Deepest {
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}

    fn record_error(&mut self, _: &Field, value: &(dyn Error + 'static)) {
        let last = std::iter::successors(Some(value), |error| (*error).source()).last();
        *self.0.lock().unwrap() = last.unwrap().to_string();
    }
}

#[test]
fn a_source_too_deep_to_be_looked_at_is_not_passed_on() {
    for (depth, last) in [(10, "https://a:[REDACTED]@c"), (1000, "outer")] {
        let mut error = Refused::new("https://a:hunter2@c", None);
        for _ in 0..depth {
            error = Refused { why: "outer".to_owned(), source: Some(Box::new(error)) };
        }
        let deepest = Deepest::default();
        with_default(Registry::default().with(RedactLayer::new(deepest.clone())), || {
            tracing::info!(error = &error as &(dyn Error + 'static));
        });
        assert_eq!(*deepest.0.lock().unwrap(), last, "{depth}");
    }
}

#[test]
fn fields_of_spans_and_what_is_recorded_late_are_censored() {
    let lines = json(|| {
        let span = tracing::info_span!("login", user = "ada", password = "hunter2", token = Empty);
        let _entered = span.enter();
        let inner = tracing::info_span!("inner", note = Empty);
        inner.record("note", "see https://a:hunter2@c");
        span.record("token", "hunter2");
        let _entered = inner.enter();
        tracing::info!("in");
    });
    assert_eq!(lines.len(), 1);
    let line = lines.first().unwrap();
    assert_eq!(line["fields"]["message"], "in");
    assert_eq!(line["spans"][0]["user"], "ada");
    assert_eq!(line["spans"][0]["password"], "[REDACTED]");
    assert_eq!(line["spans"][0]["token"], "[REDACTED]");
    assert_eq!(line["spans"][1]["note"], "see https://a:[REDACTED]@c");
    assert!(!line.to_string().contains("hunter2"));
}

#[test]
fn parents_stay_what_they_were() {
    let seen = notes(&Rules::new(), || {
        let span = tracing::info_span!(parent: None, "root", password = 1);
        let _child = tracing::info_span!(parent: &span, "child", password = 1);
        let _context = tracing::info_span!("contextual", password = 1);
        tracing::info!(parent: &span, password = 1);
        tracing::info!(parent: None, password = 1);
        tracing::info!(password = 1);
    });
    let seen: Vec<&str> =
        seen.iter().filter(|note| !note.starts_with("password")).map(String::as_str).collect();
    assert_eq!(
        seen,
        [
            "span root=true parent=false",
            "span root=false parent=true",
            "span root=false parent=false",
            "event root=false parent=true",
            "event root=true parent=false",
            "event root=false parent=false",
        ]
    );
}

#[test]
fn censors_and_paths_of_ones_own_are_applied() {
    let rules = Rules::none()
        .redact_key_with("pan", Censor::keep_last(4))
        .and_then(|rules| rules.redact_key_with("email", Censor::hash(&[7; 16])))
        .and_then(|rules| rules.redact_path_with("user.name", Censor::remove()))
        .and_then(|rules| rules.redact_path("**.street"))
        .unwrap();
    let seen = notes(&rules, || {
        tracing::info!(
            pan = 4_111_111_111_111_111_u64,
            email = "ada@example.com",
            user.name = "Ada",
            user.home.street = "Elm",
            name = "stays",
        );
    });
    let mut hash = String::new();
    Censor::hash(&[7; 16]).write(&"ada@example.com", &mut hash).unwrap();
    assert_eq!(
        seen,
        [
            "event root=false parent=false".to_owned(),
            "pan str [..1111]".to_owned(),
            format!("email str {hash}"),
            "user.home.street str [REDACTED]".to_owned(),
            "name str stays".to_owned(),
        ]
    );
}

#[test]
fn a_layer_outside_of_it_sees_the_values() {
    let (inside, outside) = (Foreign::default(), Foreign::default());
    let subscriber =
        Registry::default().with(RedactLayer::new(inside.clone())).with(outside.clone());
    with_default(subscriber, || tracing::info!(password = "hunter2"));
    assert!(inside.0.lock().unwrap().contains(&"password str [REDACTED]".to_owned()));
    assert!(outside.0.lock().unwrap().contains(&"password str hunter2".to_owned()));
}

#[test]
fn a_filter_around_it_filters() {
    use tracing_subscriber::filter::LevelFilter;
    let (inside, outside) = (Foreign::default(), Foreign::default());
    let subscriber = Registry::default()
        .with(RedactLayer::new(inside.clone()).with_filter(LevelFilter::ERROR))
        .with(outside.clone());
    with_default(subscriber, || {
        tracing::info_span!("unseen", password = 1).record("password", 2);
        tracing::error!(password = 3);
    });
    assert_eq!(inside.0.lock().unwrap().len(), 2);
    assert_eq!(outside.0.lock().unwrap().len(), 5);
}

/// Each is a callsite of its own; together they fill more than the first table.
#[test]
fn a_thousand_callsites_each_have_their_own_verdict() {
    macro_rules! five {
        ($inner:ident) => {
            $inner!();
            $inner!();
            $inner!();
            $inner!();
            $inner!();
        };
    }
    macro_rules! two {
        () => {
            tracing::info!(password = "hunter2", name = "ada");
            tracing::info!(name = "ada", password = "hunter2");
        };
    }
    macro_rules! ten {
        () => {
            five!(two);
        };
    }
    macro_rules! fifty {
        () => {
            five!(ten);
        };
    }
    macro_rules! many {
        () => {
            five!(fifty);
        };
    }
    let seen = notes(&Rules::new(), || {
        five!(many);
    });
    assert_eq!(seen.len(), 3 * 1250);
    assert_eq!(seen.iter().filter(|note| *note == "password str [REDACTED]").count(), 1250);
    assert_eq!(seen.iter().filter(|note| *note == "name str ada").count(), 1250);
}

proptest! {
    #[test]
    fn a_secret_under_a_sensitive_field_is_never_in_the_output(
        secret in "[a-z]{3}[A-Z]{3}[0-9]{4}[\u{e9}\n\"]{0,3}",
        message in "\\PC{0,40}",
    ) {
        prop_assume!(!message.contains(&secret));
        let output = Output::default();
        let layer = tracing_subscriber::fmt::layer().with_writer(output.clone());
        with_default(Registry::default().with(RedactLayer::new(layer)), || {
            let span = tracing::info_span!("span", api_key = secret, late_token = Empty);
            span.record("late_token", &secret);
            let _entered = span.enter();
            tracing::info!(%message, password = ?secret, user.pin = %secret);
        });
        let text = output.text();
        prop_assert!(!text.contains(secret.get(..10).unwrap()), "{text}");
    }
}
