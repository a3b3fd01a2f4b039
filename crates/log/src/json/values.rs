//! Values of all types, as members of a line.

use std::{error::Error, fmt, net::IpAddr, time::Duration};

use tracing_core::field::{Field, Visit as Fields, display};

use super::{site::Kind, value::CARD, visit::Visit};
use crate::{
    access,
    line::{Bytes, whole},
    schema::Form,
};

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
