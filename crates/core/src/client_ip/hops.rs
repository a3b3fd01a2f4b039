//! The hops that one line of a header names, rightmost first. `None` is an entry that cannot be
//! read as an address.
//!
//! A line is cut from its right end, as it grew: what our proxies appended is well formed, so
//! nothing that was planted left of it, a quote that never ends say, can reach into it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str,
};

use super::cidr::unmap;

/// Addresses parted by commas: `X-Forwarded-For` and those like it.
pub(super) fn listed(line: &[u8]) -> impl Iterator<Item = Option<IpAddr>> {
    line.rsplit(|byte| *byte == b',').map(node)
}

/// `Forwarded` (RFC 7239 §4).
///
/// A line is read by itself: no value is quoted across two.
pub(super) fn forwarded(line: &[u8]) -> impl Iterator<Item = Option<IpAddr>> {
    // The cut may be wrong where quotes are escaped, but then a backslash, which always stands
    // right before such a quote, is within the element, and `element` refuses it.
    let mut quoted = false;
    line.rsplit(move |byte| unquoted(&mut quoted, *byte, b',')).map(element)
}

/// The node that one element of `Forwarded` names in its `for`.
fn element(element: &[u8]) -> Option<IpAddr> {
    // An address needs no escape. Elsewhere (`host`) one may be right, but it is the client's
    // text that needs it, and whether our proxy escaped all of it is not ours to judge.
    if element.contains(&b'\\') {
        return None;
    }
    let mut quoted = false;
    let mut named = None;
    for pair in element.split(|byte| unquoted(&mut quoted, *byte, b';')) {
        let Some(value) = value_of_for(pair) else {
            continue;
        };
        // Twice is not allowed (RFC 7239 §4), and which to believe is anyone's guess.
        if named.replace(value).is_some() {
            return None;
        }
    }
    if quoted {
        return None;
    }
    node(unquote(named?)?)
}

/// Whether this byte is `separator`, outside quotes. Works in either direction.
fn unquoted(quoted: &mut bool, byte: u8, separator: u8) -> bool {
    *quoted ^= byte == b'"';
    byte == separator && !*quoted
}

fn value_of_for(pair: &[u8]) -> Option<&[u8]> {
    let mut halves = pair.splitn(2, |byte| *byte == b'=');
    let (name, value) = (halves.next()?, halves.next()?);
    name.trim_ascii().eq_ignore_ascii_case(b"for").then_some(value)
}

fn unquote(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    match value.strip_prefix(b"\"") {
        Some(value) => value.strip_suffix(b"\""),
        None => Some(value),
    }
}

/// An address, and perhaps a port (RFC 7239 §6): `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`,
/// `[2001:db8::1]`, `[2001:db8::1]:80`.
///
/// An IPv6 address without brackets has no port: its last group would be one.
fn node(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text.trim_ascii()).ok()?;
    let (ip, port) = if let Some(text) = text.strip_prefix('[') {
        let (v6, rest) = text.split_once(']')?;
        let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
        (v6.parse::<Ipv6Addr>().ok()?.into(), port)
    } else if let Ok(ip) = text.parse::<IpAddr>() {
        (ip, None)
    } else {
        let (v4, port) = text.split_once(':')?;
        (v4.parse::<Ipv4Addr>().ok()?.into(), Some(port))
    };
    port.is_none_or(is_port).then(|| unmap(ip))
}

/// A port's number, or the name that a proxy gave it to hide it (RFC 7239 §6).
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(name) => {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        }
        None => text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok(),
    }
}
