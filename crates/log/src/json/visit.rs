//! The fields of an event, as members of a line.

use std::{error::Error, fmt};

use buttress_core::{context::RequestContext, value::Value};
use buttress_redact::{Rules, Verdict};
use tracing_core::{
    Event, Metadata,
    field::{Field, Visit as Fields},
};

use super::{
    encoder::Encoder,
    site::{Kind, Plan, Site},
    value::Json,
};
use crate::{
    access,
    line::{Bytes, Line, whole},
    logger,
    schema::Form,
};

/// One pass over the fields writes those of one object.
pub(super) struct Visit<'a> {
    pub(super) line: &'a mut Line,
    pub(super) site: &'a Site,
    pub(super) group: usize,
    encoder: &'a Encoder,
    metadata: &'static Metadata<'static>,
    request: Option<&'a RequestContext>,
    has_middle: bool,
}

impl<'a> Visit<'a> {
    pub(super) fn new(
        line: &'a mut Line,
        site: &'a Site,
        encoder: &'a Encoder,
        metadata: &'static Metadata<'static>,
        request: Option<&'a RequestContext>,
    ) -> Self {
        Self { line, site, group: 0, encoder, metadata, request, has_middle: false }
    }

    /// What all lines say, once, behind the message.
    pub(super) fn middle(&mut self) {
        if !std::mem::replace(&mut self.has_middle, true) {
            self.encoder.middle(self.line, self.request);
        }
    }

    /// The fields with names of the moment. Those of the scopes further in, and those of the
    /// request, take the place of others of the same name.
    pub(super) fn loose(&mut self) {
        let site = self.site;
        if !site.location.is_empty() {
            self.line.open(&site.location);
        }
        let (line, rules) = (&mut *self.line, &self.encoder.rules);
        logger::each_field(|name, value| loose(line, site, rules, name, value));
        if site.is_access {
            access::each_extra(|name, value| loose(line, site, rules, name, value));
        }
    }

    fn field(&mut self, field: &Field, write: impl FnOnce(&mut Line, &Rules, Form)) {
        let Some(plan) = self.site.plans.get(field.index()) else { return };
        if plan.group != self.group {
            return;
        }
        let rules = &self.encoder.rules;
        let start = self.line.len();
        match plan.kind {
            Kind::Clear(form) => {
                if self.line.open(&plan.key) {
                    write(self.line, rules, form);
                    self.line.close(start);
                }
            }
            Kind::Message => {
                if self.line.open(&plan.key) {
                    write(self.line, rules, Form::Plain);
                }
                self.middle();
            }
            Kind::RequestId => self.request_id(plan, write),
            Kind::Fatal => {
                // Said by the level, if it is true.
                if self.line.open(&plan.key) {
                    write(self.line, rules, Form::Plain);
                    if self.line.bytes.ends_with(b":true") {
                        self.line.bytes.truncate(start);
                    }
                }
            }
            Kind::Censored | Kind::Skipped => {}
        }
    }

    /// The id that the line has already is not said twice.
    fn request_id(&mut self, plan: &Plan, write: impl FnOnce(&mut Line, &Rules, Form)) {
        let own = self.request.and_then(RequestContext::request_id_str);
        let start = self.line.len();
        let key = if own.is_some() { &self.site.other_id } else { &plan.key };
        if !self.line.open(key) {
            return;
        }
        let value = self.line.len();
        write(self.line, &self.encoder.rules, Form::Plain);
        let written = self.line.bytes.get(value..).unwrap_or_default();
        let inner = written.strip_prefix(b"\"").and_then(|written| written.strip_suffix(b"\""));
        // An id needs no escapes.
        if own.is_some_and(|own| inner == Some(own.as_bytes())) {
            self.line.bytes.truncate(start);
        }
    }

    /// The value of a field whose name is sensitive. Answers false where it is not.
    fn censored(&mut self, field: &Field, value: &dyn fmt::Display) -> bool {
        let Some(plan) = self.site.plans.get(field.index()) else { return true };
        if plan.kind != Kind::Censored {
            return false;
        }
        if plan.group == self.group
            && let Verdict::Censor(censor) = self.encoder.rules.fields(self.metadata).verdict(field)
        {
            let start = self.line.len();
            if self.line.open(&plan.key) {
                self.line.censored(censor, value);
                self.line.close(start);
            }
        }
        true
    }
}

/// A field with a name of the moment.
fn loose(line: &mut Line, site: &Site, rules: &Rules, name: &str, value: &Value) {
    let verdict = rules.key(name);
    if let Verdict::Remove = verdict {
        return;
    }
    let mut free = std::borrow::Cow::Borrowed(name);
    while site.names.has(&free) {
        free = format!("x_{free}").into();
    }
    if !line.open_named(&free) {
        return;
    }
    match verdict {
        Verdict::Censor(censor) => line.censored(censor, &Json(value)),
        _ => line.value(value, name, rules),
    }
    line.close_named();
}

impl Fields for Visit<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if !self.censored(field, &value) {
            self.field(field, |line, rules, form| match form {
                Form::Millis => line.bytes.millis(value),
                Form::Nanos => match whole(value * 1e6) {
                    Some(nanos) => line.bytes.unsigned(nanos),
                    None => line.bytes.float(value),
                },
                Form::Seconds => {
                    // Six decimals: what the milliseconds had.
                    let micros = whole(value * 1e3).unwrap_or_default();
                    line.push(b"\"");
                    line.bytes.unsigned(micros / 1_000_000);
                    line.push(b".");
                    line.bytes.digits(micros % 1_000_000, 6);
                    line.push(b"s\"");
                }
                _ => line.float(value, rules),
            });
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if !self.censored(field, &value) {
            self.field(field, |line, rules, _| line.signed(value, rules));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if !self.censored(field, &value) {
            self.field(field, |line, rules, form| {
                if form == Form::Digits {
                    line.push(b"\"");
                    line.bytes.unsigned(value);
                    line.push(b"\"");
                } else {
                    line.unsigned(value, rules);
                }
            });
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        if !self.censored(field, &value) {
            self.field(field, |line, rules, _| line.big(value.unsigned_abs(), &value, rules));
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        if !self.censored(field, &value) {
            self.field(field, |line, rules, _| line.big(value, &value, rules));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if !self.censored(field, &value) {
            self.field(field, |line, _, _| line.boolean(value));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if !self.censored(field, &value) {
            self.field(field, |line, rules, form| match form {
                Form::Known => line.text(value),
                Form::Http => {
                    line.push(b"\"HTTP/");
                    line.escape(value);
                    line.push(b"\"");
                }
                _ => line.redacted(value, rules),
            });
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if !self.censored(field, &value) {
            self.field(field, |line, rules, _| line.chain(value, rules));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if !self.censored(field, &format_args!("{value:?}")) {
            self.field(field, |line, rules, form| match form {
                Form::Http => {
                    line.push(b"\"HTTP/");
                    let start = line.len();
                    line.formatted(value, rules);
                    line.bytes.remove(start);
                }
                _ => line.formatted(value, rules),
            });
        }
    }
}

/// Whether an event says that it is fatal.
pub(crate) fn is_fatal(event: &Event<'_>) -> bool {
    struct Fatal(bool);
    impl Fields for Fatal {
        fn record_bool(&mut self, field: &Field, value: bool) {
            self.0 |= value && field.name() == "fatal";
        }
        fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
    }
    let mut fatal = Fatal(false);
    event.record(&mut fatal);
    fatal.0
}

/// The target of an event of the `log` crate, which it has in a field.
pub(crate) fn log_target(event: &Event<'_>, with: &mut dyn FnMut(&str)) {
    struct Target<'a>(&'a mut dyn FnMut(&str), bool);
    impl Fields for Target<'_> {
        fn record_str(&mut self, field: &Field, value: &str) {
            if field.name() == "log.target" && !std::mem::replace(&mut self.1, true) {
                (self.0)(value);
            }
        }
        fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
    }
    let mut target = Target(with, false);
    event.record(&mut target);
    if !target.1 {
        with(event.metadata().target());
    }
}
