//! Tokens, credentials, keys and passwords.

use std::ops::Range;

/// The header of a token is longer than this: `{"alg":""}` in base64.
const JWT_HEADER: usize = 12;

/// What follows `Bearer` in the middle of a text is a token from here on, whatever it looks like.
const LONG_TOKEN: usize = 16;

/// And from here on, if it looks like no word.
const SHORT_TOKEN: usize = 8;

/// A password that is no part of its authority is looked for in so many bytes more: a text of
/// nothing but URLs is still read once.
const RAW_PASSWORD: usize = 256;

/// A JWS has three parts, a JWE five (RFC 7516 §3.1).
const JWT_PARTS: usize = 5;

/// A token around the `J` of its `eyJ`.
pub(super) fn jwt(text: &[u8], from: usize, pivot: usize) -> Option<Range<usize>> {
    let start = pivot.checked_sub(2).filter(|start| *start >= from)?;
    if !text.get(start..)?.starts_with(b"eyJ") || is_inside(text, from, start, is_base64url) {
        return None;
    }
    let mut end = run(text, start, is_base64url);
    if end - start < JWT_HEADER || text.get(end) != Some(&b'.') {
        return None;
    }
    // A second dot, or claims that look like it: a token that was cut off is one too.
    let claims = end + 1;
    let claims_end = run(text, claims, is_base64url);
    if text.get(claims_end) != Some(&b'.') && !text.get(claims..)?.starts_with(b"eyJ") {
        return None;
    }
    for _ in 1..JWT_PARTS {
        if text.get(end) != Some(&b'.') {
            break;
        }
        end = run(text, end + 1, is_base64url);
    }
    Some(start..end)
}

/// What follows `Bearer` or `Basic` and the blank at `pivot`.
pub(super) fn scheme(text: &[u8], from: usize, pivot: usize) -> Option<Range<usize>> {
    let before = text.get(from..pivot)?;
    let (name, bearer) = match before.last()? {
        b'r' | b'R' => (&b"bearer"[..], true),
        b'c' | b'C' => (&b"basic"[..], false),
        _ => return None,
    };
    let name_at = before.len().checked_sub(name.len())?;
    if !before.get(name_at..)?.eq_ignore_ascii_case(name)
        || is_inside(text, from, from + name_at, |byte| byte.is_ascii_alphanumeric())
    {
        return None;
    }
    let start = run(text, pivot, |byte| byte == b' ');
    let end = run(text, start, is_token68);
    let token = text.get(start..end).filter(|token| !token.is_empty())?;
    let is_all = from == 0 && name_at == 0 && end == text.len();
    let counts = match bearer {
        true => is_all || is_bearer(token),
        // `Operations` is base64 of a colon and some bytes.
        false => has_colon(token) && (is_all || is_odd(token)),
    };
    counts.then_some(start..end)
}

fn is_bearer(token: &[u8]) -> bool {
    let length = token.iter().rev().skip_while(|byte| **byte == b'.').count();
    length >= LONG_TOKEN || (length >= SHORT_TOKEN && is_odd(token))
}

/// Whether it looks like no word: one may begin with a capital, and have hyphens and slashes.
fn is_odd(token: &[u8]) -> bool {
    let in_word = |byte: &u8| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'.' | b'/');
    !token.iter().skip(1).all(in_word)
}

/// Whether the base64 decodes to something with a colon, as a user and a password do.
fn has_colon(token: &[u8]) -> bool {
    let mut bits = 0_u32;
    let mut count = 0_u32;
    for byte in token.iter().take_while(|byte| **byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            if (bits >> count) & 0xff == u32::from(b':') {
                return true;
            }
        }
    }
    false
}

/// A key's id at the `A` it begins with.
pub(super) fn aws(text: &[u8], from: usize, pivot: usize) -> Option<Range<usize>> {
    let rest = text.get(pivot..)?;
    let known = [b"AKIA", b"ASIA", b"ABIA", b"ACCA"].iter().any(|kind| rest.starts_with(*kind));
    let is_word = |byte: u8| byte.is_ascii_alphanumeric();
    if !known || is_inside(text, from, pivot, is_word) {
        return None;
    }
    let end = run(text, pivot, is_word);
    let id = text.get(pivot..end)?;
    let is_id = id.len() == 20 && !id.iter().any(u8::is_ascii_lowercase);
    is_id.then_some(pivot..end)
}

/// A private key at the first of its hyphens.
pub(super) fn pem(text: &[u8], pivot: usize) -> Option<Range<usize>> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const END: &[u8] = b"-----END ";
    const RULE: &[u8] = b"-----";
    let label = text.get(pivot..)?.strip_prefix(BEGIN)?;
    let label = label.get(..find(label, RULE)?)?;
    find(label, b"PRIVATE KEY")?;
    let body = pivot + BEGIN.len() + label.len() + RULE.len();
    let last = find(text.get(body..)?, END).map(|at| body + at + END.len());
    let end = last.and_then(|last| Some(last + find(text.get(last..)?, RULE)? + RULE.len()));
    Some(pivot..end.unwrap_or(text.len()))
}

/// A password behind the colon of a `://`.
///
/// One with a raw `/`, `?` or `#` in it is none by the RFC, and is written all the same: then what
/// stands in the port's place is no number, and an `@` follows.
pub(super) fn password(text: &[u8], pivot: usize) -> Option<Range<usize>> {
    let rest = text.get(pivot..)?.strip_prefix(b"://")?;
    let start = pivot + 3;
    let ends_word = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'<' | b'>');
    let ends = |byte: &u8| ends_word(byte) || matches!(byte, b'/' | b'?' | b'#');
    let authority = rest.get(..rest.iter().position(ends).unwrap_or(rest.len()))?;
    let userinfo = match authority.iter().rposition(|byte| *byte == b'@') {
        Some(at) => authority.get(..at)?,
        None => {
            let colon = authority.iter().position(|byte| *byte == b':')?;
            let is_port = authority.get(colon + 1..)?.iter().all(u8::is_ascii_digit);
            if is_port || authority.starts_with(b"[") {
                return None;
            }
            let word = rest.iter().take(authority.len() + RAW_PASSWORD);
            let word = rest.get(..word.take_while(|byte| !ends_word(byte)).count())?;
            word.get(..word.iter().rposition(|byte| *byte == b'@')?)?
        }
    };
    let colon = userinfo.iter().position(|byte| *byte == b':')?;
    let range = start + colon + 1..start + userinfo.len();
    (!range.is_empty()).then_some(range)
}

/// Where the run of such bytes that begins here ends.
fn run(text: &[u8], from: usize, is: impl Fn(u8) -> bool) -> usize {
    from + text.iter().skip(from).take_while(|byte| is(**byte)).count()
}

/// Whether the byte before it belongs to the same word, and not to an escape: a line break in what
/// `Debug` prints is `\\n`, and a blank in a URL `%20`.
fn is_inside(text: &[u8], from: usize, at: usize, is: impl Fn(u8) -> bool) -> bool {
    match text.get(from..at) {
        None | Some([] | [.., b'\\', b'n' | b'r' | b't']) => false,
        Some([.., b'%', high, low]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => false,
        Some(before) => before.last().is_some_and(|byte| is(*byte)),
    }
}

const fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// RFC 9110 §11.2.
const fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
