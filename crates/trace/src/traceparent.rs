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
    let (digits, rest) = text.split_at_checked(2 * N)?;
    let mut bytes = [0; N];
    // One check at the end, none for each digit.
    let mut seen = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks().0) {
        let (high, low) = (nibble(*high), nibble(*low));
        seen |= high | low;
        *byte = high << 4 | low;
    }
    *text = rest;
    (seen != NO_DIGIT).then_some(bytes)
}

pub(crate) fn dash(text: &mut &[u8]) -> Option<()> {
    *text = text.strip_prefix(b"-")?;
    Some(())
}

/// More bits than any digit has.
const NO_DIGIT: u8 = 0xff;

const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => NO_DIGIT,
    }
}
