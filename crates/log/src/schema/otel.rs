//! The log data model of OpenTelemetry, in the JSON of its examples (opentelemetry-specification,
//! `logs/data-model.md`); attributes by the semantic conventions (`http`, `url`, `client`, `user`,
//! `exception`).

use super::{Clock, Group, Piece, Shape, TOP, place};

const ATTRIBUTES: usize = 1;

pub(super) static SHAPE: Shape = Shape {
    name: "otel",
    open: r#"{"Timestamp":"#,
    clock: Clock::Nanos,
    level: r#","SeverityText":"#,
    // The first number of each range (logs/data-model.md, "Field: SeverityNumber").
    levels: [
        r#""TRACE","SeverityNumber":1"#,
        r#""DEBUG","SeverityNumber":5"#,
        r#""INFO","SeverityNumber":9"#,
        r#""WARN","SeverityNumber":13"#,
        r#""ERROR","SeverityNumber":17"#,
        r#""FATAL","SeverityNumber":21"#,
    ],
    target: [r#","InstrumentationScope":{"Name":"#, "}"],
    fixed: "",
    message: "Body",
    access_message: None,
    // The data model has no other place for it.
    request_id: "request_id",
    trace: &[
        Piece::Text(r#","TraceId":""#),
        Piece::TraceId,
        Piece::Text(r#"","SpanId":""#),
        Piece::SpanId,
        Piece::Text(r#"","TraceFlags":"#),
        Piece::FlagsNumber,
    ],
    location: [r#","code.file.path":"#, r#","code.line.number":"#, ""],
    constants: [r#","Resource":{"#, "}"],
    constant_names: &[
        ("service", "service.name"),
        ("version", "service.version"),
        ("environment", "deployment.environment.name"),
        ("host", "host.name"),
    ],
    reserved: &[
        "Timestamp",
        "SeverityText",
        "SeverityNumber",
        "InstrumentationScope",
        "Body",
        "TraceId",
        "SpanId",
        "TraceFlags",
        "Resource",
        "Attributes",
        "truncated",
    ],
    reserved_fields: &["request_id", "code.file.path", "code.line.number", "spans"],
    groups: &[TOP, Group { name: "Attributes", parent: 0 }],
    fields: ATTRIBUTES,
    places: &[place("error", ATTRIBUTES, "exception.message")],
    access: &[
        place("method", ATTRIBUTES, "http.request.method"),
        place("route", ATTRIBUTES, "http.route"),
        place("path", ATTRIBUTES, "url.path"),
        place("query", ATTRIBUTES, "url.query"),
        place("protocol", ATTRIBUTES, "network.protocol.version"),
        place("status", ATTRIBUTES, "http.response.status_code"),
        place("bytes_in", ATTRIBUTES, "http.request.body.size"),
        place("bytes_out", ATTRIBUTES, "http.response.body.size"),
        place("client_ip", ATTRIBUTES, "client.address"),
        place("user_id", ATTRIBUTES, "user.id"),
        place("user_agent", ATTRIBUTES, "user_agent.original"),
        place("error_type", ATTRIBUTES, "error.type"),
        place("grpc_status", ATTRIBUTES, "rpc.grpc.status_code"),
    ],
};
