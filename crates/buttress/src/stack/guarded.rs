use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::body::ResponseBody;
use buttress_limit::Limit;
use buttress_problem::{BoxError, ProblemBody, Problems};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Stack,
    body_limit::BodyLimit,
    csrf::{CsrfCheck, CsrfFuture},
    judged::{Judged, judged},
    request_body::RequestBody,
    timeout::Timeout,
};

type Timely<S> = Timeout<BodyLimit<Judged<S>>>;
type Inner<S> = Problems<CsrfCheck<Limit<Timely<S>>>>;
type TimelyBody<B> = ResponseBody<ResponseBody<B>>;
type InnerBody<B> = ResponseBody<TimelyBody<B>>;
type InnerFuture<S, ReqBody, B> = buttress_problem::ResponseFuture<
    CsrfFuture<buttress_limit::ResponseFuture<Timely<S>, ReqBody, TimelyBody<B>>>,
    InnerBody<B>,
>;

/// A service in what refuses requests, and in what catches the failures of both: the slots below
/// the joint of a [`Stack`].
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
    pub(super) fn new<M, O>(stack: &Stack<M, O>, service: S) -> Self {
        let service = judged(stack.sanitize.as_ref(), service);
        let service = BodyLimit { inner: service, limit: stack.body_limit };
        let service = Timeout { inner: service, limit: stack.timeout };
        let service = match &stack.limit {
            Some(limit) => limit.layer(service),
            None => Limit::unlimited(service),
        };
        let judge = stack.csrf.as_ref().map(|(_, judge)| judge.clone());
        Self { inner: stack.problem.layer(CsrfCheck { inner: service, judge }) }
    }
}

impl<S> fmt::Debug for Guarded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Guarded<S>
where
    S: Service<Request<RequestBody<ReqBody>>, Response = Response<ResBody>> + Clone,
    ReqBody: Body<Data = Bytes, Error: Into<BoxError>>,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<GuardedBody<ResBody>>;
    type Error = S::Error;
    type Future = GuardedFuture<S, ReqBody, ResBody>;

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
    /// fn pass<S, B>(inner: &mut Guarded<S>, request: Request<B>) -> GuardedFuture<S, B, B>
    /// where
    ///     S: Service<Request<RequestBody<B>>, Response = http::Response<B>> + Clone,
    ///     B: http_body::Body<Data = bytes::Bytes, Error = axum::Error>,
    /// {
    ///     inner.call(request)
    /// }
    /// # let _ = pass::<axum::Router, axum::body::Body>;
    /// ```
    pub struct GuardedFuture<S, ReqBody, ResBody>
    where
        S: Service<Request<RequestBody<ReqBody>>, Response = Response<ResBody>>,
        S: Clone,
        ReqBody: Body<Data = Bytes>,
        ReqBody::Error: Into<BoxError>,
    {
        #[pin]
        future: InnerFuture<S, ReqBody, ResBody>,
    }
}

impl<S, ReqBody, ResBody> fmt::Debug for GuardedFuture<S, ReqBody, ResBody>
where
    S: Service<Request<RequestBody<ReqBody>>, Response = Response<ResBody>> + Clone,
    ReqBody: Body<Data = Bytes, Error: Into<BoxError>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedFuture").finish_non_exhaustive()
    }
}

impl<S, ReqBody, ResBody> Future for GuardedFuture<S, ReqBody, ResBody>
where
    S: Service<Request<RequestBody<ReqBody>>, Response = Response<ResBody>> + Clone,
    ReqBody: Body<Data = Bytes, Error: Into<BoxError>>,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<GuardedBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.project().future.poll(cx);
        answer.map_ok(|response| response.map(|body| GuardedBody { body }))
    }
}

pin_project! {
    /// The body of what [`Guarded`] answers: the service's `B`, or bytes of a slot's own.
    ///
    /// Its error is a boxed one, since a body may panic too; one of `B`'s own can be found in it by
    /// `downcast`.
    ///
    /// ```
    /// use buttress::{AnswerBody, Guarded, GuardedBody, Hardened, Stack};
    /// use axum::{Router, body::Body};
    /// use http::{Request, Response};
    /// use tower::{Layer, Service};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), std::convert::Infallible> {
    /// let mut app: Hardened<Guarded<Router>> = Stack::new().layer(Router::new());
    /// // What comes out of the empty joint.
    /// let answer: Response<AnswerBody<GuardedBody<Body>>> =
    ///     app.call(Request::new(Body::empty())).await?;
    /// # let _ = answer;
    /// # Ok(())
    /// # }
    /// ```
    pub struct GuardedBody<B> {
        #[pin]
        body: ProblemBody<InnerBody<B>>,
    }
}

/// The empty body, whatever `B` is.
impl<B> Default for GuardedBody<B> {
    fn default() -> Self {
        Self { body: ProblemBody::default() }
    }
}

impl<B> fmt::Debug for GuardedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedBody").finish_non_exhaustive()
    }
}

impl<B> Body for GuardedBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
