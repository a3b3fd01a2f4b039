use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{ObserveBody, Observer, ResponseFuture, guard::Guard};
use crate::context::{InRequest, RequestContext};

/// Puts an [`Observer`] around a service.
///
/// ```
/// use buttress_core::observe::ObserveLayer;
/// # use buttress_core::{context::RequestContext, observe::{Observer, Totals}};
/// # use http::{Request, Response};
/// # use tower::{Layer, ServiceExt, service_fn};
///
/// # #[derive(Clone, Default)]
/// # struct Count(std::sync::Arc<std::sync::atomic::AtomicU64>);
/// # impl Observer for Count {
/// #     type Exchange = ();
/// #     fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {}
/// #     fn on_end(&self, (): (), _: &Totals, _: &RequestContext) {
/// #         self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
/// #     }
/// # }
/// # let (log, metrics, with_metrics) = (Count::default(), Count::default(), true);
/// # let counts = (log.clone(), metrics.clone());
/// // Any number of observers; `None` is one that looks away.
/// let layer = ObserveLayer::new((log, with_metrics.then_some(metrics)));
/// # let service = layer.layer(service_fn(|_: Request<()>| async {
/// #     Ok::<_, std::convert::Infallible>(Response::new(String::new()))
/// # }));
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// #     service.oneshot(Request::new(())).await.unwrap();
/// # });
/// # let counted = |count: &Count| count.0.load(std::sync::atomic::Ordering::Relaxed);
/// # assert_eq!((counted(&counts.0), counted(&counts.1)), (1, 1));
/// ```
pub struct ObserveLayer<O> {
    observer: Option<Arc<O>>,
    outbound: bool,
}

impl<O> ObserveLayer<O> {
    /// Tells `observer` of each exchange.
    #[must_use]
    pub fn new(observer: O) -> Self {
        Self { observer: Some(Arc::new(observer)), outbound: false }
    }

    /// Observes calls that a client makes, instead of requests that are served. The context is that
    /// of the request on whose behalf a call is made: observers are shown it, and when that request
    /// came in stays what it was. Outside of any request none is made: observers are shown an empty
    /// one.
    ///
    /// ```
    /// use buttress_core::{context, observe::ObserveLayer};
    /// # use http::{Request, Response};
    /// # use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # let observer = ();
    /// let client = ObserveLayer::new(observer).outbound().layer(service_fn(|_: Request<()>| async {
    ///     assert!(context::current().is_none(), "nothing is being served");
    ///     Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    /// }));
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// #     client.oneshot(Request::new(())).await.unwrap();
    /// # });
    /// ```
    #[must_use]
    pub fn outbound(mut self) -> Self {
        self.outbound = true;
        self
    }

    /// Observes nothing, and makes no context: the service as it is, at the price of a branch.
    #[must_use]
    pub const fn disabled() -> Self {
        Self { observer: None, outbound: false }
    }
}

impl<O> Clone for ObserveLayer<O> {
    fn clone(&self) -> Self {
        Self { observer: self.observer.clone(), outbound: self.outbound }
    }
}

impl<O: fmt::Debug> fmt::Debug for ObserveLayer<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserveLayer")
            .field("observer", &self.observer)
            .field("outbound", &self.outbound)
            .finish()
    }
}

impl<S, O> Layer<S> for ObserveLayer<O> {
    type Service = Observe<S, O>;

    fn layer(&self, inner: S) -> Observe<S, O> {
        Observe { inner, layer: self.clone() }
    }
}

/// The service that [`ObserveLayer`] makes.
///
/// ```
/// use axum::Router;
/// use buttress_core::observe::{Observe, ObserveLayer};
/// use tower::Layer;
///
/// struct Server<O> {
///     app: Observe<Router, O>,
/// }
///
/// # let observer = ();
/// let server = Server { app: ObserveLayer::new(observer).layer(Router::new()) };
/// # let _ = server.app;
/// ```
pub struct Observe<S, O> {
    inner: S,
    layer: ObserveLayer<O>,
}

impl<S: Clone, O> Clone for Observe<S, O> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S: fmt::Debug, O: fmt::Debug> fmt::Debug for Observe<S, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observe").field("inner", &self.inner).field("layer", &self.layer).finish()
    }
}

impl<S, O, ReqBody, ResBody> Service<Request<ReqBody>> for Observe<S, O>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    O: Observer,
    ResBody: Body,
{
    type Response = Response<ObserveBody<ResBody, O>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, O>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some(observer) = &self.layer.observer else {
            let future = InRequest::new(None, self.inner.call(request));
            return ResponseFuture::new(Guard::empty(), future);
        };
        if self.layer.outbound {
            let mut guard = Guard::begin_outbound(Arc::clone(observer), &request);
            let future = InRequest::new(None, guard.run(|| self.inner.call(request)));
            return ResponseFuture::new(guard, future);
        }
        let (context, own) = RequestContext::join(request.extensions());
        let mut guard = Guard::empty();
        let future = InRequest::call(own, || {
            // Before the inner service sees the request: if `call` panics, the guard tells of it.
            guard = Guard::begin(Arc::clone(observer), &request, context);
            guard.run(|| self.inner.call(request))
        });
        ResponseFuture::new(guard, future)
    }
}
