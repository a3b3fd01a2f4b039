//! Lines of JSON.

use std::fmt;

use buttress_core::value::Value;
use buttress_redact::Rules;
use tracing_core::{
    Event, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use self::encoder::Encoder;
pub(crate) use self::{
    encoder::next_layer,
    peek::{is_fatal, log_target},
    span::Spans,
    value::{PANIC, guarded},
    visit::Visit,
};
use crate::{Schema, Writer, line::Line};

mod encoder;
mod event;
mod names;
mod peek;
mod site;
mod sites;
mod span;
mod value;
mod values;
mod visit;

/// Writes each event as one line of JSON.
///
/// The line is made in a buffer of the thread's, and nothing is allocated for it. Whatever is in
/// the fields, it is one physical line, valid JSON and UTF-8, and its keys are unique.
///
/// ```
/// use buttress_log::{JsonLayer, Schema, Sink};
/// use tracing_subscriber::prelude::*;
///
/// let (writer, guard) = Sink::stderr().open()?;
/// let layer = JsonLayer::new(writer).service("api").field("version", "1.4.0");
/// let subscriber = tracing_subscriber::registry().with(layer);
/// # tracing::subscriber::with_default(subscriber, || {
/// tracing::info!(order = 17, "paid");
/// // {"timestamp":"2026-11-03T12:00:00.123456Z","level":"INFO","target":"shop","message":"paid","service":"api","version":"1.4.0","order":17}
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The crate's page says which members a line has, and the guide's page on logs how they are
/// called in each [`Schema`].
pub struct JsonLayer {
    writer: Writer,
    encoder: Encoder,
    fatal_only: bool,
}

impl JsonLayer {
    /// Lines of the default shape, through the standard rules.
    #[must_use]
    pub fn new(writer: Writer) -> Self {
        Self { writer, encoder: Encoder::new(), fatal_only: false }
    }

    /// The shape of the lines.
    #[must_use]
    pub fn schema(mut self, schema: Schema) -> Self {
        self.encoder.schema = schema;
        self
    }

    /// What is redacted. The standard rules unless said.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.encoder.rules = rules;
        self
    }

    /// The service's name, in each line.
    #[must_use]
    pub fn service(self, name: &str) -> Self {
        self.field("service", name.to_owned())
    }

    /// A field that is in each line: the service's `version`, its `environment`, its `host`. The
    /// same name again replaces it. It is redacted as all fields are.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.encoder.constant(name, value.into());
        self
    }

    /// Whether the fields of the spans that an event is in are in its line, as `spans`. They are
    /// unless said: foreign crates describe what they do by spans.
    #[must_use]
    pub fn spans(mut self, on: bool) -> Self {
        self.encoder.spans = on;
        self
    }

    /// Whether the file and the line of the event's place in the code are in its line. They are
    /// not unless said.
    #[must_use]
    pub fn location(mut self, on: bool) -> Self {
        self.encoder.location = on;
        self
    }

    /// Only events that say they are fatal.
    pub(crate) fn fatal_only(mut self, on: bool) -> Self {
        self.fatal_only = on;
        self
    }
}

impl<S> Layer<S> for JsonLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_layer(&mut self, _: &mut S) {
        self.writer.report_by(self.encoder.notice());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if let (true, Some(span)) = (self.encoder.spans, ctx.span(id)) {
            let Encoder { id, rules, .. } = &self.encoder;
            Spans::begin(*id, rules, attributes, &mut span.extensions_mut());
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, ctx: Context<'_, S>) {
        if let (true, Some(span)) = (self.encoder.spans, ctx.span(id)) {
            let Encoder { id, rules, .. } = &self.encoder;
            Spans::record(*id, rules, record, &span);
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        if self.fatal_only && !is_fatal(event) {
            return;
        }
        let mut line = Line::take();
        self.encoder.event(&mut line, event, &ctx);
        self.writer.push_line(&line.bytes);
        line.give();
    }
}

impl fmt::Debug for JsonLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLayer")
            .field("schema", &self.encoder.schema)
            .field("rules", &self.encoder.rules)
            .field("spans", &self.encoder.spans)
            .field("location", &self.encoder.location)
            .finish_non_exhaustive()
    }
}
