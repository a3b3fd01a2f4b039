//! The spans that an event is in. Their fields are written when they are recorded, and copied into
//! each line.

use std::{error::Error, fmt};

use buttress_redact::{Fields, Rules, Verdict};
use tracing_core::{
    Metadata,
    field::{Field, Visit},
    span::{Attributes, Record},
};
use tracing_subscriber::registry::{ExtensionsMut, LookupSpan, Scope, SpanRef};

use super::{encoder::Encoder, names::Names};
use crate::line::{Key, Line, MAX_LINE};

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
    places: Vec<Place>,
}

/// Where a field stands, its comma included.
#[derive(Clone, Copy, Debug)]
struct Place {
    index: usize,
    start: usize,
    end: usize,
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
        let mut recorder = Recorder::new(&mut line, metadata, rules);
        attributes.record(&mut recorder);
        let places = recorder.places;
        let span = Span { layer, json: line.bytes.as_slice().into(), places };
        line.give();
        match extensions.get_mut::<Self>() {
            Some(Self(spans)) => spans.push(span),
            None => extensions.insert(Self(vec![span])),
        }
    }

    /// Fields that became known later.
    pub(crate) fn record<R>(layer: u64, rules: &Rules, record: &Record<'_>, span: &SpanRef<'_, R>)
    where
        R: for<'a> LookupSpan<'a>,
    {
        // First of all, without a lock on the span: a value that logs while it prints itself has
        // a line, which tells of the span.
        let mut line = Line::take();
        let mut recorder = Recorder::new(&mut line, span.metadata(), rules);
        record.record(&mut recorder);
        let places = recorder.places;
        if let Some(Self(spans)) = span.extensions_mut().get_mut()
            && let Some(span) = spans.iter_mut().find(|span| span.layer == layer)
        {
            span.add(&line.bytes, &places);
        }
        line.give();
    }

    /// The span as this layer sees it: an object that is not closed.
    pub(crate) fn json(&self, layer: u64) -> Option<&[u8]> {
        self.0.iter().find(|span| span.layer == layer).map(|span| &*span.json)
    }
}

impl Span {
    /// Adds members, each in the place of an earlier value.
    fn add(&mut self, members: &[u8], places: &[Place]) {
        for place in places {
            forget(&mut self.json, &mut self.places, place.index);
            let member = members.get(place.start..place.end).unwrap_or_default();
            let start = self.json.len();
            if start + member.len() <= MAX_LINE {
                self.json.extend_from_slice(member);
                let end = self.json.len();
                self.places.push(Place { index: place.index, start, end });
            }
        }
    }
}

/// Takes an earlier value out.
fn forget(json: &mut Vec<u8>, places: &mut Vec<Place>, index: usize) {
    let Some(at) = places.iter().position(|place| place.index == index) else { return };
    let Place { start, end, .. } = places.remove(at);
    json.drain(start..end);
    for later in places.iter_mut().skip(at) {
        later.start -= end - start;
        later.end -= end - start;
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
    places: Vec<Place>,
    metadata: &'static Metadata<'static>,
    rules: &'a Rules,
    fields: Fields<'a>,
}

impl<'a> Recorder<'a> {
    fn new(line: &'a mut Line, metadata: &'static Metadata<'static>, rules: &'a Rules) -> Self {
        Self { line, places: Vec::new(), metadata, rules, fields: rules.fields(metadata) }
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
        forget(&mut self.line.bytes, &mut self.places, field.index());
        let start = self.line.len();
        if !self.line.open(&Key::new(&name(self.metadata, field))) {
            return;
        }
        match verdict {
            Verdict::Censor(censor) => self.line.censored(censor, value),
            _ => write(self.line, self.rules),
        }
        self.line.close(start);
        self.places.push(Place { index: field.index(), start, end: self.line.len() });
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
