//! What one route says about its own headers.

use std::sync::Arc;

use crate::{layer::SecurityHeadersLayer, policy::Policy};

/// One answer's own security headers, or none: put it into the response's extensions.
///
/// It is obeyed by every [`SecurityHeadersLayer`] that the answer passes on its way out.
///
/// ```
/// use buttress_headers::{HeadersOverride, SecurityHeadersLayer};
/// use http::Response;
/// use std::sync::OnceLock;
///
/// // Made once: a policy is compiled when it is configured.
/// fn embeddable() -> &'static HeadersOverride {
///     static POLICY: OnceLock<HeadersOverride> = OnceLock::new();
///     POLICY.get_or_init(|| {
///         HeadersOverride::with(&SecurityHeadersLayer::web().without(http::header::X_FRAME_OPTIONS))
///     })
/// }
///
/// async fn widget() -> Response<String> {
///     let mut response = Response::new("…".to_owned());
///     response.extensions_mut().insert(embeddable().clone());
///     response
/// }
/// ```
#[derive(Clone, Debug)]
pub struct HeadersOverride {
    /// `None` to leave the answer as it is.
    policy: Option<Arc<Policy>>,
}

impl HeadersOverride {
    /// Leaves the answer as it is: nothing is set, nothing removed.
    #[must_use]
    pub const fn skip() -> Self {
        Self { policy: None }
    }

    /// Uses this layer's policy in the place of the outer one's.
    ///
    /// Two things are settled before a handler runs, so they stay the outer layer's: its
    /// [`secure_when`](SecurityHeadersLayer::secure_when), and whether there is a
    /// [`CspNonce`](crate::CspNonce) to ask for.
    #[must_use]
    pub fn with(layer: &SecurityHeadersLayer) -> Self {
        Self { policy: Some(Arc::clone(layer.policy())) }
    }

    pub(crate) fn policy(&self) -> Option<&Policy> {
        self.policy.as_deref()
    }
}
