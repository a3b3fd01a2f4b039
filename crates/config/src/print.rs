//! How values are printed: never a secret, never a line break.

use std::{
    fmt::{self, Write},
    sync::LazyLock,
};

use buttress_core::{CENSOR, Secret};
use buttress_redact::{Rules, Verdict};

/// A value is printed up to here.
const LONGEST: usize = 120;

/// A secret that is shorter is looked for as a whole value only: as a part, `dev` would be found
/// everywhere.
const SHORTEST_PART: usize = 6;

static RULES: LazyLock<Rules> = LazyLock::new(Rules::new);

/// Whether a variable of this name is taken to hold a secret.
pub(crate) fn is_sensitive(name: &str) -> bool {
    !matches!(RULES.key(name), Verdict::Clear)
}

/// A name without what a terminal would act upon.
pub(crate) fn escaped(name: &str) -> String {
    name.escape_debug().to_string()
}

/// The password in a URL.
pub(crate) fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    (!password.is_empty()).then_some(password)
}

/// The text without what looks like a secret in it.
pub(crate) fn clear(text: &str) -> String {
    let (head, query) = match text.split_once('?') {
        Some((head, query)) if head.contains("://") => (head, Some(query)),
        _ => (text, None),
    };
    let mut out = String::with_capacity(text.len());
    if RULES.is_clear(head) {
        // A URL that lost its `://` still has its password.
        for (at, word) in head.split(',').enumerate() {
            if at > 0 {
                out.push(',');
            }
            match word.rsplit_once('@') {
                Some((before, after)) if before.contains(':') => {
                    out.push_str(CENSOR);
                    out.push('@');
                    out.push_str(after);
                }
                _ => out.push_str(word),
            }
        }
    } else {
        // Into a `String` nothing fails.
        let _ = RULES.text(head, &mut out);
    }
    if let Some(query) = query {
        let _ = write!(out, "?{}", RULES.query(query));
    }
    out
}

/// The text without any of these secrets in it.
pub(crate) fn without(text: &str, secrets: &[Secret<String>]) -> String {
    let mut out = text.to_owned();
    // The longer first: one may be a part of another.
    let mut secrets: Vec<&str> = secrets.iter().map(|secret| secret.expose().trim()).collect();
    secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        if secret.is_empty() {
            continue;
        }
        if out.trim() == secret {
            return CENSOR.to_owned();
        }
        if secret.len() >= SHORTEST_PART && out.contains(secret) {
            out = out.replace(secret, CENSOR);
        }
    }
    out
}

/// A value that anybody may see: on one line, and not too long.
pub(crate) fn shown(text: &str, secrets: &[Secret<String>]) -> String {
    let text = clear(&without(text, secrets));
    let mut chars = text.chars();
    let short: String = chars.by_ref().take(LONGEST).collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    format!("{}{more}", short.escape_debug())
}

/// What [`shown`] or a censor has made, in quotes.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == CENSOR { f.write_str(CENSOR) } else { write!(f, "\"{}\"", self.0) }
    }
}
