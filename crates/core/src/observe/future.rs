use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::{ObserveBody, Observer, Outcome, guard::Guard};
use crate::context::InRequest;

pin_project! {
    /// The future of [`Observe`](super::Observe).
    pub struct ResponseFuture<F, O>
    where
        O: Observer,
    {
        // Before the future, so that a drop is told of before what it waits for is dropped.
        guard: Option<Guard<O>>,
        #[pin]
        future: InRequest<F>,
    }
}

impl<F, O: Observer> ResponseFuture<F, O> {
    pub(super) const fn new(guard: Option<Guard<O>>, future: InRequest<F>) -> Self {
        Self { guard, future }
    }
}

impl<F, O: Observer> fmt::Debug for ResponseFuture<F, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<F, O, B, E> Future for ResponseFuture<F, O>
where
    F: Future<Output = Result<Response<B>, E>>,
    O: Observer,
    B: Body,
{
    type Output = Result<Response<ObserveBody<B, O>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let result = ready!(this.future.as_mut().poll(cx));
        let mut guard = this.guard.take();
        Poll::Ready(match result {
            Ok(response) => {
                if let Some(guard) = &mut guard {
                    guard.head(&response);
                }
                let context = this.future.take_context();
                Ok(response.map(|body| ObserveBody::new(guard, InRequest::new(context, body))))
            }
            Err(error) => {
                if let Some(guard) = &mut guard {
                    guard.end(Outcome::ServiceError);
                }
                Err(error)
            }
        })
    }
}
