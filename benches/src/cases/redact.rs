use std::fmt::Write;

use buttress::redact::{RedactLayer, Redacted, Rules};
use serde::Serialize;

use super::{
    event::{fmt_json, heard_by_fmt, repeated},
    nothing,
};
use crate::{
    Case,
    drive::{at_info, heard_by, repeat},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        text("redact, a clear line of 100 bytes", CLEAR),
        text("redact, a line of 100 bytes with a password", SECRET),
        query(),
        value(),
        layer(),
    ]
}

const CLEAR: &str = "user u_1 moved order 1048577 from fra-2 to ham-1: 3 items, 2.4 kg, in \
                     12.004 ms (31 of them in db-7.int)";
const SECRET: &str = "cannot connect to postgres://app:hunter2@db-7.internal:5432/shop in \
                      12.004 ms: no route to the host !";

/// Value rules on a text, which has no keys.
fn text(name: &str, line: &'static str) -> Case {
    Case::new(name, nothing(), move || {
        let rules = Rules::new();
        let mut out = String::with_capacity(2 * line.len());
        Ok(repeat(move || {
            out.clear();
            rules.text(line, &mut out)
        }))
    })
}

fn query() -> Case {
    Case::new("redact, a query of 4 pairs", nothing(), || {
        let rules = Rules::new();
        let mut out = String::with_capacity(256);
        Ok(repeat(move || {
            out.clear();
            write!(out, "{}", rules.query("page=2&sort=name&access_token=hunter2&q=a+lamp"))
        }))
    })
}

#[derive(Clone, Copy, Serialize)]
struct Order {
    id: u64,
    customer: Customer,
    items: [Item; 3],
    total: f64,
    paid: bool,
}

#[derive(Clone, Copy, Serialize)]
struct Customer {
    name: &'static str,
    email: &'static str,
    password: &'static str,
}

#[derive(Clone, Copy, Serialize)]
struct Item {
    sku: &'static str,
    count: u32,
}

/// The peer hides nothing.
fn value() -> Case {
    let order = Order {
        id: 1_048_577,
        customer: Customer { name: "Ada", email: "ada@example.com", password: "hunter2" },
        items: [Item { sku: "lamp-2", count: 1 }; 3],
        total: 129.95,
        paid: true,
    };
    let buffer = || Vec::with_capacity(1024);
    Case::new("redact, a value as JSON", nothing(), move || {
        let mut out = buffer();
        Ok(repeat(move || {
            out.clear();
            serde_json::to_writer(&mut out, &Redacted(&order))
        }))
    })
    .peer("serde_json", move || {
        let mut out = buffer();
        Ok(repeat(move || {
            out.clear();
            serde_json::to_writer(&mut out, &order)
        }))
    })
}

/// The peer is the same without the layer: an event that has nothing to hide pays for the look.
fn layer() -> Case {
    Case::new("redact, around fmt json, 16 fields", nothing(), || {
        Ok(heard_by(at_info(RedactLayer::new(fmt_json())), repeated()))
    })
    .peer("fmt json alone", || Ok(heard_by_fmt(repeated())))
}
