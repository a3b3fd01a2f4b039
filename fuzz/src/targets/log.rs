//! Lines of every shape.

use std::{error::Error, fmt, sync::LazyLock, time::Duration};

use buttress_core::{context::RequestContext, value::Value as Field};
use buttress_log::{Guard, JsonLayer, PrettyLayer, Schema, Sink, logger};
use serde_json::{Value, json};
use tracing::{Dispatch, dispatcher::with_default, field::Empty};
use tracing_subscriber::{Registry, layer::SubscriberExt};

use super::{Output, SECRET};

/// Lines: a secret under a sensitive name, or of a known look, is in none of any shape; and each
/// line of JSON is one, valid, and has nothing in it that a terminal would obey. The first byte
/// chooses the shape, the next how deep the secret lies; the rest stands around it, as names and
/// as values.
pub fn log(data: &[u8]) {
    let [shape, depth, around @ ..] = data else { return };
    let around = String::from_utf8_lossy(around);
    let Some(lines) = LINES.iter().cycle().nth(usize::from(*shape)) else { return };
    if around.contains(SECRET) {
        return;
    }
    let text = lines.print(*depth, &around);
    assert!(!text.contains(SECRET), "it is told: {text}");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "control characters: {text:?}");
    if lines.is_pretty {
        return assert!(text.lines().count() >= 3, "lines were lost: {text}");
    }
    assert_eq!(text.lines().count(), 3, "lines were broken or lost: {text}");
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).expect("valid JSON");
        assert!(value.is_object(), "{line}");
    }
}

static LINES: LazyLock<[Lines; 8]> = LazyLock::new(|| {
    ["json", "ecs", "datadog", "gcp", "otel", "pino", "cloudwatch", "pretty"].map(Lines::new)
});

/// A layer, and what it has written.
struct Lines {
    output: Output,
    guard: Guard,
    subscriber: Dispatch,
    is_pretty: bool,
}

/// An error that says too much.
#[derive(Debug)]
struct Failure<'a>(&'a str, Option<Box<Failure<'static>>>);

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failure<'static> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

impl Lines {
    fn new(shape: &str) -> Self {
        let output = Output::default();
        let (writer, guard) = Sink::to(output.clone()).open().expect("a thread");
        let registry = Registry::default();
        let schema = Schema::named(shape);
        let is_pretty = schema.is_none();
        let subscriber = match schema {
            Some(schema) => {
                let layer = JsonLayer::new(writer).schema(schema).service("fuzz");
                Dispatch::new(registry.with(layer))
            }
            None => Dispatch::new(registry.with(PrettyLayer::new(writer))),
        };
        Self { output, guard, subscriber, is_pretty }
    }

    fn print(&self, depth: u8, around: &str) -> String {
        let json = json!({ "beside": around, "password": SECRET }).to_string();
        let cause = Failure("postgres://app:pl4nted-s3cr3t@db/main", None);
        let error = Failure("no connection", Some(Box::new(cause)));
        let child = logger()
            .with("credentials", SECRET)
            .with("user", nested(depth, around))
            .with(around.to_owned(), around.to_owned());
        let lines = || {
            let span = tracing::info_span!("span", api_key = SECRET, around, late_token = Empty);
            span.record("late_token", SECRET);
            let _entered = span.enter();
            tracing::info!(password = SECRET, user.pin = %SECRET, token = ?[SECRET], "{around}");
            tracing::info!(clear = around, debug = ?around, text = json, "\n Bearer {SECRET}-\n");
            tracing::error!(error = &error as &dyn Error, fatal = depth > 128, around);
        };
        with_default(&self.subscriber, || {
            RequestContext::new().scope(|| child.enter(lines));
        });
        assert!(self.guard.flush(Duration::from_secs(10)), "lines were lost");
        self.output.take()
    }
}

/// The secret under a sensitive key, so many levels down.
fn nested(depth: u8, around: &str) -> Field {
    let mut value = Field::object([("password", SECRET), ("beside", "clear")]);
    for level in 0..depth % 16 {
        value = match level % 3 {
            0 => vec![around.to_owned().into(), value].into(),
            1 => Field::object([(around.to_owned(), value)]),
            _ => Field::object([("a", value), ("secret", Field::from(vec![SECRET.into()]))]),
        };
    }
    value
}
