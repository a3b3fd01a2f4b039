//! Google Cloud Logging's special fields in JSON (its documentation: "Structured logging"), and
//! the `HttpRequest` of its `LogEntry`.

use super::{Clock, Form, Group, Piece, Shape, TOP, place};

const HTTP: usize = 1;

pub(super) static SHAPE: Shape = Shape {
    name: "gcp",
    open: r#"{"time":"#,
    clock: Clock::Rfc3339,
    level: r#","severity":"#,
    levels: [
        r#""DEBUG""#,
        r#""DEBUG""#,
        r#""INFO""#,
        r#""WARNING""#,
        r#""ERROR""#,
        r#""CRITICAL""#,
    ],
    target: [r#","target":"#, ""],
    fixed: "",
    message: "message",
    access_message: None,
    request_id: "request_id",
    trace: &[
        Piece::Text(r#","logging.googleapis.com/trace":""#),
        Piece::Project,
        Piece::TraceId,
        Piece::Text(r#"","logging.googleapis.com/spanId":""#),
        Piece::SpanId,
        Piece::Text(r#"","logging.googleapis.com/trace_sampled":"#),
        Piece::Sampled,
    ],
    // The line is an int64, which is a text in the JSON of protocol buffers.
    location: [r#","logging.googleapis.com/sourceLocation":{"file":"#, r#","line":""#, r#""}"#],
    constants: ["", ""],
    constant_names: &[],
    reserved: &[
        "time",
        "severity",
        "target",
        "message",
        "request_id",
        "logging.googleapis.com/trace",
        "logging.googleapis.com/spanId",
        "logging.googleapis.com/trace_sampled",
        "logging.googleapis.com/sourceLocation",
        "httpRequest",
        "spans",
        "truncated",
        // Those would be taken for the time of the entry.
        "timestamp",
        "timestampSeconds",
        "timestampNanos",
    ],
    reserved_fields: &[],
    groups: &[TOP, Group { name: "httpRequest", parent: 0 }],
    fields: 0,
    places: &[],
    access: &[
        place("method", HTTP, "requestMethod"),
        place("path", HTTP, "requestUrl"),
        place("protocol", HTTP, "protocol").form(Form::Http),
        place("status", HTTP, "status"),
        place("duration_ms", HTTP, "latency").form(Form::Seconds),
        place("bytes_in", HTTP, "requestSize").form(Form::Digits),
        place("bytes_out", HTTP, "responseSize").form(Form::Digits),
        place("client_ip", HTTP, "remoteIp"),
        place("user_agent", HTTP, "userAgent"),
    ],
};
