//! What may reach the log of a text that anyone could have sent.

/// The longest URL, in characters.
const MAX_URL: usize = 256;
/// The longest word: a directive, a type.
const MAX_WORD: usize = 64;

/// Scheme, host and path; the scheme alone of what has no host (`data:`, `blob:`); a keyword
/// (`inline`, `eval`) as it is. A user, a query and a fragment are secrets more often than not.
pub(super) fn url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme))
    else {
        return visible(before(text, &[':', '?', '#', '@']), MAX_URL);
    };
    let rest = before(rest, &['?', '#']);
    let authority = before(rest, &['/', '\\']);
    let path = rest.strip_prefix(authority).unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    visible(&format!("{scheme}://{host}{path}"), MAX_URL)
}

/// The first word.
pub(super) fn word(text: &str) -> String {
    visible(text.split_ascii_whitespace().next().unwrap_or_default(), MAX_WORD)
}

/// Visible ASCII, the rest as `\u{…}`; cut with `...` where it is longer than `max` characters.
fn visible(text: &str, max: usize) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let is_plain = c.is_ascii_graphic() && !matches!(c, '"' | '\\');
        let length = if is_plain { 1 } else { c.escape_unicode().len() };
        if out.len() + length > max {
            out.push_str("...");
            return out;
        }
        if is_plain {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}

fn before<'a>(text: &'a str, ends: &[char]) -> &'a str {
    text.split(ends).next().unwrap_or_default()
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}
