//! The answer: a probe's, or the inner one's.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use buttress_core::body::ResponseBody;
use http::Response;
use pin_project_lite::pin_project;
use tower_service::Service;

pin_project! {
    /// The future of [`HealthService`](crate::HealthService). It may be dropped at any time.
    pub struct ResponseFuture<S, Q, F, B> {
        #[pin]
        state: State<S, Q, F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, Q, F, B> {
        Answered { response: Option<Response<ResponseBody<B>>> },
        Waiting { call: Option<(S, Q)> },
        Called { #[pin] future: F },
    }
}

impl<S, Q, F, B> ResponseFuture<S, Q, F, B> {
    pub(crate) const fn answered(response: Response<ResponseBody<B>>) -> Self {
        Self { state: State::Answered { response: Some(response) } }
    }

    pub(crate) const fn waiting(service: S, request: Q) -> Self {
        Self { state: State::Waiting { call: Some((service, request)) } }
    }

    pub(crate) const fn called(future: F) -> Self {
        Self { state: State::Called { future } }
    }
}

impl<S, Q, B> Future for ResponseFuture<S, Q, S::Future, B>
where
    S: Service<Q, Response = Response<B>>,
{
    type Output = Result<Response<ResponseBody<B>>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let future = match self.as_mut().project().state.project() {
                StateProj::Called { future } => {
                    let response = ready!(future.poll(cx))?;
                    return Poll::Ready(Ok(response.map(ResponseBody::inner)));
                }
                StateProj::Answered { response } => match response.take() {
                    Some(response) => return Poll::Ready(Ok(response)),
                    None => return Poll::Pending,
                },
                StateProj::Waiting { call } => {
                    let Some((service, _)) = call else { return Poll::Pending };
                    ready!(service.poll_ready(cx))?;
                    let Some((mut ready_inner, request)) = call.take() else {
                        return Poll::Pending;
                    };
                    ready_inner.call(request)
                }
            };
            self.as_mut().project().state.set(State::Called { future });
        }
    }
}

impl<S, Q, F, B> fmt::Debug for ResponseFuture<S, Q, F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Answered { .. } => "answered",
            State::Waiting { .. } => "waiting",
            State::Called { .. } => "called",
        };
        f.debug_struct("ResponseFuture").field("state", &state).finish_non_exhaustive()
    }
}
