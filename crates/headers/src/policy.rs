//! What is done to an answer's headers: decided once, when configured; applied without a choice
//! left but what the answer already has.

#[cfg(test)]
mod tests;

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, Entry,
        STRICT_TRANSPORT_SECURITY,
    },
};

use crate::{csp::CompiledCsp, csp::Csp, endpoint::Endpoints, secure::SecureWhen};

/// What happens to a header that the answer already has.
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
    secure: Pairs,
    plain: Pairs,
    remove: HeaderMap<()>,
}

/// The headers of one kind of answer.
#[derive(Clone, Debug, Default)]
struct Pairs {
    /// What an answer without headers gets, when nobody asked for a nonce.
    ready: HeaderMap,
    /// The same, one by one.
    pairs: Vec<Pair>,
    uses_nonce: bool,
}

#[derive(Clone, Debug)]
struct Pair {
    name: HeaderName,
    /// Without a nonce.
    value: HeaderValue,
    /// Where the value depends on the nonce.
    csp: Option<CompiledCsp>,
}

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
    }

    pub(crate) fn compile(&mut self) {
        self.compiled = Compiled {
            secure: self.pairs(true),
            plain: self.pairs(false),
            remove: self.remove.iter().map(|name| (name.clone(), ())).collect(),
        };
    }

    fn pairs(&self, secure: bool) -> Pairs {
        let policies = [
            (CONTENT_SECURITY_POLICY, &self.csp),
            (CONTENT_SECURITY_POLICY_REPORT_ONLY, &self.csp_report_only),
        ];
        let policies = policies.into_iter().filter_map(|(name, csp)| {
            let csp = CompiledCsp::new(csp.as_ref()?, secure)?;
            let value = csp.without_nonce.clone();
            Some(Pair { name, value, csp: csp.uses_nonce().then_some(csp) })
        });
        let fixed = self
            .fixed
            .iter()
            .filter(|(name, _)| secure || *name != STRICT_TRANSPORT_SECURITY)
            .map(|(name, value)| Pair { name: name.clone(), value: value.clone(), csp: None });
        let pairs: Vec<_> = policies.chain(fixed).collect();
        let mut ready = HeaderMap::with_capacity(pairs.len());
        ready.extend(pairs.iter().map(|pair| (pair.name.clone(), pair.value.clone())));
        Pairs { ready, uses_nonce: pairs.iter().any(|pair| pair.csp.is_some()), pairs }
    }

    pub(crate) const fn uses_nonce(&self) -> bool {
        self.compiled.secure.uses_nonce
    }

    /// What an answer over https gets when it has no header of its own and no nonce.
    pub(crate) const fn ready(&self) -> &HeaderMap {
        &self.compiled.secure.ready
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
        let Pairs { ready, pairs, uses_nonce } = if secure { https } else { plain };
        // A 304 updates the headers of the stored answer (RFC 9111 §4.3.4): a new policy would
        // not have the nonce that the stored page's scripts carry.
        let keeps_policy = *uses_nonce && status == StatusCode::NOT_MODIFIED;
        let nonce = nonce.filter(|_| *uses_nonce && !keeps_policy);

        strip(headers, remove);
        if headers.is_empty() && nonce.is_none() && !keeps_policy {
            headers.clone_from(ready);
            return;
        }
        // Where the map can take no more, it keeps what it has.
        if headers.try_reserve(pairs.len()).is_err() {
            return;
        }
        for Pair { name, value, csp } in pairs {
            if keeps_policy && csp.is_some() {
                continue;
            }
            let value = || match (csp, nonce) {
                (Some(csp), Some(nonce)) => csp.with_nonce(nonce),
                _ => value.clone(),
            };
            match headers.try_entry(name) {
                Ok(Entry::Vacant(entry)) => drop(entry.try_insert(value())),
                Ok(Entry::Occupied(mut entry))
                    if self.mode == Mode::Override && *name != CACHE_CONTROL =>
                {
                    entry.insert(value());
                }
                Ok(Entry::Occupied(_)) | Err(_) => {}
            }
        }
        if nonce.is_some()
            && let Ok(Entry::Vacant(entry)) = headers.try_entry(CACHE_CONTROL)
        {
            drop(entry.try_insert(HeaderValue::from_static("no-store")));
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
