//! `tracestate`: what each tracing system on the way has to say (W3C Trace Context §3.3).

use buttress_core::context::TraceContext;
use bytes::Bytes;
use http::HeaderValue;

/// How many members a `tracestate` may have (W3C Trace Context §3.3.1). With more it is invalid.
pub const MAX_MEMBERS: usize = 32;

/// How many bytes of `tracestate` are carried on. Everyone should carry so many, and nobody can be
/// expected to carry more (W3C Trace Context §3.3.1, “tracestate Limits”); and a caller must not be
/// able to make each outbound call larger at will.
pub const MAX_STATE: usize = 512;

/// A member that is longer goes first when there is too much (the same).
const LARGE: usize = 128;

/// What becomes of the lines of a request.
pub(crate) enum Carried<'a> {
    /// Nothing: they are invalid, or there is no member in them.
    Dropped,
    /// The only line, as it came.
    AsItIs(&'a [u8]),
    /// The lines, joined or shortened.
    Written(HeaderValue),
}

/// The members of several lines, which together are one list (RFC 9110 §5.3).
pub(crate) fn carry<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Carried<'a> {
    let (mut count, mut last) = (0_usize, [].as_slice());
    let counted = lines.inspect(|line| (count, last) = (count + 1, line));
    let Some(mut members) = Members::parse(counted) else { return Carried::Dropped };
    if members.len > 0 && count == 1 && last.len() <= MAX_STATE {
        return Carried::AsItIs(last);
    }
    members.shorten(MAX_STATE);
    match members.write(None) {
        Some(value) if !value.is_empty() => Carried::Written(value),
        _ => Carried::Dropped,
    }
}

/// The trace with this member in front of its `tracestate`, in the place of one with the same key.
///
/// That is how a tracing system tells the next one of its own what it has to know (W3C Trace
/// Context §3.5). `None` where the key or the value does not keep to the grammar:
///
/// | | |
/// |---|---|
/// | key | 1 to 256 of `a-z 0-9 _ - * / @`, the first of `a-z 0-9` |
/// | value | 1 to 256 printable ASCII characters without `,` and `=`, the last no space |
///
/// The member counts as one of [`MAX_MEMBERS`] and towards [`MAX_STATE`]; where there is no room,
/// others go.
///
/// ```
/// use buttress_trace::{parse, with_member};
///
/// let parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let trace = parse(parent, [b"rojo=1,congo=2".as_slice()]).unwrap();
///
/// let ours = with_member(&trace, "congo", "3").unwrap();
/// assert_eq!(ours.state().unwrap(), "congo=3,rojo=1");
/// assert!(with_member(&trace, "Congo", "3").is_none());
/// ```
#[must_use]
pub fn with_member(trace: &TraceContext, key: &str, value: &str) -> Option<TraceContext> {
    if !is_key(key.as_bytes()) || !is_value(value.as_bytes()) {
        return None;
    }
    let line = trace.state().map(HeaderValue::as_bytes);
    let mut others = Members::parse(line.into_iter()).unwrap_or(Members::NONE);
    others.retain(|member| key_of(member) != Some(key.as_bytes()));
    others.len = others.len.min(MAX_MEMBERS - 1);
    let first = format!("{key}={value}");
    others.shorten(MAX_STATE.saturating_sub(first.len() + 1));
    Some(trace.clone().with_state(others.write(Some(&first))?))
}

/// The members of a list, in their order.
struct Members<'a> {
    list: [&'a [u8]; MAX_MEMBERS],
    len: usize,
}

impl<'a> Members<'a> {
    const NONE: Self = Self { list: [&[]; MAX_MEMBERS], len: 0 };

    /// `None` where a member is invalid, is there twice, or is one too many.
    fn parse(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut members = Self::NONE;
        let parts = lines.flat_map(|line| line.split(|byte| *byte == b','));
        // Empty members are allowed, and say nothing.
        for member in parts.map(trim).filter(|member| !member.is_empty()) {
            let key = key_of(member)?;
            let value = member.get(key.len() + 1..)?;
            if !is_key(key) || !is_value(value) {
                return None;
            }
            if members.iter().any(|other| key_of(other) == Some(key)) {
                return None;
            }
            *members.list.get_mut(members.len)? = member;
            members.len += 1;
        }
        Some(members)
    }

    fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        self.list.iter().take(self.len).copied()
    }

    /// Keeps those of which this is true.
    fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        let mut kept = Self::NONE;
        for (place, member) in kept.list.iter_mut().zip(self.iter().filter(|member| keep(member))) {
            *place = member;
            kept.len += 1;
        }
        *self = kept;
    }

    /// How long they are with a comma between each two.
    fn size(&self) -> usize {
        self.iter().map(|member| member.len() + 1).sum::<usize>().saturating_sub(1)
    }

    /// Drops whole members until what is left fits: the large ones first, and the last before
    /// those in front of it.
    fn shorten(&mut self, room: usize) {
        while self.size() > room {
            let large = self.iter().enumerate().filter(|(_, member)| member.len() > LARGE);
            let last = large.last().map(|(at, _)| at);
            let Some(out) = last.or(self.len.checked_sub(1)) else { return };
            if let Some(from) = self.list.get_mut(out..self.len) {
                from.rotate_left(1);
                self.len -= 1;
            }
        }
    }

    fn write(&self, first: Option<&str>) -> Option<HeaderValue> {
        let mut text = Vec::with_capacity(self.size() + first.map_or(0, |first| first.len() + 1));
        for member in first.map(str::as_bytes).into_iter().chain(self.iter()) {
            if !text.is_empty() {
                text.push(b',');
            }
            text.extend_from_slice(member);
        }
        HeaderValue::from_maybe_shared(Bytes::from(text)).ok()
    }
}

/// Up to the first `=`.
fn key_of(member: &[u8]) -> Option<&[u8]> {
    let end = member.iter().position(|byte| *byte == b'=')?;
    member.get(..end)
}

fn is_key(key: &[u8]) -> bool {
    let is_start = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_rest = |byte: &u8| is_start(byte) || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@');
    key.len() <= 256 && key.first().is_some_and(is_start) && key.iter().all(is_rest)
}

fn is_value(value: &[u8]) -> bool {
    let is_char = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'=');
    value.len() <= 256
        && value.iter().all(is_char)
        && value.last().is_some_and(|byte| *byte != b' ')
}

/// Without the optional whitespace around it (RFC 9110 §5.6.3).
pub(crate) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
