use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::{
    context::{self, InContext},
    observe::{self, Observe, Observer},
};
use buttress_headers::SecurityHeaders;
use buttress_health::HealthService;
use buttress_problem::BoxError;
use buttress_request_id::RequestId;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_http::compression;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Stack,
    answer_body::{AnswerBody, Layered},
    drain::{Drained, DrainedBody, DrainedFuture, drained},
    guarded::Guarded,
    keep_status::{KeepStatus, KeepStatusFuture},
    observers::Observers,
    preflight::{Preflight, PreflightFuture},
    rebody::{Compressed, Plain, Rebody, RebodyFuture},
    slot::{Slot, SlotFuture, slot},
};
use crate::Compression;

// Innermost first, each line is one slot; below, their futures.
type Gzipped<S> = Rebody<compression::Compression<KeepStatus<S>, Compression>, Compressed>;
type Packed<S> = Slot<Gzipped<S>, Rebody<S, Plain>>;
type Shared<S> = Slot<Preflight<Packed<S>>, Packed<S>>;
type Graded<S> = Slot<SecurityHeaders<Shared<S>>, Shared<S>>;
type Watched<S, O> = Observe<Graded<S>, Observers<O>>;
type Outer<S, O> = Drained<InContext<RequestId<Watched<S, O>>>>;

type Gzipping<F> =
    RebodyFuture<compression::ResponseFuture<KeepStatusFuture<F>, Compression>, Compressed>;
type Packing<F> = SlotFuture<Gzipping<F>, RebodyFuture<F, Plain>>;
type Sharing<F> = SlotFuture<PreflightFuture<Packing<F>>, Packing<F>>;
type Grading<F> = SlotFuture<buttress_headers::ResponseFuture<Sharing<F>>, Sharing<F>>;
type Watching<F, O> = observe::ResponseFuture<Grading<F>, Observers<O>>;
type Outgoing<F, O> =
    DrainedFuture<context::ResponseFuture<buttress_request_id::ResponseFuture<Watching<F, O>>>>;
type Answering<S, ReqBody, B, O> = buttress_health::ResponseFuture<
    Outer<S, O>,
    Request<ReqBody>,
    Outgoing<<S as Service<Request<ReqBody>>>::Future, O>,
    DrainedBody<Layered<B, O>>,
>;

/// The service that [`Stack`] makes: `I` is what leaves the joint, [`Guarded<S>`] where the joint
/// is empty, and `O` what [observes](Stack::observe).
///
/// ```
/// use axum::Router;
/// use buttress::{Guarded, Hardened, Stack};
/// use tower::Layer;
///
/// struct Server {
///     app: Hardened<Guarded<Router>>,
/// }
///
/// let server = Server { app: Stack::new().layer(Router::new()) };
/// # let _ = server.app;
/// ```
pub struct Hardened<I, O = ()> {
    outer: HealthService<Outer<I, O>>,
}

impl<I: Clone, O> Clone for Hardened<I, O> {
    fn clone(&self) -> Self {
        Self { outer: self.outer.clone() }
    }
}

impl<I, O> fmt::Debug for Hardened<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hardened").finish_non_exhaustive()
    }
}

impl<I, O, ReqBody, ResBody> Service<Request<ReqBody>> for Hardened<I, O>
where
    I: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    O: Observer,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<AnswerBody<ResBody, O>>;
    type Error = I::Error;
    type Future = HardenedFuture<I, ReqBody, ResBody, O>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), I::Error>> {
        self.outer.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        HardenedFuture { future: self.outer.call(request) }
    }
}

pin_project! {
    /// The future of [`Hardened`].
    ///
    /// ```
    /// use buttress::{HardenedFuture, Stack};
    /// # use bytes::Bytes;
    /// # use http::{Request, Response};
    /// # use http_body_util::Full;
    /// # use tower::{Layer, Service, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), std::convert::Infallible> {
    /// # let service = service_fn(|_| async {
    /// #     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("hello")))
    /// # });
    /// # let request = Request::new(Full::<Bytes>::default());
    /// let mut service = Stack::new().layer(service);
    /// let future: HardenedFuture<_, _, _> = service.call(request);
    /// assert_eq!(future.await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub struct HardenedFuture<I, ReqBody, ResBody, O = ()>
    where
        I: Service<Request<ReqBody>>,
        ResBody: Body,
        O: Observer,
    {
        #[pin]
        future: Answering<I, ReqBody, ResBody, O>,
    }
}

impl<I, ReqBody, ResBody, O> fmt::Debug for HardenedFuture<I, ReqBody, ResBody, O>
where
    I: Service<Request<ReqBody>>,
    ResBody: Body,
    O: Observer,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HardenedFuture").finish_non_exhaustive()
    }
}

impl<I, ReqBody, ResBody, O> Future for HardenedFuture<I, ReqBody, ResBody, O>
where
    I: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    O: Observer,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<AnswerBody<ResBody, O>>, I::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map_ok(|response| response.map(AnswerBody::new))
    }
}

impl<S, M, O> Layer<S> for Stack<M, O>
where
    M: Layer<Guarded<S>>,
{
    type Service = Hardened<M::Service, O>;

    fn layer(&self, service: S) -> Self::Service {
        let service = self.joint.layer(Guarded::new(self, service));

        let service = match &self.compression {
            Some((_, layer)) => Slot::Filled(Rebody::new(layer.layer(KeepStatus(service)))),
            None => Slot::Empty(Rebody::new(service)),
        };
        let service = match &self.cors {
            Some((_, layer)) => Slot::Filled(Preflight(layer.layer(service))),
            None => Slot::Empty(service),
        };
        let service = slot(self.headers.as_ref(), service);
        let service = self.observe.layer(service);
        let service = self.request_id.layer(service);
        let service = drained(self.drain.as_ref(), self.context.layer(service));
        let outer = match &self.health {
            Some(layer) => layer.layer(service),
            None => HealthService::pass_through(service),
        };
        Hardened { outer }
    }
}
