#![doc = include_str!("../README.md")]

mod headers;
mod ids;
mod live;
#[cfg(feature = "otel")]
mod otel;
mod outbound;
#[cfg(feature = "otel")]
mod redact;
mod semconv;
mod span;
mod trace;
mod traceparent;
mod tracestate;

pub use buttress_core::context::TraceContext;

pub use self::{
    headers::{TRACEPARENT, TRACESTATE, extract, inject, parse},
    outbound::{Call, Calls, Inject, Outbound, OutboundLayer},
    trace::{Exchange, Trace, TraceLayer},
    tracestate::{MAX_MEMBERS, MAX_STATE, with_member},
};
#[cfg(feature = "otel")]
pub use self::{otel::RequestIdGenerator, redact::RedactExporter};
