//! The answer: the inner's, or a refusal.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use buttress_core::body::ResponseBody;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{
    body::BreakerBody,
    class::{self, Class, OutcomeAt},
    permit::Permit,
};

pin_project! {
    /// The future of [`Breaker`](crate::Breaker). Dropped before its answer, it is as a
    /// [`Permit`](crate::Permit) that is dropped.
    pub struct ResponseFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B> {
        Inner {
            // Before the permit: what the call was doing is over when its result is told.
            #[pin]
            future: F,
            permit: Permit,
            is_head: bool,
        },
        Refused {
            response: Option<Response<ResponseBody<BreakerBody<B>>>>,
        },
    }
}

impl<F, B> ResponseFuture<F, B> {
    #[inline]
    pub(crate) const fn inner(future: F, permit: Permit, is_head: bool) -> Self {
        Self { state: State::Inner { future, permit, is_head } }
    }

    pub(crate) const fn refused(response: Response<ResponseBody<BreakerBody<B>>>) -> Self {
        Self { state: State::Refused { response: Some(response) } }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<BreakerBody<B>>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Inner { future, permit, is_head } => {
                let response = match ready!(permit.run(|| future.poll(cx))) {
                    Ok(response) => response,
                    Err(error) => {
                        permit.settle(Class::Failure);
                        return Poll::Ready(Err(error));
                    }
                };
                Poll::Ready(Ok(answered(permit, *is_head, response)))
            }
            StateProj::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => Poll::Pending,
            },
        }
    }
}

/// The head is there: the outcome, or what is to be told at the body's end.
#[inline]
fn answered<B: Body>(
    permit: &mut Permit,
    is_head: bool,
    response: Response<B>,
) -> Response<ResponseBody<BreakerBody<B>>> {
    let Some(core) = permit.core() else {
        return response.map(|body| ResponseBody::inner(BreakerBody::done(body)));
    };
    let settings = &core.settings;
    let mut class = settings.class(response.status(), response.headers());
    if class == Class::Failure && class::is_ours(&response) {
        class = Class::Ignore;
    }
    // A body that nobody asks for has no end (RFC 9110 §6.4.1).
    let ends_here = class != Class::Success
        || settings.outcome_at == OutcomeAt::Head
        || is_head
        || matches!(response.status().as_u16(), 100..=199 | 204 | 304)
        || response.body().is_end_stream();
    if ends_here {
        permit.settle(class);
        return response.map(|body| ResponseBody::inner(BreakerBody::done(body)));
    }
    watched(std::mem::replace(permit, Permit::UNTRACKED), response)
}

#[inline(never)]
fn watched<B>(permit: Permit, response: Response<B>) -> Response<ResponseBody<BreakerBody<B>>> {
    let status = response.status();
    response.map(|body| ResponseBody::inner(BreakerBody::watched(body, permit, status)))
}

impl<F, B> fmt::Debug for ResponseFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Inner { .. } => "admitted",
            State::Refused { .. } => "refused",
        };
        f.debug_struct("ResponseFuture").field("state", &state).finish_non_exhaustive()
    }
}
