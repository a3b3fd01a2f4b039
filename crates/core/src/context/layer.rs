use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Extensions, Request, Response, Uri};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    InRequest, RequestContext,
    route::{RouteFrom, shared},
};
use crate::client_ip::ClientIp;

/// Makes the request's context, and knows in it who called, and by which route.
///
/// Every layer of the family that needs a context makes one if there is none, so this layer is
/// for those who want the client's address or the route in it, or a context and nothing else.
/// Place it outermost; and once more inside of a router, where only there the route is known.
///
/// ```
/// use buttress_core::{client_ip::{ClientIp, Peer}, context::{self, ContextLayer}};
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let service = ServiceBuilder::new()
///     .layer(ContextLayer::new().client_ip(ClientIp::peer()))
///     .service_fn(|_: Request<()>| async {
///         let caller = context::current().and_then(|request| request.client_ip());
///         Ok::<_, std::convert::Infallible>(Response::new(format!("{caller:?}")))
///     });
///
/// let request = Request::builder().extension(Peer("192.0.2.4".parse()?)).body(())?;
/// let response = service.oneshot(request).await?;
/// assert_eq!(http_body_util::BodyExt::collect(response.into_body()).await?.to_bytes(), "Some(192.0.2.4)");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ContextLayer {
    enabled: bool,
    extension: bool,
    client_ip: Option<ClientIp>,
    route_from: Option<RouteFrom>,
}

impl ContextLayer {
    /// Makes a context in which nothing is known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { enabled: true, extension: false, client_ip: None, route_from: None }
    }

    /// Does nothing, at the price of a branch.
    #[must_use]
    pub const fn disabled() -> Self {
        Self { enabled: false, extension: false, client_ip: None, route_from: None }
    }

    /// Also puts the context among the request's extensions, for an inner layer that calls the
    /// service in another task (`tower::buffer`): layers of ours further in find it there. It
    /// costs three allocations a request, so it is off of itself.
    #[must_use]
    pub const fn extension(mut self, insert: bool) -> Self {
        self.extension = insert;
        self
    }

    /// Puts the client's address into the context, by this rule.
    #[must_use]
    pub fn client_ip(mut self, rule: ClientIp) -> Self {
        self.client_ip = Some(rule);
        self
    }

    /// Puts the route into the context: what this finds in a request, the template that was
    /// matched (`/users/{id}`) and never a path of the caller's choosing, or none where nothing
    /// was.
    ///
    /// Its text is copied once and then kept, on each thread, for the routes that come often.
    ///
    /// ```
    /// use axum::{Router, extract::MatchedPath, routing::get};
    /// use buttress_core::context::ContextLayer;
    ///
    /// // Axum matches before it calls a route, so before what `layer` puts around each of them.
    /// let app: Router = Router::new().route("/users/{id}", get(|| async { "a user" })).layer(
    ///     ContextLayer::new()
    ///         .route_from(|_, extensions| extensions.get::<MatchedPath>().map(MatchedPath::as_str)),
    /// );
    /// # let _ = app;
    /// ```
    #[must_use]
    pub fn route_from<F>(mut self, find: F) -> Self
    where
        F: for<'a> Fn(&'a Uri, &'a Extensions) -> Option<&'a str> + Send + Sync + 'static,
    {
        self.route_from = Some(RouteFrom::new(find));
        self
    }
}

impl Default for ContextLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ContextLayer {
    type Service = InContext<S>;

    fn layer(&self, inner: S) -> InContext<S> {
        InContext { inner, layer: self.clone() }
    }
}

/// The service that [`ContextLayer`] makes.
///
/// ```
/// use axum::Router;
/// use buttress_core::context::{ContextLayer, InContext};
/// use tower::Layer;
///
/// struct Server {
///     app: InContext<Router>,
/// }
///
/// let server = Server { app: ContextLayer::new().layer(Router::new()) };
/// # let _ = server.app;
/// ```
#[derive(Clone, Debug)]
pub struct InContext<S> {
    inner: S,
    layer: ContextLayer,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for InContext<S>
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
        if !self.layer.enabled {
            return ResponseFuture { future: InRequest::new(None, self.inner.call(request)) };
        }
        let (context, own) = RequestContext::join(request.extensions());
        if let Some(ip) = self.layer.client_ip.as_ref().and_then(|rule| rule.of(&request)) {
            context.set_client_ip(ip);
        }
        if let Some(from) = &self.layer.route_from
            && context.route().is_none()
            && let Some(route) = from.find(request.uri(), request.extensions())
        {
            context.set_route(shared(route));
        }
        if self.layer.extension {
            request.extensions_mut().insert(context);
        }
        ResponseFuture { future: InRequest::call(own, || self.inner.call(request)) }
    }
}

pin_project! {
    /// The future of [`InContext`].
    ///
    /// ```
    /// use buttress_core::context::{ContextLayer, ResponseFuture};
    /// # use http::{Request, Response};
    /// # use tower::{Layer, Service, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), std::convert::Infallible> {
    /// # let service = service_fn(|_: Request<()>| async {
    /// #     Ok::<_, std::convert::Infallible>(Response::new("hello".to_owned()))
    /// # });
    /// let mut service = ContextLayer::new().layer(service);
    /// let future: ResponseFuture<_> = service.call(Request::new(()));
    /// assert_eq!(future.await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        future: InRequest<F>,
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<InRequest<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut future = self.project().future;
        match future.as_mut().poll(cx) {
            Poll::Ready(Ok(response)) => {
                let context = future.take_context();
                Poll::Ready(Ok(response.map(|body| InRequest::new(context, body))))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}
