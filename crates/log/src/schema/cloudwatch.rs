//! The names that queries of AWS's Logs Insights use when a Node.js service wrote the lines.
//! It finds members of objects by dots (its documentation: "Supported logs and discovered fields").

use super::{Clock, Group, Shape, TOP, place, plain};

const REQ: usize = 1;
const RES: usize = 2;

pub(super) static SHAPE: Shape = Shape {
    name: "cloudwatch",
    // Insights has an `@timestamp` of its own, and shows this one with a second `@`.
    open: r#"{"@timestamp":"#,
    message: "msg",
    access_message: Some("Request completed"),
    reserved: &[
        "@timestamp",
        "level",
        "target",
        "msg",
        "request_id",
        "trace_id",
        "span_id",
        "trace_flags",
        "file",
        "line",
        "spans",
        "truncated",
        "req",
        "res",
    ],
    reserved_fields: &[],
    groups: &[TOP, Group { name: "req", parent: 0 }, Group { name: "res", parent: 0 }],
    access: &[
        place("method", REQ, "method"),
        place("route", REQ, "route"),
        place("path", REQ, "path"),
        place("query", REQ, "query"),
        place("status", RES, "statusCode"),
        place("duration_ms", 0, "duration"),
    ],
    clock: Clock::Rfc3339,
    level: plain::SHAPE.level,
    levels: plain::SHAPE.levels,
    target: plain::SHAPE.target,
    fixed: "",
    request_id: plain::SHAPE.request_id,
    trace: &plain::TRACE,
    location: plain::SHAPE.location,
    constants: ["", ""],
    constant_names: &[],
    fields: 0,
    places: &[],
};
