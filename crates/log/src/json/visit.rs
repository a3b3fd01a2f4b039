//! The fields of an event, as members of a line.

use std::{error::Error, fmt, net::IpAddr, time::Duration};

use buttress_core::{context::RequestContext, value::Value};
use buttress_redact::{Rules, Verdict};
use http::HeaderValue;
use tracing_core::{
    Event,
    field::{Field, Visit as Fields, display},
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
pub(crate) struct Visit<'a> {
    pub(super) line: &'a mut Line,
    pub(super) site: &'a Site,
    pub(super) group: usize,
    encoder: &'a Encoder,
    event: &'a Event<'a>,
    /// The access line that it is of.
    pub(super) access: Option<&'a access::Line>,
    request: Option<&'a RequestContext>,
    has_middle: bool,
}

impl<'a> Visit<'a> {
    pub(super) fn new(
        line: &'a mut Line,
        site: &'a Site,
        encoder: &'a Encoder,
        event: &'a Event<'a>,
        request: Option<&'a RequestContext>,
    ) -> Self {
        let access = None;
        Self { line, site, group: 0, encoder, event, access, request, has_middle: false }
    }

    /// The fields of the event.
    pub(super) fn fields(&mut self) {
        match self.access {
            Some(access) => access.write(self),
            None => self.event.record(self),
        }
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
    fn plan(&self, place: usize) -> Option<(&'a Key, Form)> {
        let plan = self.site.plans.get(place).filter(|plan| plan.group == self.group)?;
        match plan.kind {
            Kind::Clear(form) => Some((&plan.key, form)),
            _ => None,
        }
    }

    /// Writes any field. `value` is for a censor that needs to see it.
    #[inline(never)]
    fn field(
        &mut self,
        place: usize,
        value: &dyn fmt::Display,
        write: impl FnOnce(&mut Line, &Rules, Form),
    ) {
        let site = self.site;
        let Some(plan) = site.plans.get(place).filter(|plan| plan.group == self.group) else {
            return;
        };
        let Kind::Clear(form) = plan.kind else {
            return self.special(place, plan, value, |line, rules| write(line, rules, Form::Plain));
        };
        let start = self.line.len();
        if self.line.open(&plan.key) {
            write(self.line, &self.encoder.rules, form);
            self.line.close(start);
        }
    }

    fn special(
        &mut self,
        place: usize,
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
            Kind::Censored => match self.verdict(place) {
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

    fn verdict(&self, place: usize) -> Verdict<'a> {
        let metadata = self.event.metadata();
        let field = metadata.fields().iter().nth(place);
        let fields = self.encoder.rules.fields(metadata);
        field.map_or(Verdict::Remove, |field| fields.verdict(&field))
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

/// Values, by the place of their field in the event.
impl Visit<'_> {
    pub(crate) fn float(&mut self, place: usize, value: f64) {
        if let Some((key, form @ (Form::Plain | Form::Millis))) = self.plan(place)
            && value.abs() < CARD as f64
            && self.line.open(key)
        {
            return match form {
                Form::Millis => self.line.bytes.millis(value),
                _ => self.line.bytes.float(value),
            };
        }
        self.field(place, &value, |line, rules, form| match form {
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

    pub(crate) fn duration(&mut self, place: usize, duration: Duration) {
        if let Some((key, Form::Millis)) = self.plan(place)
            && self.line.open(key)
        {
            return self.line.bytes.micros(access::micros(duration));
        }
        self.float(place, access::millis(duration));
    }

    fn signed(&mut self, place: usize, value: i64) {
        if let Some((key, Form::Plain)) = self.plan(place)
            && value.unsigned_abs() < CARD
            && self.line.open(key)
        {
            return self.line.bytes.signed(value);
        }
        self.field(place, &value, |line, rules, _| line.signed(value, rules));
    }

    pub(crate) fn unsigned(&mut self, place: usize, value: u64) {
        if let Some((key, Form::Plain)) = self.plan(place)
            && value < CARD
            && self.line.open(key)
        {
            return self.line.bytes.unsigned(value);
        }
        self.field(place, &value, |line, rules, form| {
            if form == Form::Digits {
                line.push(b"\"");
                line.bytes.unsigned(value);
                line.push(b"\"");
            } else {
                line.unsigned(value, rules);
            }
        });
    }

    pub(crate) fn boolean(&mut self, place: usize, value: bool) {
        if let Some((key, _)) = self.plan(place)
            && self.line.open(key)
        {
            return self.line.boolean(value);
        }
        self.field(place, &value, |line, _, _| line.boolean(value));
    }

    pub(crate) fn text(&mut self, place: usize, value: &str) {
        if let Some((key, form @ (Form::Known | Form::Plain))) = self.plan(place)
            && (form == Form::Known || self.encoder.rules.is_clear(value))
            && self.line.clear_member(key, value.as_bytes())
        {
            return;
        }
        self.any_text(place, value);
    }

    #[inline(never)]
    fn any_text(&mut self, place: usize, value: &str) {
        let is_own_id = || self.request_id().is_some_and(|id| id.as_bytes() == value.as_bytes());
        if self.site.plans.get(place).is_some_and(|plan| plan.kind == Kind::RequestId)
            && is_own_id()
        {
            return;
        }
        self.field(place, &value, |line, rules, form| {
            if form == Form::Http {
                line.push(b"\"HTTP/");
                line.escape(value);
                line.push(b"\"");
            } else {
                line.redacted(value, rules);
            }
        });
    }

    pub(crate) fn header(&mut self, place: usize, header: access::HeaderText<'_>) {
        match header.text() {
            Some(text) => self.text(place, text),
            None => self.field(place, &header, |line, rules, _| {
                line.formatted(&display(header), rules);
            }),
        }
    }

    pub(crate) fn address(&mut self, place: usize, address: IpAddr) {
        if let (Some((key, _)), IpAddr::V4(address)) = (self.plan(place), address)
            && self.line.open(key)
        {
            let [first, rest @ ..] = address.octets();
            self.line.push(b"\"");
            self.line.bytes.unsigned(first.into());
            for octet in rest {
                self.line.push(b".");
                self.line.bytes.unsigned(octet.into());
            }
            return self.line.push(b"\"");
        }
        self.field(place, &address, |line, rules, _| line.formatted(&address, rules));
    }

    /// Not looked through: neither our words nor the route's template are a secret.
    pub(crate) fn message(&mut self, place: usize, message: access::Message<'_>) {
        self.field(place, &message, |line, _, _| {
            let [method, route, end] = message.words();
            line.push(b"\"");
            line.push(method.as_bytes());
            line.push(b" ");
            line.escape(route);
            line.push(b" ");
            line.push(end.as_bytes());
            line.push(b"\"");
        });
    }
}

impl Fields for Visit<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.float(field.index(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.signed(field.index(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.unsigned(field.index(), value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        let magnitude = value.unsigned_abs();
        self.field(field.index(), &value, |line, rules, _| line.big(magnitude, &value, rules));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.field(field.index(), &value, |line, rules, _| line.big(value, &value, rules));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.boolean(field.index(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.index(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.field(field.index(), &value, |line, rules, _| line.chain(value, rules));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field.index(), &format_args!("{value:?}"), |line, rules, _| {
            line.formatted(value, rules);
        });
    }
}
