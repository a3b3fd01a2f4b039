//! A policy, ready to send: with the nonce, and without.

use std::borrow::Cow;

use http::HeaderValue;

use super::{Csp, Directive, source::Source};

/// A policy as text, cut where the nonce goes.
#[derive(Clone, Debug)]
pub(crate) struct CompiledCsp {
    /// What is sent when no nonce was asked for.
    pub(crate) without_nonce: HeaderValue,
    /// What stands before, between and after the nonces; empty where there is none.
    pieces: Vec<String>,
}

impl CompiledCsp {
    /// Of a checked policy. `None` when nothing is left of it.
    ///
    /// `secure` says whether `upgrade-insecure-requests` is kept.
    pub(crate) fn new(csp: &Csp, secure: bool) -> Option<Self> {
        let kept: Vec<_> = csp
            .directives
            .iter()
            .filter(|directive| secure || directive.name != "upgrade-insecure-requests")
            .collect();
        if kept.is_empty() {
            return None;
        }
        let with_nonce = render(&kept, csp.separator, |directive| Cow::Borrowed(&directive.values));
        let without =
            render(&kept, csp.separator, |directive| Cow::Owned(without_nonce(&directive.values)));
        Some(Self {
            without_nonce: header_value(without.concat()),
            pieces: if with_nonce.len() > 1 { with_nonce } else { Vec::new() },
        })
    }

    pub(crate) const fn uses_nonce(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// The policy with this nonce.
    pub(crate) fn with_nonce(&self, nonce: &str) -> HeaderValue {
        header_value(self.pieces.join(nonce))
    }
}

fn render<'a>(
    directives: &[&'a Directive],
    separator: &str,
    values: impl Fn(&'a Directive) -> Cow<'a, [Source]>,
) -> Vec<String> {
    let mut done = Vec::new();
    let mut piece = String::new();
    for (at, directive) in directives.iter().enumerate() {
        if at > 0 {
            piece.push_str(separator);
        }
        piece.push_str(&directive.name);
        for value in &*values(directive) {
            if *value == Source::Nonce {
                piece.push_str(" 'nonce-");
                done.push(std::mem::take(&mut piece));
                piece.push('\'');
            } else {
                piece.push(' ');
                piece.push_str(&value.to_string());
            }
        }
    }
    done.push(piece);
    done
}

/// The sources that are left when nobody asked for the nonce. It must allow nothing that the list
/// with a nonce did not:
///
/// - Beside a nonce, `'unsafe-inline'` is ignored (CSP3 §6.7.3.2); without one it would count.
/// - Under `'strict-dynamic'`, hosts, schemes and `'self'` are ignored; when no hash is left to
///   carry it, it goes, and so must they.
fn without_nonce(values: &[Source]) -> Vec<Source> {
    if !values.contains(&Source::Nonce) {
        return values.to_vec();
    }
    let loses_strict =
        values.contains(&Source::StrictDynamic) && !values.iter().any(Source::is_hash);
    let left: Vec<_> = values
        .iter()
        .filter(|value| !matches!(value, Source::Nonce | Source::UnsafeInline))
        .filter(|value| {
            !loses_strict || !(**value == Source::StrictDynamic || value.is_ignored_when_strict())
        })
        .cloned()
        .collect();
    if left.is_empty() { vec![Source::None] } else { left }
}

/// A checked policy is visible ASCII. Were it ever not, the strictest policy is sent instead.
fn header_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}
