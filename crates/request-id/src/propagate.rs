//! The client's side: the id goes out with each call that a request makes.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderName, Request};
use tower_layer::Layer;
use tower_service::Service;

use crate::Carrier;

/// Sends the current request's id and trace along with each outbound call.
///
/// `x-request-id`, `traceparent` and `tracestate` are set where the call does not have them; see
/// [`Carrier::inject`]. Outside of a request nothing is set, and the answer is never touched.
///
/// Place it around the client so that it is called by the request's own code: outside of `Buffer`
/// and of whatever else moves the call to another task, and outside of retries, which then all
/// carry the same id. Only on calls to services that should know the id.
///
/// ```
/// use buttress_core::context::RequestContext;
/// use buttress_request_id::PropagateLayer;
/// use http::{HeaderValue, Request, Response};
/// use tower::{Layer, Service, service_fn};
///
/// let mut client = PropagateLayer::new().layer(service_fn(|call: Request<()>| {
///     assert_eq!(call.headers()["x-request-id"], "01890a5d");
///     async { Ok::<_, std::convert::Infallible>(Response::new(())) }
/// }));
///
/// let request = RequestContext::new();
/// request.set_request_id(HeaderValue::from_static("01890a5d"));
/// request.scope(|| client.call(Request::new(())));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct PropagateLayer {
    carrier: Carrier,
}

/// The service that [`PropagateLayer`] makes.
///
/// ```
/// use buttress_request_id::{Propagate, PropagateLayer};
/// use tower::Layer;
///
/// struct Billing<C> {
///     client: Propagate<C>,
/// }
///
/// # let http_client = ();
/// let billing = Billing { client: PropagateLayer::new().layer(http_client) };
/// # let _ = billing.client;
/// ```
#[derive(Clone, Debug)]
pub struct Propagate<S> {
    inner: S,
    // Shared: a client is cloned for each call.
    carrier: Arc<Carrier>,
}

impl PropagateLayer {
    /// Sends the id as [`X_REQUEST_ID`](crate::X_REQUEST_ID).
    pub const fn new() -> Self {
        Self { carrier: Carrier::new() }
    }

    /// The header that the id is sent in. Default [`X_REQUEST_ID`](crate::X_REQUEST_ID).
    pub fn header(self, name: HeaderName) -> Self {
        Self { carrier: self.carrier.header(name) }
    }

    /// Headers that the id is sent in besides the first one.
    pub fn also_send(self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        Self { carrier: self.carrier.also_send(names) }
    }
}

impl<S> Layer<S> for PropagateLayer {
    type Service = Propagate<S>;

    fn layer(&self, inner: S) -> Propagate<S> {
        Propagate { inner, carrier: Arc::new(self.carrier.clone()) }
    }
}

impl<S, B> Service<Request<B>> for Propagate<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        self.carrier.inject(request.headers_mut());
        self.inner.call(request)
    }
}
