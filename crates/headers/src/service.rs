//! The service: what is needed of the request is taken before it goes in.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use crate::{future::ResponseFuture, nonce::CspNonce, policy::Policy};

/// Puts security headers on the answers of `S`; made by a
/// [`SecurityHeadersLayer`](crate::SecurityHeadersLayer).
///
/// ```
/// use buttress_headers::{SecurityHeaders, SecurityHeadersLayer};
/// use tower::Layer;
///
/// struct Server {
///     app: SecurityHeaders<axum::Router>,
/// }
///
/// let server = Server { app: SecurityHeadersLayer::api().layer(axum::Router::new()) };
/// ```
#[derive(Clone, Debug)]
pub struct SecurityHeaders<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S> SecurityHeaders<S> {
    pub(crate) const fn new(inner: S, policy: Arc<Policy>) -> Self {
        Self { inner, policy }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for SecurityHeaders<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let secure = self.policy.secure_when.is_secure(&request);
        let nonce = self.policy.uses_nonce().then(|| {
            // An outer layer's nonce is this request's nonce.
            request.extensions_mut().get_or_insert_with(CspNonce::new).clone()
        });
        ResponseFuture::new(self.inner.call(request), Arc::clone(&self.policy), secure, nonce)
    }
}
