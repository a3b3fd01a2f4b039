//! A trace's way out of a request's headers, and into those of a call.

use buttress_core::context::TraceContext;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    traceparent,
    tracestate::{self, Carried, trim},
};

/// Which trace, which span, which flags.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What the tracing systems on the way have to say.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The trace that these headers continue; its span is the caller's.
///
/// `None` where there is no `traceparent`, more than one line of it, or one that is invalid: then
/// a new trace begins, and `tracestate` is not looked at (W3C Trace Context §3.3).
///
/// ```
/// use buttress_trace::extract;
/// use http::{HeaderMap, HeaderValue};
///
/// let mut headers = HeaderMap::new();
/// let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// headers.insert("traceparent", HeaderValue::from_static(parent));
/// headers.append("tracestate", HeaderValue::from_static("rojo=1"));
/// headers.append("tracestate", HeaderValue::from_static("congo=2"));
///
/// let trace = extract(&headers).unwrap();
/// assert_eq!(trace.traceparent(), parent);
/// assert_eq!(trace.state().unwrap(), "rojo=1,congo=2");
/// ```
#[must_use]
pub fn extract(headers: &HeaderMap) -> Option<TraceContext> {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    let parent = parents.next().filter(|_| parents.next().is_none())?;
    let trace = traceparent::parse(trim(parent.as_bytes()))?;
    let states = headers.get_all(TRACESTATE);
    // Most have none.
    let Some(first) = states.iter().next() else { return Some(trace) };
    let state = match tracestate::carry(states.iter().map(HeaderValue::as_bytes)) {
        Carried::Dropped => None,
        // Shared, not copied.
        Carried::AsItIs(_) => Some(first.clone()),
        Carried::Written(state) => Some(state),
    };
    Some(with_state(trace, state))
}

/// [`extract`] for what has no `HeaderMap`: a message, a job. Each item of `tracestate` is a line.
///
/// ```
/// use buttress_trace::parse;
///
/// let parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let trace = parse(parent, [b"rojo=1".as_slice()]).unwrap();
/// assert_eq!(trace.span_id(), &[0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
/// assert_eq!(trace.flags(), 1);
///
/// // What is wrong with the state does not take the trace with it.
/// assert_eq!(parse(parent, [b"no key".as_slice()]).unwrap().state(), None);
/// assert_eq!(parse(b"00-0-0-0", []), None);
/// ```
#[must_use]
pub fn parse<'a>(
    traceparent: &[u8],
    tracestate: impl IntoIterator<Item = &'a [u8]>,
) -> Option<TraceContext> {
    let trace = traceparent::parse(trim(traceparent))?;
    let state = match tracestate::carry(tracestate.into_iter()) {
        Carried::Dropped => None,
        Carried::AsItIs(line) => HeaderValue::from_bytes(line).ok(),
        Carried::Written(state) => Some(state),
    };
    Some(with_state(trace, state))
}

pub(crate) fn with_state(trace: TraceContext, state: Option<HeaderValue>) -> TraceContext {
    match state {
        Some(state) => trace.with_state(state),
        None => trace,
    }
}

/// Sets `traceparent` and `tracestate`, in the place of what was there of the two: the state of one
/// trace does not belong to another.
///
/// ```
/// use buttress_trace::{TraceContext, inject};
/// use http::HeaderMap;
///
/// let trace = TraceContext::new([0x4b; 16], [0x1f; 8], 3).unwrap();
/// let mut headers = HeaderMap::new();
/// inject(&trace, &mut headers);
/// assert_eq!(
///     headers["traceparent"],
///     "00-4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b-1f1f1f1f1f1f1f1f-03",
/// );
/// ```
pub fn inject(trace: &TraceContext, headers: &mut HeaderMap) {
    // A map that can take no more goes out without: the call matters more than its trace.
    let sent = headers.try_insert(TRACEPARENT, trace.traceparent()).is_ok();
    match trace.state().filter(|_| sent) {
        Some(state) if headers.try_insert(TRACESTATE, state.clone()).is_ok() => {}
        _ => {
            headers.remove(TRACESTATE);
        }
    }
}
