//! The default: flat, in snake case.

use super::{Clock, Piece, Shape, TOP};

pub(super) const SHAPE: Shape = Shape {
    name: "json",
    open: r#"{"timestamp":"#,
    clock: Clock::Rfc3339,
    level: r#","level":"#,
    levels: [r#""TRACE""#, r#""DEBUG""#, r#""INFO""#, r#""WARN""#, r#""ERROR""#, r#""FATAL""#],
    target: [r#","target":"#, ""],
    fixed: "",
    message: "message",
    access_message: None,
    request_id: "request_id",
    trace: &TRACE,
    location: [r#","file":"#, r#","line":"#, ""],
    constants: ["", ""],
    constant_names: &[],
    reserved: &[
        "timestamp",
        "level",
        "target",
        "message",
        "request_id",
        "trace_id",
        "span_id",
        "trace_flags",
        "file",
        "line",
        "spans",
        "truncated",
    ],
    reserved_fields: &[],
    groups: &[TOP],
    fields: 0,
    places: &[],
    access: &[],
};

/// W3C Trace Context, in hexadecimal.
pub(super) static TRACE: [Piece; 7] = [
    Piece::Text(r#","trace_id":""#),
    Piece::TraceId,
    Piece::Text(r#"","span_id":""#),
    Piece::SpanId,
    Piece::Text(r#"","trace_flags":""#),
    Piece::Flags,
    Piece::Text(r#"""#),
];
