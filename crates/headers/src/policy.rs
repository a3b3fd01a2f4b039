//! What is done to an answer's headers: decided once, when configured; applied without a choice
//! left but what the answer already has.

#[cfg(test)]
mod tests;

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY,
        STRICT_TRANSPORT_SECURITY,
    },
};

use crate::{
    csp::{CompiledCsp, Csp},
    secure::SecureWhen,
};

/// What happens to a header that the answer already has.
///
/// ```
/// use buttress_headers::{Mode, SecurityHeadersLayer};
///
/// let layer = SecurityHeadersLayer::api().mode(Mode::Override);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// It stays, with all its lines: the handler, or a layer on a sub-route, knows better.
    #[default]
    IfAbsent,
    /// The layer's takes its place. `Cache-Control` stays even so.
    Override,
}

/// A configuration, and what follows from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// All but the two policies.
    pub(crate) fixed: HeaderMap,
    pub(crate) csp: Option<Csp>,
    pub(crate) csp_report_only: Option<Csp>,
    pub(crate) remove: HeaderMap<()>,
    pub(crate) mode: Mode,
    pub(crate) secure_when: SecureWhen,
    /// What follows, for answers over https and for all others.
    secure: Ready,
    plain: Ready,
}

/// The headers of one kind of answer.
#[derive(Clone, Debug, Default)]
struct Ready {
    /// When nobody asked for a nonce.
    headers: HeaderMap,
    /// Those of them that depend on it.
    with_nonce: Vec<(HeaderName, CompiledCsp)>,
}

/// In the extensions of a 304 that leaves the stored page its policy. An outer layer's would take
/// that policy's place all the same, so the outer one leaves it out too.
#[derive(Clone, Copy, Debug)]
struct StoredPolicyStays;

/// What others may add to an answer of ours before its index has to grow.
const ROOM: usize = 12;

impl Policy {
    /// Takes a header out of the configuration.
    pub(crate) fn unset(&mut self, name: &HeaderName) {
        self.fixed.remove(name);
        if *name == CONTENT_SECURITY_POLICY {
            self.csp = None;
        }
        if *name == CONTENT_SECURITY_POLICY_REPORT_ONLY {
            self.csp_report_only = None;
        }
    }

    pub(crate) fn compile(&mut self) {
        self.secure = self.ready_headers(true);
        self.plain = self.ready_headers(false);
    }

    fn ready_headers(&self, secure: bool) -> Ready {
        let policies = [
            (CONTENT_SECURITY_POLICY, &self.csp),
            (CONTENT_SECURITY_POLICY_REPORT_ONLY, &self.csp_report_only),
        ];
        let mut ready = Ready {
            headers: HeaderMap::with_capacity(self.fixed.len() + policies.len() + ROOM),
            with_nonce: Vec::new(),
        };
        for (name, csp) in policies {
            let Some(csp) = csp.as_ref().and_then(|csp| CompiledCsp::new(csp, secure)) else {
                continue;
            };
            ready.headers.insert(name.clone(), csp.without_nonce.clone());
            if csp.uses_nonce() {
                ready.with_nonce.push((name, csp));
            }
        }
        ready.headers.extend(self.fixed.clone());
        if !secure {
            ready.headers.remove(STRICT_TRANSPORT_SECURITY);
        }
        ready
    }

    pub(crate) const fn uses_nonce(&self) -> bool {
        !self.secure.with_nonce.is_empty()
    }

    /// What an answer over https gets when it has no header of its own and no nonce.
    pub(crate) const fn ready(&self) -> &HeaderMap {
        &self.secure.headers
    }

    /// Removes what must not go out, then adds what must.
    pub(crate) fn apply<B>(&self, response: &mut Response<B>, secure: bool, nonce: Option<&str>) {
        strip(response.headers_mut(), &self.remove);
        let ready = if secure { &self.secure } else { &self.plain };
        if ready.headers.is_empty() && nonce.is_none() {
            return;
        }
        let mut ours = ready.headers.clone();
        if response.status() == StatusCode::NOT_MODIFIED {
            if self.leaves_stored_policy(response) {
                ours.remove(CONTENT_SECURITY_POLICY);
                ours.remove(CONTENT_SECURITY_POLICY_REPORT_ONLY);
            }
        } else if let Some(nonce) = nonce {
            for (name, csp) in &ready.with_nonce {
                ours.insert(name.clone(), csp.with_nonce(nonce));
            }
            // Whichever policy the nonce is for: one that a cache sends again protects nobody.
            ours.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if response.headers().is_empty() {
            *response.headers_mut() = ours;
        } else {
            self.mode.merge(response.headers_mut(), ours);
        }
    }

    /// A 304 updates the headers of the stored answer (RFC 9111 §4.3.4): a new policy would not
    /// have the nonce that the stored page's scripts carry.
    fn leaves_stored_policy<B>(&self, not_modified: &mut Response<B>) -> bool {
        if self.uses_nonce() {
            not_modified.extensions_mut().insert(StoredPolicyStays);
        }
        not_modified.extensions().get::<StoredPolicyStays>().is_some()
    }
}

impl Mode {
    /// Adds the answer's headers to `ours`: our map has the room, and the answer's are the fewer.
    fn merge(self, headers: &mut HeaderMap, mut ours: HeaderMap) {
        // Where one map cannot hold them all, the answer's are left as they are.
        if ours.try_reserve(headers.len()).is_err() {
            return;
        }
        // To copy a name that is no standard one may allocate.
        let repeats = headers.len() > headers.keys_len();
        let mut last = None;
        for (name, value) in std::mem::replace(headers, ours) {
            // A line without a name is one more of the last name's.
            if let Some(name) = name {
                let stays =
                    self == Self::IfAbsent || name == CACHE_CONTROL || !headers.contains_key(&name);
                last = (stays && repeats).then(|| name.clone());
                if stays {
                    let _ = headers.try_insert(name, value);
                }
            } else if let Some(name) = &last {
                let _ = headers.try_append(name, value);
            }
        }
    }
}

/// Looks each of the shorter side up in the longer.
fn strip(headers: &mut HeaderMap, remove: &HeaderMap<()>) {
    if headers.keys_len() < remove.keys_len() {
        while let Some(name) = headers.keys().find(|name| remove.contains_key(*name)).cloned() {
            headers.remove(name);
        }
    } else {
        for name in remove.keys() {
            headers.remove(name);
        }
    }
}
