//! The answer, or that there is none in time.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::{
    body::ResponseBody,
    reject::{DefaultResponder, Protocol, Rejection},
};
use http::{Response, StatusCode};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};

use super::{Deadline, Entered};

pin_project! {
    /// A future that runs with a current deadline; made by [`Deadline::scope`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct WithDeadline<F> {
        deadline: Option<Deadline>,
        #[pin]
        inner: F,
    }
}

impl<F> WithDeadline<F> {
    pub(super) const fn new(deadline: Option<Deadline>, inner: F) -> Self {
        Self { deadline, inner }
    }
}

impl<F: Future> Future for WithDeadline<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.deadline.is_some().then(|| Entered::new(*this.deadline));
        this.inner.poll(cx)
    }
}

pin_project! {
    /// The future of [`DeadlineService`](super::DeadlineService).
    pub struct DeadlineFuture<F> {
        // None where the request came after its deadline.
        #[pin]
        inner: Option<WithDeadline<F>>,
        protocol: Protocol,
        // Made when the inner service does not answer at once.
        #[pin]
        timer: Option<Sleep>,
    }
}

impl<F> DeadlineFuture<F> {
    pub(super) const fn new(deadline: Option<Deadline>, protocol: Protocol, inner: F) -> Self {
        Self { inner: Some(WithDeadline::new(deadline, inner)), protocol, timer: None }
    }

    pub(super) const fn late(protocol: Protocol) -> Self {
        Self { inner: None, protocol, timer: None }
    }
}

impl<F, B, E> Future for DeadlineFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Ready(Ok(too_late(*this.protocol)));
        };
        let deadline = inner.deadline;
        if let Poll::Ready(answer) = inner.poll(cx) {
            return Poll::Ready(answer.map(|answer| answer.map(ResponseBody::inner)));
        }
        let Some(deadline) = deadline else { return Poll::Pending };
        if this.timer.is_none() {
            this.timer.set(Some(sleep_until(deadline.instant())));
        }
        match this.timer.as_pin_mut().map(|timer| timer.poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Ok(too_late(*this.protocol))),
            Some(Poll::Pending) | None => Poll::Pending,
        }
    }
}

fn too_late<B>(protocol: Protocol) -> Response<ResponseBody<B>> {
    Rejection::new("deadline", "deadline_exceeded", StatusCode::GATEWAY_TIMEOUT)
        .with_detail("there was no answer in time")
        .respond(&DefaultResponder, protocol)
}

impl<F> fmt::Debug for DeadlineFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadlineFuture")
            .field("deadline", &self.inner.as_ref().and_then(|inner| inner.deadline))
            .finish_non_exhaustive()
    }
}
