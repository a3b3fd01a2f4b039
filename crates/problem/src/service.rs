use std::task::{Context, Poll};

use buttress_core::context::{InRequest, RequestContext};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    BoxError, ProblemBody, ResponseFuture, future::Work, judge::Caller, layer::Settings,
    panic::catch,
};

/// The service that [`ProblemLayer`](crate::ProblemLayer) makes.
#[derive(Clone, Debug)]
pub struct Problems<S> {
    inner: S,
    settings: Option<Settings>,
}

impl<S> Problems<S> {
    pub(crate) const fn new(inner: S, settings: Option<Settings>) -> Self {
        Self { inner, settings }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Problems<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Response = Response<ProblemBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some(settings) = self.settings else {
            let work = Work::unguarded(self.inner.call(request));
            return ResponseFuture::new(InRequest::new(None, work));
        };
        let caller = Caller::of(&request);
        let (_, own) = RequestContext::join(request.extensions());
        ResponseFuture::new(InRequest::call(own, || {
            match catch(settings, || self.inner.call(request)) {
                Ok(future) => Work::guarded(settings, caller, future),
                Err(panic) => Work::panicked(settings, caller, panic),
            }
        }))
    }
}
