//! What is done to an answer's headers: decided once, when configured; applied without a choice
//! left but what the answer already has.

#[cfg(test)]
mod tests;

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY,
        STRICT_TRANSPORT_SECURITY,
    },
};

use crate::{
    csp::{CompiledCsp, Csp},
    endpoint::Endpoints,
    names::REPORTING_ENDPOINTS,
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
    /// It stays: the handler, or a layer on a sub-route, knows better.
    #[default]
    IfAbsent,
    /// The layer's takes its place. `Cache-Control` stays even so.
    Override,
}

/// A configuration, and what follows from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    /// All but the two policies, in the order of their names.
    pub(crate) fixed: Vec<(HeaderName, HeaderValue)>,
    pub(crate) csp: Option<Csp>,
    pub(crate) csp_report_only: Option<Csp>,
    pub(crate) endpoints: Endpoints,
    pub(crate) remove: Vec<HeaderName>,
    pub(crate) mode: Mode,
    pub(crate) secure_when: SecureWhen,
    compiled: Compiled,
}

#[derive(Clone, Debug, Default)]
struct Compiled {
    secure: Ready,
    plain: Ready,
    remove: HeaderMap<()>,
}

/// The headers of one kind of answer.
#[derive(Clone, Debug, Default)]
struct Ready {
    /// When nobody asked for a nonce.
    headers: HeaderMap,
    /// Those of them that depend on it.
    with_nonce: Vec<(HeaderName, CompiledCsp)>,
}

/// What others may add to an answer of ours before its index has to grow.
const ROOM: usize = 12;

impl Policy {
    pub(crate) fn new(csp: Option<Csp>, remove: Vec<HeaderName>) -> Self {
        Self { csp, remove, ..Self::default() }
    }

    /// Sets a header, once.
    pub(crate) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.fixed.retain(|(known, _)| *known != name);
        let at = self.fixed.partition_point(|(known, _)| known.as_str() < name.as_str());
        self.fixed.insert(at, (name, value));
    }

    /// Takes a header out of the configuration.
    pub(crate) fn unset(&mut self, name: &HeaderName) {
        self.fixed.retain(|(known, _)| known != name);
        if *name == CONTENT_SECURITY_POLICY {
            self.csp = None;
        }
        if *name == CONTENT_SECURITY_POLICY_REPORT_ONLY {
            self.csp_report_only = None;
        }
        if *name == REPORTING_ENDPOINTS {
            self.endpoints = Endpoints::default();
        }
    }

    pub(crate) fn compile(&mut self) {
        self.compiled = Compiled {
            secure: self.ready_headers(true),
            plain: self.ready_headers(false),
            remove: self.remove.iter().map(|name| (name.clone(), ())).collect(),
        };
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
        let fixed = self.fixed.iter();
        ready.headers.extend(
            fixed
                .filter(|(name, _)| secure || *name != STRICT_TRANSPORT_SECURITY)
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        ready
    }

    pub(crate) const fn uses_nonce(&self) -> bool {
        !self.compiled.secure.with_nonce.is_empty()
    }

    /// What an answer over https gets when it has no header of its own and no nonce.
    pub(crate) const fn ready(&self) -> &HeaderMap {
        &self.compiled.secure.headers
    }

    /// Removes what must not go out, then adds what must.
    pub(crate) fn apply(
        &self,
        headers: &mut HeaderMap,
        status: StatusCode,
        secure: bool,
        nonce: Option<&str>,
    ) {
        let Compiled { secure: https, plain, remove } = &self.compiled;
        strip(headers, remove);
        let Ready { headers: ready, with_nonce } = if secure { https } else { plain };
        if ready.is_empty() {
            return;
        }
        let mut ours = ready.clone();
        if !with_nonce.is_empty() {
            settle_nonce(&mut ours, with_nonce, status, nonce);
        }
        if headers.is_empty() {
            *headers = ours;
        } else {
            self.mode.merge(headers, ours);
        }
    }
}

/// Puts the nonce into those of `ours` that have one.
fn settle_nonce(
    ours: &mut HeaderMap,
    policies: &[(HeaderName, CompiledCsp)],
    status: StatusCode,
    nonce: Option<&str>,
) {
    if status == StatusCode::NOT_MODIFIED {
        // A 304 updates the headers of the stored answer (RFC 9111 §4.3.4): a new policy would
        // not have the nonce that the stored page's scripts carry.
        for (name, _) in policies {
            ours.remove(name);
        }
    } else if let Some(nonce) = nonce {
        for (name, csp) in policies {
            ours.insert(name.clone(), csp.with_nonce(nonce));
        }
        ours.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
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
