use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::body::ResponseBody;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    Stack,
    body_limit::{BodyLimit, BodyLimitFuture},
    csrf::{CsrfCheck, CsrfFuture},
    request_body::RequestBody,
    timeout::{Timeout, TimeoutFuture},
};

type Inner<S> = CsrfCheck<Timeout<BodyLimit<S>>>;
type InnerFuture<F> = CsrfFuture<TimeoutFuture<BodyLimitFuture<F>>>;

/// A service in what refuses requests: the slots below the joint of a [`Stack`].
///
/// A layer in the joint is put around this, so one of any kind is an `M: Layer<Guarded<S>>`:
///
/// ```
/// use axum::{Router, body::Body, response::Response};
/// use buttress::{Guarded, Stack};
/// use http::Request;
/// use std::convert::Infallible;
/// use tower::{Layer, Service};
///
/// fn harden<M>(router: Router, joint: M) -> Router
/// where
///     M: Layer<Guarded<axum::routing::Route>> + Clone + Send + Sync + 'static,
///     M::Service: Service<Request<Body>, Response = Response, Error = Infallible>
///         + Clone
///         + Send
///         + Sync
///         + 'static,
///     <M::Service as Service<Request<Body>>>::Future: Send,
/// {
///     router.layer(Stack::new().joint(joint))
/// }
/// # let _ = harden::<tower::util::MapResponseLayer<fn(_) -> Response>>;
/// ```
#[derive(Clone)]
pub struct Guarded<S> {
    inner: Inner<S>,
}

impl<S> Guarded<S> {
    pub(super) fn new<M>(stack: &Stack<M>, service: S) -> Self {
        let service = BodyLimit { inner: service, limit: stack.body_limit };
        let service = Timeout { inner: service, limit: stack.timeout };
        let judge = stack.csrf.as_ref().map(|(_, judge)| judge.clone());
        Self { inner: CsrfCheck { inner: service, judge } }
    }
}

impl<S> fmt::Debug for Guarded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Guarded<S>
where
    S: Service<Request<RequestBody<ReqBody>>, Response = Response<ResBody>>,
    ReqBody: Body,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = GuardedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        GuardedFuture { future: self.inner.call(request) }
    }
}

pin_project! {
    /// The future of [`Guarded`].
    ///
    /// ```
    /// use buttress::{Guarded, GuardedFuture, RequestBody};
    /// use http::Request;
    /// use tower::Service;
    ///
    /// /// What a layer in the joint calls.
    /// fn pass<S, B>(inner: &mut Guarded<S>, request: Request<B>) -> GuardedFuture<S::Future>
    /// where
    ///     S: Service<Request<RequestBody<B>>, Response = http::Response<B>>,
    ///     B: http_body::Body,
    /// {
    ///     inner.call(request)
    /// }
    /// # let _ = pass::<axum::Router, axum::body::Body>;
    /// ```
    pub struct GuardedFuture<F> {
        #[pin]
        future: InnerFuture<F>,
    }
}

impl<F> fmt::Debug for GuardedFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedFuture").finish_non_exhaustive()
    }
}

impl<F, B, E> Future for GuardedFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx)
    }
}
