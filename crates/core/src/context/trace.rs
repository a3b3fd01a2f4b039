//! The trace that a request belongs to.

use std::fmt;

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
            // Bits that are not known yet are not passed on (W3C Trace Context §3.3.1.3).
            flags: flags & 0b11,
            state: None,
        })
    }

    /// Sets the vendors' part, which is carried on as it came.
    #[must_use]
    pub fn with_state(mut self, state: HeaderValue) -> Self {
        self.state = Some(state);
        self
    }

    /// The same trace in another span: what is done here for the caller that sent it. `None` where
    /// the id is all zeros.
    ///
    /// ```
    /// # use buttress_core::context::TraceContext;
    /// let parent = TraceContext::new([0x4b; 16], [0x1f; 8], 1).unwrap();
    /// let child = parent.clone().with_span_id([0x2e; 8]).unwrap();
    /// assert_eq!(child.trace_id(), parent.trace_id());
    /// assert_eq!(child.span_id(), &[0x2e; 8]);
    /// ```
    #[must_use]
    pub fn with_span_id(self, span_id: [u8; 8]) -> Option<Self> {
        (span_id != [0; 8]).then_some(Self { span_id, ..self })
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
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let ids = self.trace_id.iter().chain(&self.span_id).chain([&self.flags]);
        // Two digits for each byte, in the places that hold digits now.
        let digits = text.iter_mut().skip(3).filter(|place| **place == b'0');
        let nibbles = ids.flat_map(|byte| [byte >> 4, byte & 0xf]);
        for (place, nibble) in digits.zip(nibbles) {
            *place = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_stands_in_its_place() {
        let trace_id = 0x0f1e_2d3c_4b5a_6978_8796_a5b4_c3d2_e1f0_u128.to_be_bytes();
        let trace = TraceContext::new(trace_id, [0xa0, 1, 2, 3, 4, 5, 6, 0xff], 0xff).unwrap();
        assert_eq!(trace.traceparent(), trace.to_string());
        assert_eq!(
            trace.to_string(),
            "00-0f1e2d3c4b5a69788796a5b4c3d2e1f0-a0010203040506ff-03",
            "unknown flags are not passed on"
        );
        let state = HeaderValue::from_static("vendor=1");
        assert_eq!(trace.with_state(state.clone()).state(), Some(&state));
    }

    #[test]
    fn another_span_of_the_trace_keeps_its_flags_and_its_state() {
        let parent = TraceContext::new([0x4b; 16], [0x1f; 8], 3).unwrap();
        let parent = parent.with_state(HeaderValue::from_static("vendor=1"));
        let child = parent.clone().with_span_id([0x2e; 8]).unwrap();
        assert_eq!(child.to_string(), parent.to_string().replace("1f", "2e"));
        assert_eq!(child.state(), parent.state());
        assert_eq!(parent.with_span_id([0; 8]), None);
    }
}
