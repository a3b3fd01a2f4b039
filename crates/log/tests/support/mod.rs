//! A subscriber that keeps what it is told, and services that end in every way.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic; each test uses a part"
)]

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{Arc, Mutex},
    time::Duration,
};

use buttress_log::{JsonLayer, Sink};
use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::BoxBody};
use serde_json::Value as Json;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    filter::LevelFilter,
    layer::{Context, Layer, SubscriberExt},
    registry::LookupSpan,
};

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) target: String,
    pub(crate) fields: BTreeMap<String, Json>,
}

impl Line {
    /// A field; null where it was not recorded.
    pub(crate) fn get(&self, field: &str) -> &Json {
        self.fields.get(field).unwrap_or(&Json::Null)
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.get(field).as_str().unwrap_or_else(|| panic!("no text {field} in {self:?}"))
    }
}

/// The events that were sent, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<Line>>>);

impl Lines {
    /// Keeps what this thread sends while the guard lives.
    pub(crate) fn here() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let subscriber = tracing_subscriber::registry().with(lines.clone());
        (lines, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn take(&self) -> Vec<Line> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    #[track_caller]
    pub(crate) fn only(&self) -> Line {
        let lines = self.take();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        lines[0].clone()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let line = Line {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            fields: fields.0,
        };
        self.0.lock().unwrap().push(line);
    }
}

#[derive(Default)]
struct Fields(BTreeMap<String, Json>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Json>) {
        assert!(self.0.insert(field.name().to_owned(), value.into()).is_none(), "twice: {field}");
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

pub(crate) type AnyBody = BoxBody<Bytes, io::Error>;

pub(crate) fn full(bytes: &'static [u8]) -> AnyBody {
    Full::new(Bytes::from_static(bytes)).map_err(|never| match never {}).boxed()
}

pub(crate) fn empty() -> AnyBody {
    Empty::new().map_err(|never| match never {}).boxed()
}

pub(crate) fn frames(frames: Vec<io::Result<Frame<Bytes>>>) -> AnyBody {
    BodyExt::boxed(StreamBody::new(stream::iter(frames)))
}

pub(crate) fn data(bytes: &'static [u8]) -> io::Result<Frame<Bytes>> {
    Ok(Frame::data(Bytes::from_static(bytes)))
}

/// The lines of a `JsonLayer`, parsed.
#[derive(Clone, Debug, Default)]
pub(crate) struct JsonLines(Arc<Mutex<Vec<u8>>>);

impl JsonLines {
    /// Runs `inside` with the default layer, and that level, as this thread's subscriber.
    pub(crate) fn of<R>(level: LevelFilter, inside: impl FnOnce() -> R) -> (Vec<Json>, R) {
        let lines = Self::default();
        let (writer, guard) = Sink::to(lines.clone()).open().unwrap();
        let layer = JsonLayer::new(writer).with_filter(level);
        let subscriber = tracing_subscriber::registry().with(layer);
        let result = tracing::subscriber::with_default(subscriber, inside);
        assert!(guard.flush(Duration::from_secs(60)));
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), result)
    }
}

impl io::Write for JsonLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
