//! The answer: the inner's, or a refusal, now or later.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use buttress_core::body::ResponseBody;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::shared::{Pass, Shared, Verdict};

/// A verdict that takes time. Boxed: who waits can afford it, and nobody else pays for the room.
pub(crate) type Later = Pin<Box<dyn Future<Output = Verdict> + Send>>;

pin_project! {
    /// The future of [`Limit`](crate::Limit). Dropped before its answer, the request stays
    /// charged.
    pub struct ResponseFuture<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, ReqBody, ResBody>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Inner {
            #[pin]
            future: S::Future,
            pass: Pass,
        },
        Parked {
            parked: Box<Parked<S, ReqBody>>,
        },
        Refused {
            response: Option<Response<ResponseBody<ResBody>>>,
        },
    }
}

/// A request that waits for its verdict, and then for an inner service to be ready.
struct Parked<S, ReqBody> {
    step: Step,
    inner: S,
    request: Option<Request<ReqBody>>,
    shared: Arc<Shared>,
}

enum Step {
    Deciding(Later),
    Admitted(Pass),
}

impl<S, ReqBody, ResBody> ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(crate) const fn inner(future: S::Future, pass: Pass) -> Self {
        Self { state: State::Inner { future, pass } }
    }

    pub(crate) const fn refused(response: Response<ResponseBody<ResBody>>) -> Self {
        Self { state: State::Refused { response: Some(response) } }
    }

    pub(crate) fn later(
        later: Later,
        inner: S,
        request: Request<ReqBody>,
        shared: Arc<Shared>,
    ) -> Self {
        let parked = Parked { step: Step::Deciding(later), inner, request: Some(request), shared };
        Self { state: State::Parked { parked: Box::new(parked) } }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Inner { future, pass } => {
                    let mut response = ready!(future.poll(cx))?;
                    pass.finish(&mut response);
                    return Poll::Ready(Ok(response.map(ResponseBody::inner)));
                }
                StateProj::Refused { response } => match response.take() {
                    Some(response) => return Poll::Ready(Ok(response)),
                    None => return Poll::Pending,
                },
                StateProj::Parked { parked } => ready!(parked.poll(cx))?,
            };
            state.set(next);
        }
    }
}

impl<S, ReqBody> Parked<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn poll<ResBody>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<State<S, ReqBody, ResBody>, S::Error>> {
        if let Step::Deciding(later) = &mut self.step {
            match ready!(later.as_mut().poll(cx)) {
                Ok(pass) => {
                    #[cfg(feature = "redis")]
                    pass.note(self.request.as_mut());
                    self.step = Step::Admitted(pass);
                }
                Err(refusal) => {
                    let request = self.request.take();
                    let response = request.map(|request| self.shared.answer(*refusal, request));
                    return Poll::Ready(Ok(State::Refused { response }));
                }
            }
        }
        ready!(self.inner.poll_ready(cx))?;
        let Step::Admitted(pass) = &mut self.step else { return Poll::Pending };
        let Some(request) = self.request.take() else { return Poll::Pending };
        let pass = std::mem::take(pass);
        Poll::Ready(Ok(State::Inner { future: self.inner.call(request), pass }))
    }
}

impl<S, ReqBody, ResBody> fmt::Debug for ResponseFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Inner { .. } => "admitted",
            State::Parked { .. } => "waiting",
            State::Refused { .. } => "refused",
        };
        f.debug_struct("ResponseFuture").field("state", &state).finish_non_exhaustive()
    }
}
