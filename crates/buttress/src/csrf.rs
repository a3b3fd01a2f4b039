//! CSRF protection, configured.

use std::fmt;

use http::HeaderValue;
use tower_http::csrf::CsrfLayer;

use crate::{
    Cors,
    origin::{self, OriginError},
    stack::Judge,
};

/// Turns cross-site requests away that a browser sends without its user wanting it.
///
/// The rule is tower-http's [`csrf`](tower_http::csrf): by `Sec-Fetch-Site` and `Origin`, without
/// tokens. GET, HEAD and OPTIONS pass, and so does whatever is no browser.
///
/// Origins that [`Cors`](crate::Cors) lets in by name are trusted here too. Where it lets them in
/// without credentials, that holds for requests without a `Cookie` header alone: a page's fetch
/// without credentials has none, and a form that the page sends in its visitor's name has. A
/// service that knows browsers by something else than cookies (client certificates, `Basic`, the
/// network they are in) names its origins with [`trust`](Self::trust) and leaves them out of CORS.
///
/// Three things that are often met:
/// - A WebSocket's handshake is a GET, and passes. Compare `Origin` in its handler.
/// - On a page with `Referrer-Policy: no-referrer`, a form sends `Origin: null`. It is told by
///   `Sec-Fetch-Site` from another site's; a browser without that header is refused.
/// - A sign-in that comes back as a form (SAML, OIDC with `response_mode=form_post`) is a
///   cross-site POST: `trust(["https://idp.example.com"])`.
///
/// ```
/// use buttress::{Csrf, Stack};
///
/// let stack = Stack::new().csrf(Csrf::new().trust(["https://admin.example.com"])?);
/// # let _ = stack;
/// # Ok::<(), buttress::OriginError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Csrf {
    trusted: Vec<HeaderValue>,
}

impl Csrf {
    /// Trusts the service's own origin alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these origins as well, cookies or not.
    ///
    /// # Errors
    ///
    /// As [`Cors::allow`](crate::Cors::allow).
    pub fn trust<I>(mut self, origins: I) -> Result<Self, OriginError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.trusted.extend(origin::parse_all(origins)?);
        Ok(self)
    }

    pub(crate) fn judge(&self, cors: Option<&Cors>) -> Judge {
        let own = CsrfLayer::new();
        let own = trusting(own, &self.trusted);
        match cors {
            Some(cors) if cors.has_credentials() => Judge::new(trusting(own, cors.origins()), None),
            Some(cors) if !cors.origins().is_empty() => {
                Judge::new(own.clone(), Some(trusting(own, cors.origins())))
            }
            _ => Judge::new(own, None),
        }
    }
}

fn trusting(layer: CsrfLayer, origins: &[HeaderValue]) -> CsrfLayer {
    origins.iter().filter_map(|origin| origin.to_str().ok()).fold(layer, |layer, origin| {
        // Each was judged by `origin::parse`, which is the stricter of the two.
        layer.clone().add_trusted_origin(origin).unwrap_or(layer)
    })
}

impl fmt::Display for Csrf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("own origin")?;
        for origin in &self.trusted {
            write!(f, ", {}", origin.to_str().unwrap_or_default())?;
        }
        Ok(())
    }
}
