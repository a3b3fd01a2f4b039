//! pino's lines (its documentation: "API", `levels` and `messageKey`), and those of pino-http for
//! requests.

use super::{Clock, Group, Shape, TOP, place, plain};

const REQ: usize = 1;
const RES: usize = 2;

pub(super) static SHAPE: Shape = Shape {
    name: "pino",
    open: r#"{"time":"#,
    clock: Clock::Millis,
    level: r#","level":"#,
    levels: ["10", "20", "30", "40", "50", "60"],
    target: [r#","name":"#, ""],
    fixed: "",
    message: "msg",
    access_message: None,
    request_id: "reqId",
    trace: &plain::TRACE,
    location: [r#","file":"#, r#","line":"#, ""],
    constants: ["", ""],
    constant_names: &[("host", "hostname")],
    reserved: &[
        "time",
        "level",
        "name",
        "msg",
        "reqId",
        "trace_id",
        "span_id",
        "trace_flags",
        "file",
        "line",
        "spans",
        "truncated",
        "req",
        "res",
        "pid",
        "hostname",
        // pino-pretty takes these for what they are in pino's own lines.
        "v",
    ],
    reserved_fields: &[],
    groups: &[TOP, Group { name: "req", parent: 0 }, Group { name: "res", parent: 0 }],
    fields: 0,
    places: &[place("error", 0, "err")],
    access: &[
        place("method", REQ, "method"),
        place("path", REQ, "url"),
        place("query", REQ, "query"),
        place("client_ip", REQ, "remoteAddress"),
        place("user_agent", REQ, "userAgent"),
        place("status", RES, "statusCode"),
        place("duration_ms", 0, "responseTime"),
    ],
};
