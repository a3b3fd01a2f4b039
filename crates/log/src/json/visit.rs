//! The fields of an event, as members of a line.

use std::fmt;

use buttress_core::{context::RequestContext, value::Value};
use buttress_redact::{Rules, Verdict};
use http::HeaderValue;
use tracing_core::Event;

use super::{
    encoder::Encoder,
    site::{Kind, Plan, Site},
    value::Json,
};
use crate::{
    access,
    line::{Key, Line},
    logger,
    schema::Form,
};

/// One pass over the fields writes those of one object.
pub(crate) struct Visit<'a> {
    pub(super) line: &'a mut Line,
    pub(super) site: &'a Site,
    pub(super) group: usize,
    pub(super) encoder: &'a Encoder,
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
    pub(super) fn plan(&self, place: usize) -> Option<(&'a Key, Form)> {
        let plan = self.site.plans.get(place).filter(|plan| plan.group == self.group)?;
        match plan.kind {
            Kind::Clear(form) => Some((&plan.key, form)),
            _ => None,
        }
    }

    /// Writes any field. `value` is for a censor that needs to see it.
    #[inline(never)]
    pub(super) fn field(
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

    pub(super) fn request_id(&self) -> Option<&'a HeaderValue> {
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
