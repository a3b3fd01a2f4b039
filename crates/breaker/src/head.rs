//! What is asked of a request.

use http::{Extensions, HeaderMap, Method, Request, Uri};

/// All of a request but its body.
///
/// ```
/// use buttress_breaker::{BreakerLayer, Policy};
/// use std::borrow::Cow;
///
/// // A circuit for each tenant.
/// let layer = BreakerLayer::new("tenants", Policy::new())?.key(|head| {
///     head.headers.get("x-tenant")?.to_str().ok().map(Cow::Borrowed)
/// });
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// What other layers have left.
    pub extensions: &'a Extensions,
}

impl<'a> RequestHead<'a> {
    pub(crate) fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// The host and port that it goes to, as they are written: of its target, without a user's
    /// name and password, or else its `Host` header.
    #[must_use]
    pub fn authority(&self) -> Option<&'a str> {
        let Some(authority) = self.uri.authority() else {
            return self.headers.get(http::header::HOST)?.to_str().ok();
        };
        let authority = authority.as_str();
        Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
    }
}
