//! A policy, ready to send: with the nonce, and without.

use http::HeaderValue;

use super::{Csp, source::Source};

/// A policy as text, cut where the nonce goes.
#[derive(Clone, Debug)]
pub(crate) struct CompiledCsp {
    /// What is sent when no nonce was asked for.
    pub(crate) without_nonce: HeaderValue,
    /// What stands before, between and after the nonces; one piece where there is none.
    pieces: Vec<String>,
}

impl CompiledCsp {
    /// Of a checked policy. `None` when nothing is left of it.
    ///
    /// `secure` says whether `upgrade-insecure-requests` is kept.
    pub(crate) fn new(csp: &Csp, secure: bool) -> Option<Self> {
        let mut csp = csp.clone();
        if !secure {
            csp = csp.without("upgrade-insecure-requests");
        }
        if csp.directives.is_empty() {
            return None;
        }
        // A checked policy is ASCII but for the dots in a nonce's place.
        let pieces = csp.to_string().split('…').map(str::to_owned).collect();
        for directive in &mut csp.directives {
            drop_nonce(&mut directive.values);
        }
        Some(Self { without_nonce: header_value(csp.to_string()), pieces })
    }

    pub(crate) const fn uses_nonce(&self) -> bool {
        self.pieces.len() > 1
    }

    /// The policy with this nonce.
    pub(crate) fn with_nonce(&self, nonce: &str) -> HeaderValue {
        header_value(self.pieces.join(nonce))
    }
}

/// Leaves the sources for an answer whose nonce nobody asked for. They must allow nothing that those
/// with a nonce did not:
///
/// - Beside a nonce, `'unsafe-inline'` is ignored (CSP3 §6.7.3.2); without one it would count.
/// - Under `'strict-dynamic'`, hosts, schemes and `'self'` are ignored; when no hash is left to
///   carry it, it goes, and so must they.
fn drop_nonce(values: &mut Vec<Source>) {
    if !values.contains(&Source::Nonce) {
        return;
    }
    values.retain(|value| !matches!(value, Source::Nonce | Source::UnsafeInline));
    if values.contains(&Source::StrictDynamic) && !values.iter().any(Source::is_hash) {
        values.retain(|value| *value != Source::StrictDynamic && !value.is_ignored_when_strict());
    }
    if values.is_empty() {
        values.push(Source::None);
    }
}

/// A checked policy is visible ASCII. Were it ever not, the strictest policy is sent instead.
fn header_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}
