//! The spans that an event is in. Their fields are written when they are recorded, and copied into
//! each line.

use std::{error::Error, fmt};

use buttress_redact::{Fields, Rules, Verdict};
use tracing_core::{
    Metadata,
    field::{Field, Visit},
    span::{Attributes, Record},
};
use tracing_subscriber::registry::{ExtensionsMut, LookupSpan, Scope};

use super::{encoder::Encoder, names::Names};
use crate::line::{Key, Line};

/// Spans further out than this are left out of a line.
const MAX_DEPTH: usize = 64;

/// What the layers of this crate know of a span.
#[derive(Debug, Default)]
pub(crate) struct Spans(Vec<Span>);

#[derive(Debug)]
struct Span {
    /// The layer whose rules have judged the fields.
    layer: u64,
    /// `{"name":"…","field":…`
    json: Vec<u8>,
    /// Which field stands where.
    places: Vec<(usize, usize, usize)>,
}

impl Spans {
    /// A span begins.
    pub(crate) fn begin(
        layer: u64,
        rules: &Rules,
        attributes: &Attributes<'_>,
        extensions: &mut ExtensionsMut<'_>,
    ) {
        let metadata = attributes.metadata();
        let mut line = Line::take();
        line.push(br#"{"name":"#);
        line.text(metadata.name());
        let mut span = Span { layer, json: Vec::new(), places: Vec::new() };
        attributes.record(&mut Recorder::new(&mut line, &mut span, metadata, rules));
        span.json = line.bytes.as_slice().into();
        line.give();
        match extensions.get_mut::<Self>() {
            Some(Self(spans)) => spans.push(span),
            None => extensions.insert(Self(vec![span])),
        }
    }

    /// Fields that became known later.
    pub(crate) fn record(
        layer: u64,
        rules: &Rules,
        metadata: &'static Metadata<'static>,
        record: &Record<'_>,
        extensions: &mut ExtensionsMut<'_>,
    ) {
        let Some(Self(spans)) = extensions.get_mut() else { return };
        let Some(span) = spans.iter_mut().find(|span| span.layer == layer) else { return };
        let mut line = Line::take();
        line.push(&span.json);
        record.record(&mut Recorder::new(&mut line, span, metadata, rules));
        span.json = line.bytes.as_slice().into();
        line.give();
    }

    /// The span as this layer sees it: an object that is not closed.
    pub(crate) fn json(&self, layer: u64) -> Option<&[u8]> {
        self.0.iter().find(|span| span.layer == layer).map(|span| &*span.json)
    }
}

impl Encoder {
    /// `,"spans":[…]`, the outermost first.
    pub(super) fn scope<R>(&self, line: &mut Line, scope: Option<Scope<'_, R>>)
    where
        R: for<'a> LookupSpan<'a>,
    {
        let Some(mut scope) = scope else { return };
        let start = line.len();
        if !line.open_raw(br#","spans":["#) {
            return;
        }
        let empty = line.len();
        self.outermost_first(line, &mut scope, MAX_DEPTH);
        if line.len() == empty {
            line.bytes.truncate(start);
        } else {
            line.push(b"]");
        }
    }

    fn outermost_first<R>(&self, line: &mut Line, scope: &mut Scope<'_, R>, depth: usize)
    where
        R: for<'a> LookupSpan<'a>,
    {
        let (Some(span), Some(depth)) = (scope.next(), depth.checked_sub(1)) else { return };
        self.outermost_first(line, scope, depth);
        let extensions = span.extensions();
        if let Some(json) = extensions.get::<Spans>().and_then(|spans| spans.json(self.id)) {
            line.element(json);
        }
    }
}

/// Writes fields behind those that are there, each in the place of an earlier value.
struct Recorder<'a> {
    line: &'a mut Line,
    span: &'a mut Span,
    metadata: &'static Metadata<'static>,
    rules: &'a Rules,
    fields: Fields<'a>,
}

impl<'a> Recorder<'a> {
    fn new(
        line: &'a mut Line,
        span: &'a mut Span,
        metadata: &'static Metadata<'static>,
        rules: &'a Rules,
    ) -> Self {
        Self { line, span, metadata, rules, fields: rules.fields(metadata) }
    }

    fn write(
        &mut self,
        field: &Field,
        value: &dyn fmt::Display,
        write: impl FnOnce(&mut Line, &Rules),
    ) {
        let verdict = self.fields.verdict(field);
        if let Verdict::Remove = verdict {
            return;
        }
        self.forget(field.index());
        let start = self.line.len();
        if !self.line.open(&Key::new(&name(self.metadata, field))) {
            return;
        }
        match verdict {
            Verdict::Censor(censor) => self.line.censored(censor, value),
            _ => write(self.line, self.rules),
        }
        self.line.close(start);
        self.span.places.push((field.index(), start, self.line.len()));
    }

    /// Takes an earlier value out.
    fn forget(&mut self, index: usize) {
        let places = &mut self.span.places;
        let Some(at) = places.iter().position(|(other, ..)| *other == index) else { return };
        let (_, start, end) = places.remove(at);
        self.line.bytes.drain(start..end);
        for (_, later_start, later_end) in places.iter_mut().skip(at) {
            *later_start -= end - start;
            *later_end -= end - start;
        }
    }
}

/// The field's name, or the first of `x_name`, `x_x_name`… that no earlier field has.
fn name(metadata: &'static Metadata<'static>, field: &Field) -> Box<str> {
    let mut names = Names::of(["name"]);
    let mut name = Box::default();
    for earlier in metadata.fields().iter().take(field.index() + 1) {
        let raw = earlier.name();
        name = names.take(raw.strip_prefix("r#").unwrap_or(raw));
    }
    name
}

impl Visit for Recorder<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.write(field, &value, |line, rules| line.float(value, rules));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, &value, |line, rules| line.signed(value, rules));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, &value, |line, rules| line.unsigned(value, rules));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.write(field, &value, |line, rules| line.big(value.unsigned_abs(), &value, rules));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.write(field, &value, |line, rules| line.big(value, &value, rules));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, &value, |line, _| line.boolean(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, &value, |line, rules| line.redacted(value, rules));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.write(field, &value, |line, rules| line.chain(value, rules));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, &format_args!("{value:?}"), |line, rules| line.formatted(value, rules));
    }
}
