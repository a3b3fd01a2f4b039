//! The trace that a request belongs to.

use std::fmt;

use bytes::Bytes;
use http::HeaderValue;

/// A place in a distributed trace: what `traceparent` and `tracestate` carry (W3C Trace Context).
///
/// ```
/// use buttress_core::context::TraceContext;
///
/// let trace = TraceContext::new([0x4b; 16], [0x1f; 8], 1).unwrap();
/// assert_eq!(
///     trace.traceparent(),
///     "00-4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b-1f1f1f1f1f1f1f1f-01"
/// );
/// assert!(TraceContext::new([0; 16], [0x1f; 8], 1).is_none());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u8,
    state: Option<HeaderValue>,
}

impl TraceContext {
    /// `None` where an id is all zeros, which the specification calls invalid.
    #[must_use]
    pub fn new(trace_id: [u8; 16], span_id: [u8; 8], flags: u8) -> Option<Self> {
        (trace_id != [0; 16] && span_id != [0; 8]).then_some(Self {
            trace_id,
            span_id,
            flags,
            state: None,
        })
    }

    /// Sets the vendors' part, which is carried on as it came.
    #[must_use]
    pub fn with_state(mut self, state: HeaderValue) -> Self {
        self.state = Some(state);
        self
    }

    /// The id of the whole trace.
    #[must_use]
    pub const fn trace_id(&self) -> &[u8; 16] {
        &self.trace_id
    }

    /// The id of the span in which the request is served.
    #[must_use]
    pub const fn span_id(&self) -> &[u8; 8] {
        &self.span_id
    }

    /// The flags; bit 0 says sampled, bit 1 that the trace id's last 7 bytes are random.
    #[must_use]
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// The value of `tracestate`.
    #[must_use]
    pub const fn state(&self) -> Option<&HeaderValue> {
        self.state.as_ref()
    }

    /// The value of `traceparent`, version 00.
    #[must_use]
    pub fn traceparent(&self) -> HeaderValue {
        HeaderValue::from_maybe_shared(Bytes::from(self.to_string()))
            .unwrap_or(HeaderValue::from_static(""))
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trace_id = u128::from_be_bytes(self.trace_id);
        let span_id = u64::from_be_bytes(self.span_id);
        write!(f, "00-{trace_id:032x}-{span_id:016x}-{:02x}", self.flags)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({self})")
    }
}
