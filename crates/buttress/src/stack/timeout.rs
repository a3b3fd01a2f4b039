use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use buttress_core::{
    body::ResponseBody,
    reject::{DefaultResponder, GrpcCode, Protocol, Rejection},
};
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tokio::{
    task::coop::{Unconstrained, unconstrained},
    time::{Sleep, sleep},
};
use tower_service::Service;

/// Gives up on a service that does not answer in time.
///
/// tower-http's `Timeout` has its place here no longer: it polls its timer first, so that an
/// answer which is ready at the deadline is thrown away; it starts a timer for answers that never
/// wait; and its refusal says nothing to a gRPC client.
#[derive(Clone, Debug)]
pub(super) struct Timeout<S> {
    pub(super) inner: S,
    pub(super) limit: Option<Duration>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Timeout<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResponseBody<ResBody>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TimeoutFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let limit = self.limit.map(|limit| (limit, Protocol::of(request.headers())));
        TimeoutFuture { future: self.inner.call(request), limit, timer: None }
    }
}

pin_project! {
    pub(super) struct TimeoutFuture<F> {
        #[pin]
        future: F,
        limit: Option<(Duration, Protocol)>,
        // From the first time that the answer is waited for. A service that has used up the task's
        // budget, as a busy one does in every poll, would keep a timer from ever elapsing that
        // asks for a share of it.
        #[pin]
        timer: Option<Unconstrained<Sleep>>,
    }
}

impl<F, B, E> Future for TimeoutFuture<F>
where
    F: Future<Output = Result<Response<ResponseBody<B>>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        if let Poll::Ready(answer) = this.future.poll(cx) {
            return Poll::Ready(answer);
        }
        let Some((limit, protocol)) = *this.limit else { return Poll::Pending };
        if this.timer.is_none() {
            this.timer.set(Some(unconstrained(sleep(limit))));
        }
        if let Some(timer) = this.timer.as_pin_mut() {
            ready!(timer.poll(cx));
        }
        let no = Rejection::new("timeout", "elapsed", StatusCode::SERVICE_UNAVAILABLE)
            .with_grpc_code(GrpcCode::DeadlineExceeded)
            .with_detail("the service did not answer in time");
        Poll::Ready(Ok(no.respond(&DefaultResponder, protocol)))
    }
}
