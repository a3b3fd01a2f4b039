//! `traceparent`: which trace, which span, which flags (W3C Trace Context §3.2).

use buttress_core::context::TraceContext;

/// What the value says, if it keeps to the grammar.
pub(crate) fn parse(value: &[u8]) -> Option<TraceContext> {
    let mut rest = value;
    let [version] = hex(&mut rest)?;
    dash(&mut rest)?;
    let trace_id = hex(&mut rest)?;
    dash(&mut rest)?;
    let span_id = hex(&mut rest)?;
    dash(&mut rest)?;
    let [flags] = hex(&mut rest)?;
    let ends = match version {
        0xff => false,
        0 => rest.is_empty(),
        // A version to come may only add to the end (“Versioning of traceparent”).
        _ => rest.is_empty() || rest.starts_with(b"-"),
    };
    TraceContext::new(trace_id, span_id, flags).filter(|_| ends)
}

/// The next `N` bytes, two digits each, in lower case only.
pub(crate) fn hex<const N: usize>(text: &mut &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for byte in &mut bytes {
        let ([high, low], rest) = text.split_first_chunk()?;
        *byte = nibble(*high)? << 4 | nibble(*low)?;
        *text = rest;
    }
    Some(bytes)
}

pub(crate) fn dash(text: &mut &[u8]) -> Option<()> {
    *text = text.strip_prefix(b"-")?;
    Some(())
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
