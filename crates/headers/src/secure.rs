//! When an answer counts as sent over https.

use std::{fmt, sync::Arc};

use http::{Extensions, HeaderMap, Request, Uri, uri::Scheme};

/// When `Strict-Transport-Security` and `upgrade-insecure-requests` are sent.
///
/// The default is [`always`](Self::always): a service behind a proxy that ends TLS sees plain http
/// while the browser sees https, and where the browser too sees plain http it ignores
/// `Strict-Transport-Security` (RFC 6797 §8.1). A server that ends TLS itself and also answers on
/// plain http must not send it there (§7.2): it knows which is which, and says so by
/// [`by`](Self::by).
///
/// ```
/// use buttress_headers::{SecureWhen, SecurityHeadersLayer};
///
/// // The TLS acceptor leaves a note in the extensions of each of its requests.
/// #[derive(Clone)]
/// struct Tls;
///
/// let layer = SecurityHeadersLayer::web()
///     .secure_when(SecureWhen::by(|_uri, _headers, extensions| extensions.get::<Tls>().is_some()));
/// ```
#[derive(Clone)]
pub struct SecureWhen(Kind);

#[derive(Clone)]
enum Kind {
    Always,
    SchemeHttps,
    By(Arc<Judge>),
}

type Judge = dyn Fn(&Uri, &HeaderMap, &Extensions) -> bool + Send + Sync;

impl SecureWhen {
    /// On every answer.
    #[must_use]
    pub const fn always() -> Self {
        Self(Kind::Always)
    }

    /// Where the request's URI says https. HTTP/2 requests say so; those of HTTP/1.1 have no scheme
    /// unless something outside this layer puts it there.
    #[must_use]
    pub const fn scheme_https() -> Self {
        Self(Kind::SchemeHttps)
    }

    /// Where `judge` says so, of the request's URI, headers and extensions. It runs on every
    /// request. Believe a header such as `X-Forwarded-Proto` only from a proxy that you trust.
    #[must_use]
    pub fn by(
        judge: impl Fn(&Uri, &HeaderMap, &Extensions) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(Kind::By(Arc::new(judge)))
    }

    pub(crate) fn is_secure<B>(&self, request: &Request<B>) -> bool {
        match &self.0 {
            Kind::Always => true,
            Kind::SchemeHttps => request.uri().scheme() == Some(&Scheme::HTTPS),
            Kind::By(judge) => judge(request.uri(), request.headers(), request.extensions()),
        }
    }
}

impl Default for SecureWhen {
    fn default() -> Self {
        Self::always()
    }
}

impl fmt::Debug for SecureWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Always => "always",
            Kind::SchemeHttps => "scheme_https",
            Kind::By(_) => "by(<fn>)",
        })
    }
}
