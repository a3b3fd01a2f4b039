//! Who is counted.

use std::sync::Arc;

use buttress_core::client_ip::ClientIp;
use http::{Extensions, HeaderMap, HeaderName, Method, Request, Uri};

pub use self::part::KeyWriter;
use self::part::{From, Part, Written, write_address};
pub(crate) use self::{
    hash::{Hashed, KeyHasher, Secret},
    rungs::{Keys, MAX_RUNGS, Rungs},
};
use crate::error::ConfigError;

mod hash;
mod part;
mod rungs;

/// What of a request a decision may look at: all but its body.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The extensions, in which layers further out leave what they know.
    pub extensions: &'a Extensions,
}

impl<'a> RequestHead<'a> {
    /// Of this request.
    #[must_use]
    pub fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

/// Who is counted: an address, a user, a route, or several of these together.
///
/// A key is kept as 128 bits that are hashed with a secret of the store's own, and never as it
/// came. The parts of a composite go in with their lengths, so that `ab` and `c` are not `a` and
/// `bc`.
///
/// ```
/// use buttress_limit::{Key, Missing};
/// use buttress_core::client_ip::ClientIp;
/// use http::HeaderName;
///
/// // Each API key for itself; those without one together, by their address.
/// let key = Key::header(HeaderName::from_static("x-api-key"))
///     .missing(Missing::Share)
///     .and(Key::client_ip(ClientIp::peer()));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Key {
    parts: Vec<Part>,
    ipv6: Rungs,
}

/// What to do with a request that does not have what the key is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// Refuse it, with 403.
    #[default]
    Deny,
    /// Count all those together that lack it.
    Share,
    /// Let it pass, and count nothing.
    Allow,
}

/// Whom a request is from.
pub(crate) enum Found {
    Keys(Keys),
    Missing(Missing),
}

impl Key {
    /// The client's address, by this rule. IPv4 inside IPv6 is IPv4, and IPv6 is grouped by /56;
    /// see [`ipv6_prefix`](Self::ipv6_prefix).
    pub fn client_ip(rule: ClientIp) -> Self {
        Self::of(From::ClientIp(rule))
    }

    /// The client's address as a [`ContextLayer`](buttress_core::context::ContextLayer) further
    /// out has found it.
    pub fn client() -> Self {
        Self::of(From::Context)
    }

    /// The address at the other end of the connection; no header is read.
    pub fn peer() -> Self {
        Self::client_ip(ClientIp::peer())
    }

    /// A header's value. What a client may choose at will makes no limit: take one that is proven
    /// further out, or combine it with an address.
    pub fn header(name: HeaderName) -> Self {
        Self::of(From::Header(name))
    }

    /// Who is asking, once that is proven: the principal of the request's context.
    pub fn principal() -> Self {
        Self::of(From::Principal)
    }

    /// The route's template, of the request's context: with another key, to count each route for
    /// itself.
    pub fn route() -> Self {
        Self::of(From::Route)
    }

    /// Nothing: one count for everybody.
    pub fn everyone() -> Self {
        Self::of(From::Nothing)
    }

    /// Whatever a function writes.
    ///
    /// ```
    /// use buttress_limit::Key;
    ///
    /// /// What an authenticating layer leaves.
    /// #[derive(Clone)]
    /// struct Tenant(String);
    ///
    /// let key = Key::from_fn(|head, key| {
    ///     if let Some(tenant) = head.extensions.get::<Tenant>() {
    ///         key.write(&tenant.0);
    ///     }
    /// });
    /// ```
    pub fn from_fn<F>(function: F) -> Self
    where
        F: Fn(&RequestHead<'_>, &mut KeyWriter<'_>) + Send + Sync + 'static,
    {
        Self::of(From::Function(Arc::new(function)))
    }

    fn of(from: From) -> Self {
        Self { parts: vec![Part { from, missing: Missing::Deny }], ipv6: Rungs::DEFAULT }
    }

    /// Both together: each pair is counted for itself. The IPv6 grouping stays this one's, unless
    /// only the other has been given one.
    pub fn and(mut self, other: Self) -> Self {
        if self.ipv6 == Rungs::DEFAULT {
            self.ipv6 = other.ipv6;
        }
        self.parts.extend(other.parts);
        self
    }

    /// What to do with requests that do not have it; the default is to refuse them. Each part of a
    /// composite has its own.
    pub fn missing(mut self, missing: Missing) -> Self {
        for part in &mut self.parts {
            part.missing = missing;
        }
        self
    }

    /// Groups IPv6 clients by this prefix: 32 to 128; the default is 56.
    ///
    /// # Errors
    /// When the prefix is another one.
    pub fn ipv6_prefix(self, prefix: u8) -> Result<Self, ConfigError> {
        self.ipv6_ladder([(prefix, 1)])
    }

    /// Counts IPv6 clients at several prefixes at once, narrowest first, each with how many times
    /// the quota all of it may use: a request must pass at each. So one address cannot take it all
    /// from its neighbours, and who has a large network cannot have a quota for each part of it.
    ///
    /// ```
    /// use buttress_core::client_ip::ClientIp;
    /// use buttress_limit::Key;
    ///
    /// let key = Key::client_ip(ClientIp::peer()).ipv6_ladder([(64, 1), (56, 2), (48, 8)])?;
    ///
    /// let error = Key::peer().ipv6_ladder([(56, 1), (64, 2)]).unwrap_err();
    /// assert_eq!(error.to_string(), "/64 after /56: the rungs of a ladder go from narrow to wide");
    /// # Ok::<(), buttress_limit::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// When it has no rung, or more than three, a prefix that is not 32 to 128, or one that is not
    /// shorter than the one before, or when a rung may use nothing.
    pub fn ipv6_ladder<I>(mut self, rungs: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item = (u8, u32)>,
    {
        self.ipv6 = Rungs::ladder(rungs)?;
        Ok(self)
    }

    pub(crate) const fn rungs(&self) -> &Rungs {
        &self.ipv6
    }

    /// The request's keys.
    #[inline]
    pub(crate) fn find<B>(&self, request: &Request<B>, secret: &Secret) -> Found {
        let [(prefix, _), wider @ ..] = &self.ipv6.rungs;
        // By far the most common, and half the work.
        if let ([Part { from: From::ClientIp(rule), .. }], 1) = (&*self.parts, self.ipv6.len)
            && let client @ Some(_) = rule.of(request)
        {
            let mut hasher = secret.hasher();
            write_address(client, *prefix, &mut hasher);
            return Found::Keys(Keys::one(hasher.finish()));
        }
        let (key, has_ipv6) = match self.hash(request, *prefix, secret) {
            Ok(hashed) => hashed,
            Err(missing) => return Found::Missing(missing),
        };
        let mut keys = Keys::one(key);
        if has_ipv6 && self.ipv6.len > 1 {
            for (prefix, _) in wider.iter().take(self.ipv6.len - 1) {
                if let Ok((key, _)) = self.hash(request, *prefix, secret) {
                    keys.push(key);
                }
            }
        }
        Found::Keys(keys)
    }

    /// The key with this prefix, and whether it makes a difference.
    #[inline]
    fn hash<B>(
        &self,
        request: &Request<B>,
        prefix: u8,
        secret: &Secret,
    ) -> Result<(Hashed, bool), Missing> {
        let mut hasher = secret.hasher();
        let mut has_ipv6 = false;
        for part in &self.parts {
            match part.from.write(request, prefix, &mut hasher) {
                Written::Address(v6) => has_ipv6 |= v6,
                Written::Other => {}
                Written::Missing if part.missing == Missing::Share => hasher.write_absent(),
                Written::Missing => return Err(part.missing),
            }
        }
        Ok((hasher.finish(), has_ipv6))
    }
}
