//! The fields of an event, as members of a line.

use std::{error::Error, fmt};

use buttress_core::{context::RequestContext, value::Value};
use buttress_redact::{Rules, Verdict};
use http::HeaderValue;
use tracing_core::{
    Metadata,
    field::{Field, Visit as Fields},
};

use super::{
    encoder::Encoder,
    site::{Kind, Plan, Site},
    value::{CARD, Json},
};
use crate::{
    access,
    line::{Bytes, Key, Line, whole},
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

    /// The request's id, where it is among the fields.
    pub(super) fn own_id(&mut self) {
        if let Some(request) = self.request {
            self.encoder.request_id(self.line, request);
        }
    }

    /// The fields with names of the moment. Those of the scopes further in, and those of the
    /// request, take the place of others of the same name.
    pub(super) fn loose(&mut self) {
        let site = self.site;
        if !site.location.is_empty() {
            self.line.open_raw(&site.location);
        }
        let (line, rules) = (&mut *self.line, &self.encoder.rules);
        logger::each_field(|name, value| loose(line, site, rules, name, value));
        if site.is_access {
            access::each_extra(|name, value| loose(line, site, rules, name, value));
        }
    }

    /// How to write a field that is written here and as it is, as most are.
    #[inline]
    fn plan(&self, field: &Field) -> Option<(&'a Key, Form)> {
        let plan = self.site.plans.get(field.index()).filter(|plan| plan.group == self.group)?;
        match plan.kind {
            Kind::Clear(form) => Some((&plan.key, form)),
            _ => None,
        }
    }

    /// Writes any field. `value` is for a censor that needs to see it.
    #[inline(never)]
    fn field(
        &mut self,
        field: &Field,
        value: &dyn fmt::Display,
        write: impl FnOnce(&mut Line, &Rules, Form),
    ) {
        let site = self.site;
        let Some(plan) = site.plans.get(field.index()) else { return };
        if plan.group != self.group {
            return;
        }
        let Kind::Clear(form) = plan.kind else {
            return self.special(field, plan, value, |line, rules| write(line, rules, Form::Plain));
        };
        let start = self.line.len();
        if self.line.open(&plan.key) {
            write(self.line, &self.encoder.rules, form);
            self.line.close(start);
        }
    }

    /// Writes any text.
    #[inline(never)]
    fn text(&mut self, field: &Field, value: &str) {
        let site = self.site;
        let Some(plan) = site.plans.get(field.index()) else { return };
        if plan.group != self.group {
            return;
        }
        let rules = &self.encoder.rules;
        match plan.kind {
            Kind::Clear(Form::Http) if self.line.open(&plan.key) => {
                self.line.push(b"\"HTTP/");
                self.line.escape(value);
                self.line.push(b"\"");
            }
            Kind::Clear(_) => {
                let start = self.line.len();
                if self.line.open(&plan.key) {
                    self.line.redacted(value, rules);
                    self.line.close(start);
                }
            }
            Kind::RequestId
                if self.request_id().is_some_and(|id| id.as_bytes() == value.as_bytes()) => {}
            // It is made of our words and the route's template.
            Kind::Message
                if site.is_access && self.line.clear_member(&plan.key, value.as_bytes()) =>
            {
                self.middle();
            }
            _ => self.special(field, plan, &value, |line, rules| line.redacted(value, rules)),
        }
    }

    #[inline(never)]
    fn special(
        &mut self,
        field: &Field,
        plan: &Plan,
        value: &dyn fmt::Display,
        write: impl FnOnce(&mut Line, &Rules),
    ) {
        let rules = &self.encoder.rules;
        let start = self.line.len();
        if plan.kind == Kind::RequestId && self.request_id().is_some() {
            return self.other_id(write);
        }
        if plan.kind == Kind::Skipped || !self.line.open(&plan.key) {
            return;
        }
        match plan.kind {
            Kind::Censored => match rules.fields(self.metadata).verdict(field) {
                Verdict::Censor(censor) => self.line.censored(censor, value),
                _ => self.line.push(b"null"),
            },
            Kind::Message => {
                self.line.message(|line| write(line, rules));
                return self.middle();
            }
            _ => write(self.line, rules),
        }
        // Said by the level, if it is true.
        if plan.kind == Kind::Fatal && self.line.bytes.ends_with(b":true") {
            self.line.bytes.truncate(start);
        }
        self.line.close(start);
    }

    fn request_id(&self) -> Option<&'a HeaderValue> {
        self.request.and_then(RequestContext::request_id)
    }

    /// An id that is not the line's own; that is not said twice.
    fn other_id(&mut self, write: impl FnOnce(&mut Line, &Rules)) {
        let start = self.line.len();
        if !self.line.open(&self.site.other_id) {
            return;
        }
        let value = self.line.len();
        write(self.line, &self.encoder.rules);
        let written = self.line.bytes.get(value..).unwrap_or_default();
        let inner = written.strip_prefix(b"\"").and_then(|written| written.strip_suffix(b"\""));
        // An id needs no escapes.
        if inner == self.request_id().map(HeaderValue::as_bytes) {
            self.line.bytes.truncate(start);
        }
        self.line.close(start);
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
        if let Some((key, form @ (Form::Plain | Form::Millis))) = self.plan(field)
            && value.abs() < CARD as f64
            && self.line.open(key)
        {
            return match form {
                Form::Millis => self.line.bytes.millis(value),
                _ => self.line.bytes.float(value),
            };
        }
        self.field(field, &value, |line, rules, form| match form {
            Form::Millis => line.bytes.millis(value),
            Form::Nanos => match whole(value * 1e6) {
                Some(nanos) => line.bytes.unsigned(nanos),
                None => line.bytes.float(value),
            },
            Form::Seconds => match whole(value * 1e3) {
                Some(micros) => {
                    line.push(b"\"");
                    line.bytes.unsigned(micros / 1_000_000);
                    line.push(b".");
                    // What the milliseconds have in decimals.
                    line.bytes.digits(micros % 1_000_000, 6);
                    line.push(b"s\"");
                }
                None => line.push(b"null"),
            },
            _ => line.float(value, rules),
        });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if let Some((key, Form::Plain)) = self.plan(field)
            && value.unsigned_abs() < CARD
            && self.line.open(key)
        {
            return self.line.bytes.signed(value);
        }
        self.field(field, &value, |line, rules, _| line.signed(value, rules));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if let Some((key, Form::Plain)) = self.plan(field)
            && value < CARD
            && self.line.open(key)
        {
            return self.line.bytes.unsigned(value);
        }
        self.field(field, &value, |line, rules, form| {
            if form == Form::Digits {
                line.push(b"\"");
                line.bytes.unsigned(value);
                line.push(b"\"");
            } else {
                line.unsigned(value, rules);
            }
        });
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        let magnitude = value.unsigned_abs();
        self.field(field, &value, |line, rules, _| line.big(magnitude, &value, rules));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.field(field, &value, |line, rules, _| line.big(value, &value, rules));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if let Some((key, _)) = self.plan(field)
            && self.line.open(key)
        {
            return self.line.boolean(value);
        }
        self.field(field, &value, |line, _, _| line.boolean(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some((key, form @ (Form::Known | Form::Plain))) = self.plan(field)
            && (form == Form::Known || self.encoder.rules.is_clear(value))
            && self.line.clear_member(key, value.as_bytes())
        {
            return;
        }
        self.text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.field(field, &value, |line, rules, _| line.chain(value, rules));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field, &format_args!("{value:?}"), |line, rules, _| {
            line.formatted(value, rules);
        });
    }
}
