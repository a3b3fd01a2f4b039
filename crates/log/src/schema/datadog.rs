//! Datadog's reserved and standard attributes (its documentation: "Attributes and Aliasing",
//! "Pipelines", "Connect OpenTelemetry Traces and Logs").

use super::{Clock, Form, Group, Piece, Shape, TOP, place};

const HTTP: usize = 1;
const URL: usize = 2;
const NETWORK: usize = 3;
const CLIENT: usize = 4;
const USER: usize = 5;
const ERROR: usize = 6;

pub(super) static SHAPE: Shape = Shape {
    name: "datadog",
    open: r#"{"timestamp":"#,
    clock: Clock::Rfc3339,
    level: r#","status":"#,
    // The words of its status remapper.
    levels: [r#""debug""#, r#""debug""#, r#""info""#, r#""warn""#, r#""error""#, r#""critical""#],
    target: [r#","logger":{"name":"#, "}"],
    fixed: "",
    message: "message",
    access_message: None,
    request_id: "request_id",
    // Traces are joined by unsigned numbers of 64 bits, as texts.
    trace: &[
        Piece::Text(r#","dd":{"trace_id":""#),
        Piece::TraceIdNumber,
        Piece::Text(r#"","span_id":""#),
        Piece::SpanIdNumber,
        Piece::Text(r#""},"trace_id":""#),
        Piece::TraceId,
        Piece::Text(r#"""#),
    ],
    location: [r#","file":"#, r#","line":"#, ""],
    constants: ["", ""],
    constant_names: &[("environment", "env")],
    reserved: &[
        "timestamp",
        "status",
        "logger",
        "message",
        "request_id",
        "dd",
        "trace_id",
        "file",
        "line",
        "spans",
        "truncated",
        "http",
        "network",
        "usr",
        "error",
    ],
    reserved_fields: &[],
    groups: &[
        TOP,
        Group { name: "http", parent: 0 },
        Group { name: "url_details", parent: HTTP },
        Group { name: "network", parent: 0 },
        Group { name: "client", parent: NETWORK },
        Group { name: "usr", parent: 0 },
        Group { name: "error", parent: 0 },
    ],
    fields: 0,
    places: &[place("error", ERROR, "message")],
    access: &[
        place("method", HTTP, "method"),
        place("route", HTTP, "route"),
        place("path", URL, "path"),
        place("query", URL, "queryString"),
        place("protocol", HTTP, "version"),
        place("status", HTTP, "status_code"),
        place("duration_ms", 0, "duration").form(Form::Nanos),
        place("bytes_in", NETWORK, "bytes_read"),
        place("bytes_out", NETWORK, "bytes_written"),
        place("client_ip", CLIENT, "ip"),
        place("user_id", USER, "id"),
        place("user_agent", HTTP, "useragent"),
        place("error_type", ERROR, "kind"),
    ],
};
