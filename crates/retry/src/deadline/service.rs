//! The service: find the deadline out, hand it on, and answer when it passes.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::{body::ResponseBody, reject::Protocol};
use http::{Request, Response};
use tower_service::Service;

use super::{Deadline, DeadlineFuture, Entered, layer::Rules};

/// Gives each request of `S` a deadline; made by a [`DeadlineLayer`](super::DeadlineLayer).
#[derive(Clone, Debug)]
pub struct DeadlineService<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S> DeadlineService<S> {
    pub(super) const fn new(inner: S, rules: Arc<Rules>) -> Self {
        Self { inner, rules }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for DeadlineService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = DeadlineFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let Some(deadline) = self.rules.deadline(&request) else {
            let protocol = Protocol::Http;
            return DeadlineFuture::new(None, protocol, self.inner.call(request));
        };
        let protocol = Protocol::of(request.headers());
        if deadline.has_passed() {
            return DeadlineFuture::late(protocol);
        }
        self.rules.forward(&mut request, deadline);
        request.extensions_mut().insert::<Deadline>(deadline);
        let inner = {
            let _entered = Entered::new(Some(deadline));
            self.inner.call(request)
        };
        DeadlineFuture::new(Some(deadline), protocol, inner)
    }
}
