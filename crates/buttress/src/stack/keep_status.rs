use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response, StatusCode, header::ACCEPT_ENCODING};
use pin_project_lite::pin_project;
use tower_service::Service;

/// The status that the service gave, where compression may put 406 over it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given(pub(super) StatusCode);

/// Just inside tower-http's compression, which says 406 for a coding that it cannot give, over
/// whatever the service did: a refusal, a failure, or a write that has taken place. RFC 9110
/// §12.5.3 lets a server disregard the header instead.
#[derive(Clone, Debug)]
pub(super) struct KeepStatus<S>(pub(super) S);

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for KeepStatus<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = KeepStatusFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // Only a weight of 0 leads to a 406, and hardly anybody sends one.
        let keep = request
            .headers()
            .get_all(ACCEPT_ENCODING)
            .iter()
            .any(|value| value.as_bytes().windows(3).any(|at| at.eq_ignore_ascii_case(b"q=0")));
        KeepStatusFuture { future: self.0.call(request), keep }
    }
}

pin_project! {
    pub(super) struct KeepStatusFuture<F> {
        #[pin]
        future: F,
        keep: bool,
    }
}

impl<F, B, E> Future for KeepStatusFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut response = ready!(this.future.poll(cx))?;
        if *this.keep {
            let given = Given(response.status());
            response.extensions_mut().insert(given);
        }
        Poll::Ready(Ok(response))
    }
}
