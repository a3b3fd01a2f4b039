//! How values are printed: never a secret, never a line break.

use std::{fmt, ops::Range, sync::LazyLock};

use buttress_core::{CENSOR, Secret};
use buttress_redact::{Rules, Verdict};

/// A value is printed up to here.
const LONGEST: usize = 120;

/// A foreign error is printed up to here.
const LONGEST_SENTENCE: usize = 240;

/// A secret that is shorter is not looked for elsewhere: `1` and `dev` are values of their own.
const SHORTEST: usize = 4;

/// A secret that is shorter is looked for as a whole value only: as a part, it would be found
/// everywhere.
pub(crate) const SHORTEST_PART: usize = 6;

/// So is a word that is shorter: of `postgres://postgres:postgres@localhost/postgres` there would
/// be little left.
const SHORTEST_WORD: usize = 12;

static RULES: LazyLock<Rules> = LazyLock::new(Rules::new);

/// Whether a variable of this name is taken to hold a secret.
pub(crate) fn is_sensitive(name: &str) -> bool {
    !matches!(RULES.key(name), Verdict::Clear)
}

/// A name without what a terminal would act upon.
pub(crate) fn escaped(name: &str) -> String {
    name.escape_debug().to_string()
}

/// Where the password of a URL stands in it; where it is empty, the user is the secret, as of
/// services that take a key so.
pub(crate) fn password(url: &str) -> Option<Range<usize>> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    let (name, password) = user.split_once(':')?;
    let start = scheme.len() + "://".len();
    let behind = start + name.len() + 1;
    match (name, password) {
        ("", "") => None,
        (_, "") => Some(start..start + name.len()),
        _ => Some(behind..behind + password.len()),
    }
}

/// The passwords of a URL, or of a list of them, and of pairs.
pub(crate) fn passwords(text: &str) -> impl Iterator<Item = &str> {
    // One that has a comma in it is found in the whole.
    let urls = std::iter::once(text).chain(text.split(','));
    let of_urls = urls.filter_map(|url| url.get(password(url)?));
    of_urls.chain(of_pairs(text).into_iter().filter_map(|range| text.get(range)))
}

/// A default as it is documented: without the passwords of its URLs and pairs.
pub(crate) fn default(text: &str) -> String {
    let out = passwords(text).fold(text.to_owned(), |out, password| {
        out.replace(&format!(":{password}@"), &format!(":{CENSOR}@"))
            .replace(&format!("//{password}:@"), &format!("//{CENSOR}:@"))
    });
    pairs(&out)
}

/// The text without the passwords of its pairs.
fn pairs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut told = 0;
    for password in of_pairs(text) {
        out.push_str(text.get(told..password.start).unwrap_or_default());
        out.push_str(CENSOR);
        told = password.end;
    }
    out + text.get(told..).unwrap_or_default()
}

/// Where the passwords of pairs stand, `key=value`, as libpq and others write an address: parted by
/// white space, `;` or `&`, the value in quotes or not.
fn of_pairs(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((before, behind)) = text.get(at..).and_then(|rest| rest.split_once('=')) {
        at = text.len() - behind.len();
        if is_password(last_word(before)) {
            let value = value(behind);
            found.push(at + value.start..at + value.end);
            at += value.end;
        }
    }
    found.retain(|password| !password.is_empty());
    found
}

fn is_password(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "passwd", "pwd", "passphrase"].iter().any(|end| key.ends_with(end))
}

fn last_word(text: &str) -> &str {
    text.trim_end().rsplit(|c: char| !is_of_word(c)).next().unwrap_or_default()
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// Where it stands for sure: up to its quote, or to the next key. What else looks like an end may
/// be a part of it.
fn value(behind: &str) -> Range<usize> {
    let inner = behind.trim_start();
    let start = behind.len() - inner.len();
    if let Some(quote) = inner.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        return start + 1..closing(inner, quote).map_or(behind.len(), |at| start + at);
    }
    let mut rest = inner;
    while let Some(at) = rest.find(is_separator) {
        let (_, after) = rest.split_at_checked(at).unwrap_or_default();
        let next = after.trim_start_matches(is_separator);
        let after_key = next.trim_start_matches(is_of_word);
        if after_key.len() < next.len() && after_key.trim_start().starts_with('=') {
            return start..behind.len() - after.len();
        }
        rest = next;
    }
    start..behind.len()
}

/// Where the quote closes with which the text begins: neither behind a backslash nor doubled. To
/// some a quote is a letter as any other, so where more follows at once, nothing is sure.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = letters.next() {
        if c == '\\' {
            letters.next();
        } else if c == quote && letters.next_if(|(_, next)| *next == quote).is_none() {
            let is_end = letters.peek().is_none_or(|(_, next)| is_separator(*next));
            return is_end.then_some(at);
        }
    }
    None
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, ';' | '&')
}

/// A URL that could be read, without its password and the secrets of its query.
pub(crate) fn url(text: &str) -> String {
    let mut out = text.to_owned();
    if let Some(password) = password(text) {
        out.replace_range(password, CENSOR);
    }
    let (head, query) = match out.split_once('?') {
        Some((head, query)) => (head, Some(query)),
        None => (out.as_str(), None),
    };
    match query {
        Some(query) => format!("{}?{}", tokens(head), RULES.query(query)),
        None => tokens(head),
    }
}

/// The text without what has the looks of a secret.
fn tokens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Into a `String` nothing fails.
    let _ = RULES.text(text, &mut out);
    out
}

/// The text without what looks like a secret in it.
pub(crate) fn clear(text: &str) -> String {
    let out = pairs(&if text.contains("://") { url(text) } else { tokens(text) });
    // A URL that lost its `://`, or has what ends an authority in its password, still has one.
    match out.rsplit_once('@') {
        Some((before, after)) if has_password(before) => format!("{CENSOR}@{after}"),
        _ => out,
    }
}

/// Whether there is a colon that is neither a scheme's nor before what is censored already.
fn has_password(before: &str) -> bool {
    before.split(':').skip(1).any(|behind| !behind.starts_with("//") && !behind.starts_with(CENSOR))
}

/// The text without any of these secrets in it.
pub(crate) fn without(text: &str, secrets: &[Secret<String>]) -> String {
    let mut out = text.to_owned();
    // The longer first: one may be a part of another.
    let mut secrets: Vec<&str> = secrets.iter().map(|secret| secret.expose().trim()).collect();
    secrets.sort_unstable_by_key(|secret| (std::cmp::Reverse(secret.len()), *secret));
    secrets.dedup();
    for secret in secrets {
        if secret.len() < SHORTEST {
            continue;
        }
        if out.trim() == secret {
            return CENSOR.to_owned();
        }
        let is_word = secret.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '-' | '_'));
        let shortest = if is_word { SHORTEST_WORD } else { SHORTEST_PART };
        if secret.len() >= shortest && out.contains(secret) {
            out = out.replace(secret, CENSOR);
        }
    }
    out
}

/// Whether there is something in it that is not shown.
pub(crate) fn has_secret(text: &str, secrets: &[Secret<String>]) -> bool {
    clear(&without(text, secrets)) != text
}

/// A value that anybody may see: on one line, and not too long.
pub(crate) fn shown(text: &str, secrets: &[Secret<String>]) -> String {
    let text = clear(&without(text, secrets));
    let (short, more) = cut(&text, LONGEST);
    format!("{}{more}", short.escape_debug())
}

/// What somebody else says of a value: on one line, and not too long.
pub(crate) fn sentence(text: &str, secrets: &[Secret<String>]) -> String {
    one_line(&clear(&without(text, secrets)))
}

/// What somebody says who quotes nothing of a value, but may show how one is written: on one line,
/// and not too long.
pub(crate) fn advice(text: &str, secrets: &[Secret<String>]) -> String {
    one_line(&without(text, secrets))
}

fn one_line(text: &str) -> String {
    let (short, more) = cut(text, LONGEST_SENTENCE);
    let mut out = String::with_capacity(short.len());
    for c in short.chars() {
        match c {
            '"' | '\'' | '\\' => out.push(c),
            c if c.is_control() => out.push(' '),
            c => out.extend(c.escape_debug()),
        }
    }
    out + more
}

fn cut(text: &str, longest: usize) -> (&str, &'static str) {
    match text.char_indices().nth(longest) {
        Some((at, _)) => (text.get(..at).unwrap_or_default(), "…"),
        None => (text, ""),
    }
}

/// What [`shown`] or a censor has made, in quotes.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == CENSOR { f.write_str(CENSOR) } else { write!(f, "\"{}\"", self.0) }
    }
}
