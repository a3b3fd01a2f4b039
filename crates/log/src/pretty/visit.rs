//! The fields of an event, as `name=value`.

use std::{error::Error, fmt};

use buttress_core::{context, value::Value};
use buttress_redact::{Fields, Rules, Verdict};
use tracing_core::{Event, Level, field::Field};

use super::{
    PrettyLayer,
    style::{Plain, Quoted, Style},
};
use crate::{
    access,
    json::{PANIC, guarded},
    line::{Bytes, Line},
    schema::{Form, form},
};

/// How many causes of an error are written: a chain may be a circle.
const MAX_CAUSES: usize = 32;

pub(super) struct Visit<'a> {
    style: Style,
    rules: &'a Rules,
    fields: Fields<'a>,
    event: &'a Event<'a>,
    line: &'a mut Line,
    /// What comes on lines below.
    below: &'a mut Line,
    is_access: bool,
    is_log: bool,
    is_error: bool,
}

impl<'a> Visit<'a> {
    pub(super) fn new(
        layer: &'a PrettyLayer,
        event: &'a Event<'a>,
        line: &'a mut Line,
        below: &'a mut Line,
    ) -> Self {
        let metadata = event.metadata();
        Self {
            style: layer.style,
            rules: &layer.rules,
            fields: layer.rules.fields(metadata),
            event,
            line,
            below,
            is_access: metadata.name() == access::EVENT,
            is_log: metadata.fields().field("log.target").is_some(),
            is_error: *metadata.level() == Level::ERROR,
        }
    }

    pub(super) fn all(&mut self) {
        let event = self.event;
        event.record(self);
        if self.is_access {
            let (style, rules, line) = (self.style, self.rules, &mut *self.line);
            access::each_extra(|name, value| loose(style, rules, line, name, value));
        }
    }

    fn form(&self, field: &Field) -> Form {
        let timed = self.event.metadata().target() == "operation";
        form(field.name(), self.is_access, timed)
    }

    /// What the line says elsewhere.
    fn is_said(&self, name: &str) -> bool {
        match name {
            "fields" | "method" | "route" | "status" => self.is_access,
            name => self.is_log && name.starts_with("log."),
        }
    }

    fn write(
        &mut self,
        field: &Field,
        value: &dyn fmt::Display,
        write: impl FnOnce(&mut Line, &Rules) -> fmt::Result,
    ) {
        let name = field.name();
        let verdict = self.fields.verdict(field);
        if self.is_said(name) || matches!(verdict, Verdict::Remove) || self.line.is_full() {
            return;
        }
        let start = self.line.len();
        self.line.push(b" ");
        let style = self.style;
        let rules = self.rules;
        if name == "message" {
            let message = |line: &mut Line| attempt(line, |line| write(line, rules));
            return style.bold(self.line, |line| line.message(message));
        }
        key(style, self.line, name.strip_prefix("r#").unwrap_or(name));
        let from = self.line.len();
        attempt(self.line, |line| match verdict {
            Verdict::Censor(censor) => censor.write(value, &mut Plain(line)),
            _ => write(line, rules),
        });
        let written = self.line.bytes.get(from..).unwrap_or_default();
        let is_repeated = match name {
            "request_id" => is_own_id(written),
            "fatal" => self.is_error && written == b"true",
            _ => false,
        };
        if is_repeated {
            self.line.bytes.truncate(start);
        }
    }
}

fn key(style: Style, line: &mut Line, name: &str) {
    style.dim(line, |line| {
        line.plain(name);
        line.push(b"=");
    });
}

/// Whether it is the id that the line says at its end.
fn is_own_id(written: &[u8]) -> bool {
    let request = context::current();
    let id = request.as_ref().and_then(|request| request.request_id_str());
    id.is_some_and(|id| id.as_bytes() == written)
}

/// Runs code of others.
fn attempt(line: &mut Line, write: impl FnOnce(&mut Line) -> fmt::Result) {
    let start = line.len();
    if !guarded(|| _ = write(&mut *line)) {
        line.bytes.truncate(start);
        line.push(PANIC.as_bytes());
    }
}

/// A text, in quotes where its end could not be told else.
fn text(line: &mut Line, rules: &Rules, text: &str) -> fmt::Result {
    let bare = !text.is_empty() && !text.contains([' ', '"', '=']);
    if bare {
        return rules.text(text, &mut Plain(line));
    }
    line.push(b"\"");
    let done = rules.text(text, &mut Quoted(line));
    line.push(b"\"");
    done
}

/// A field with a name of the moment.
pub(super) fn loose(style: Style, rules: &Rules, line: &mut Line, name: &str, value: &Value) {
    let verdict = rules.key(name);
    if matches!(verdict, Verdict::Remove) || line.is_full() {
        return;
    }
    line.push(b" ");
    key(style, line, name);
    attempt(line, |line| match (verdict, value) {
        (Verdict::Censor(censor), Value::Text(text)) => censor.write(text, &mut Plain(line)),
        (Verdict::Censor(censor), value) => censor.write(&value.to_json(), &mut Plain(line)),
        (_, Value::Text(value)) => text(line, rules, value),
        (_, value) => {
            line.value(value, name, rules);
            Ok(())
        }
    });
}

impl tracing_core::field::Visit for Visit<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        let form = self.form(field);
        self.write(field, &value, |line, rules| {
            match form {
                Form::Millis => line.bytes.millis(value),
                _ => line.float(value, rules),
            }
            Ok(())
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, &value, |line, rules| {
            line.signed(value, rules);
            Ok(())
        });
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, &value, |line, rules| {
            line.unsigned(value, rules);
            Ok(())
        });
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.write(field, &value, |line, rules| {
            line.big(value.unsigned_abs(), &value, rules);
            Ok(())
        });
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.write(field, &value, |line, rules| {
            line.big(value, &value, rules);
            Ok(())
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, &value, |line, rules| match field.name() {
            "message" => rules.text(value, &mut Plain(line)),
            _ => text(line, rules, value),
        });
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.write(field, &value, |line, rules| {
            line.push(b"\"");
            let done = rules.format(format_args!("{value}"), &mut Quoted(line));
            line.push(b"\"");
            done
        });
        if !matches!(self.fields.verdict(field), Verdict::Clear) {
            return;
        }
        let (style, rules) = (self.style, self.rules);
        let mut next = value.source();
        for _ in 0..MAX_CAUSES {
            let Some(cause) = next.take().filter(|_| !self.below.is_full()) else { break };
            self.below.push(b"    ");
            style.red(self.below, |line| line.push(b"caused by: "));
            attempt(self.below, |line| {
                let written = rules.format(format_args!("{cause}"), &mut Plain(line));
                next = cause.source();
                written
            });
            self.below.push(b"\n");
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, &format_args!("{value:?}"), |line, rules| {
            rules.format(format_args!("{value:?}"), &mut Plain(line))
        });
    }
}
