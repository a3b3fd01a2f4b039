use std::{
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::context::{InRequest, RequestContext};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower_service::Service;

use crate::{ResponseFuture, accept::Inbound, layer::Shared};

/// The service that [`RequestIdLayer`](crate::RequestIdLayer) makes.
///
/// ```
/// use axum::Router;
/// use buttress_request_id::{RequestId, RequestIdLayer};
/// use tower::Layer;
///
/// struct Server {
///     app: RequestId<Router>,
/// }
///
/// let server = Server { app: RequestIdLayer::new().layer(Router::new()) };
/// # let _ = server.app;
/// ```
#[derive(Clone, Debug)]
pub struct RequestId<S> {
    inner: S,
    shared: Option<Arc<Shared>>,
}

impl<S> RequestId<S> {
    pub(crate) const fn new(inner: S, shared: Option<Arc<Shared>>) -> Self {
        Self { inner, shared }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequestId<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<InRequest<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let Some(shared) = &self.shared else {
            return ResponseFuture::new(InRequest::new(None, self.inner.call(request)), None);
        };
        let (context, own) = RequestContext::join(request.extensions());
        shared.identify(&context, &mut request);
        let future = InRequest::call(own, || self.inner.call(request));
        ResponseFuture::new(future, shared.echo.then(|| (Arc::clone(shared), context)))
    }
}

impl Shared {
    /// Finds or makes the request's id, puts it into its header, and leaves no refused one in the
    /// others.
    fn identify<B>(&self, context: &RequestContext, request: &mut Request<B>) {
        let trusted = self.accept.trusts(request.extensions());
        let headers = request.headers_mut();
        match Inbound::read(headers, &self.header, trusted) {
            Inbound::Accepted(id) if context.set_request_id(id.clone()) => {}
            first => {
                if context.request_id().is_none() {
                    context.set_request_id(self.second_choice(headers, trusted));
                }
                // One id to a request: what a layer of ours further out has settled stays, and so
                // does what another branch of the request's code has set meanwhile.
                let Some(id) = context.request_id() else { return };
                if first.refused_beside(id) {
                    first.log_refusal(&self.header, context);
                }
                put(headers, &self.header, id.clone());
            }
        }
        for name in &self.also_read {
            let other = Inbound::read(headers, name, trusted);
            if context.request_id().is_some_and(|id| other.refused_beside(id)) {
                other.log_refusal(name, context);
                headers.remove(name);
            }
        }
    }

    fn second_choice(&self, headers: &HeaderMap, trusted: bool) -> HeaderValue {
        self.also_read
            .iter()
            .find_map(|name| Inbound::read(headers, name, trusted).accepted())
            .cloned()
            .unwrap_or_else(|| self.generator.generate())
    }

    pub(crate) fn echo<B>(&self, context: &RequestContext, response: &mut Response<B>) {
        let Some(id) = context.request_id() else { return };
        let headers = response.headers_mut();
        put(headers, &self.header, id.clone());
        for name in &self.also_echo {
            put(headers, name, id.clone());
        }
    }
}

/// Leaves this value as the header's only one; none, where the map can take no more.
fn put(headers: &mut HeaderMap, name: &HeaderName, id: HeaderValue) {
    if headers.try_insert(name, id).is_err() {
        headers.remove(name);
    }
}
