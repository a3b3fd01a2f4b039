//! Ids of traces and spans.

use std::{
    cell::Cell,
    hash::{DefaultHasher, Hash, Hasher},
    process, thread,
    time::SystemTime,
};

use buttress_core::context::{RequestContext, TraceContext};
use siphasher::sip::SipHasher13;

use crate::traceparent::{dash, hex};

/// The caller has recorded the trace, or may have (W3C Trace Context, “Sampled flag”).
pub(crate) const SAMPLED: u8 = 0b01;

/// The last 7 bytes of the trace id are random (W3C Trace Context level 2, “Random Trace
/// ID Flag”).
pub(crate) const RANDOM: u8 = 0b10;

/// A new trace.
pub(crate) fn root(context: &RequestContext, sampled: bool) -> Option<TraceContext> {
    let flags = if sampled { SAMPLED | RANDOM } else { RANDOM };
    TraceContext::new(trace_id(context), span_id(), flags)
}

/// The id of a new trace: the bytes of the request's id where that is a UUIDv7, so that whoever
/// has one of the two finds the other; else random.
pub(crate) fn trace_id(context: &RequestContext) -> [u8; 16] {
    context.request_id().and_then(|id| uuid7(id.as_bytes())).unwrap_or_else(random_trace_id)
}

/// The bytes of a UUIDv7 in its usual form (RFC 9562 §4 and §5.7).
pub(crate) fn uuid7(text: &[u8]) -> Option<[u8; 16]> {
    let mut rest = text;
    let mut uuid = [0; 16];
    let (time, others) = uuid.split_first_chunk_mut::<4>()?;
    *time = hex(&mut rest)?;
    let (pairs, node) = others.as_chunks_mut::<2>();
    debug_assert!(node.is_empty());
    for (index, pair) in pairs.iter_mut().enumerate() {
        if index < 4 {
            dash(&mut rest)?;
        }
        *pair = hex(&mut rest)?;
    }
    let [_, _, _, _, _, _, version, _, variant, ..] = uuid;
    (rest.is_empty() && version >> 4 == 7 && variant >> 6 == 0b10).then_some(uuid)
}

/// A new span id.
pub(crate) fn span_id() -> [u8; 8] {
    // Zero is no id.
    random().max(1).to_be_bytes()
}

pub(crate) fn random_trace_id() -> [u8; 16] {
    let id = u128::from(random()) << 64 | u128::from(random().max(1));
    id.to_be_bytes()
}

/// One more number of this thread's sequence: a count under a keyed hash, so that one id tells
/// nothing of the next (SipHash-1-3, some 10 ns), with no call to the system but for the key.
fn random() -> u64 {
    thread_local! {
        static KEY: (u64, u64) = key();
        static COUNT: Cell<u64> = const { Cell::new(0) };
    }
    let count = COUNT.replace(COUNT.get().wrapping_add(1));
    let (low, high) = KEY.with(|key| *key);
    let mut hasher = SipHasher13::new_with_keys(low, high);
    hasher.write_u64(count);
    hasher.finish()
}

/// From the system; where it has nothing to give, something that differs from thread to thread
/// and from start to start. No request fails for an id.
fn key() -> (u64, u64) {
    match (getrandom::u64(), getrandom::u64()) {
        (Ok(low), Ok(high)) => (low, high),
        _ => {
            let mut hasher = DefaultHasher::new();
            (SystemTime::now(), process::id(), thread::current().id()).hash(&mut hasher);
            (hasher.finish(), u64::from(process::id()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_uuid7_in_its_usual_form_is_read() {
        let read = uuid7(b"01890a5d-ac96-774b-bcce-b302099a8057");
        assert_eq!(read, Some(0x01890a5d_ac96_774b_bcce_b302099a8057_u128.to_be_bytes()));
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        let others: [&[u8]; 9] = [
            b"",
            b"01890a5d",
            b"01890a5dac96774bbcceb302099a8057",
            b"01890A5D-AC96-774B-BCCE-B302099A8057",
            b"01890a5d-ac96-474b-bcce-b302099a8057",
            b"01890a5d-ac96-774b-0cce-b302099a8057",
            b"01890a5d-ac96-774b-bcce-b302099a80577",
            b"01890a5d-ac96-774b-bcce-b302099a805",
            b"01890a5d-ac96-774b-bcce+b302099a8057",
        ];
        for other in others {
            assert_eq!(uuid7(other), None, "{}", other.escape_ascii());
        }
    }

    #[test]
    fn ids_of_two_threads_differ_from_each_other_and_among_themselves() {
        let draw = || (0..1_000).map(|_| span_id()).collect::<Vec<_>>();
        let mut ids: HashSet<_> = draw().into_iter().collect();
        ids.extend(thread::spawn(draw).join().unwrap());
        assert_eq!(ids.len(), 2_000);
    }
}
