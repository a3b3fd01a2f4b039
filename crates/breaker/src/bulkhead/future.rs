//! The answer: the inner's, now or when it is its turn, or a refusal.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use buttress_core::{body::ResponseBody, reject::Protocol};
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{body::BulkheadBody, seats::Seat, turn::Turn};
use crate::refusal::Reason;

pin_project! {
    /// The future of [`Bulkhead`](crate::Bulkhead). Dropped, it gives its seat or its place back.
    pub struct BulkheadFuture<S, ReqBody, ResBody>
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
            // Before the seat: what the call was doing is over when somebody else is let in.
            #[pin]
            future: S::Future,
            seat: Option<Seat>,
        },
        Waiting {
            parked: Box<Parked<S, ReqBody>>,
        },
        Refused {
            response: Option<Response<ResponseBody<BulkheadBody<ResBody>>>>,
        },
    }
}

/// A call that waits for its seat, and then for an inner service to be ready. Boxed: who waits can
/// afford it, and nobody else pays for the room.
struct Parked<S, ReqBody> {
    turn: Turn,
    inner: S,
    request: Option<Request<ReqBody>>,
    seat: Option<Seat>,
}

impl<S, ReqBody, ResBody> BulkheadFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    #[inline]
    pub(super) const fn inner(future: S::Future, seat: Option<Seat>) -> Self {
        Self { state: State::Inner { future, seat } }
    }

    pub(super) const fn refused(response: Response<ResponseBody<BulkheadBody<ResBody>>>) -> Self {
        Self { state: State::Refused { response: Some(response) } }
    }

    pub(super) fn waiting(turn: Turn, inner: S, request: Request<ReqBody>) -> Self {
        let parked = Parked { turn, inner, request: Some(request), seat: None };
        Self { state: State::Waiting { parked: Box::new(parked) } }
    }
}

impl<S, ReqBody, ResBody> Future for BulkheadFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Output = Result<Response<ResponseBody<BulkheadBody<ResBody>>>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Inner { future, seat } => {
                    return match ready!(future.poll(cx)) {
                        Ok(response) => Poll::Ready(Ok(answered(response, seat))),
                        Err(error) => {
                            *seat = None;
                            Poll::Ready(Err(error))
                        }
                    };
                }
                StateProj::Refused { response } => match response.take() {
                    Some(response) => return Poll::Ready(Ok(response)),
                    None => return Poll::Pending,
                },
                StateProj::Waiting { parked } => ready!(parked.poll(cx))?,
            };
            state.set(next);
        }
    }
}

#[inline]
fn answered<B: Body>(
    response: Response<B>,
    seat: &mut Option<Seat>,
) -> Response<ResponseBody<BulkheadBody<B>>> {
    if let Some(seat) = seat {
        seat.answered();
    }
    // A body that is over is never polled.
    let seat = if response.body().is_end_stream() {
        *seat = None;
        None
    } else {
        seat.take()
    };
    response.map(|body| ResponseBody::inner(BulkheadBody::new(body, seat)))
}

impl<S, ReqBody> Parked<S, ReqBody>
where
    S: Service<Request<ReqBody>>,
{
    fn poll<ResBody>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<State<S, ReqBody, ResBody>, S::Error>> {
        if self.seat.is_none() {
            let seat = ready!(self.turn.poll(cx));
            if seat.is_none() {
                let shared = self.turn.shared();
                shared.seats.refuse();
                let headers = self.request.as_ref().map(Request::headers);
                let protocol = headers.map_or(Protocol::Http, Protocol::of);
                let response = Some(shared.answer(Reason::BulkheadTimeout, protocol));
                return Poll::Ready(Ok(State::Refused { response }));
            }
            self.seat = seat;
        }
        ready!(self.inner.poll_ready(cx))?;
        let Some(request) = self.request.take() else { return Poll::Pending };
        let (future, seat) = (self.inner.call(request), self.seat.take());
        Poll::Ready(Ok(State::Inner { future, seat }))
    }
}

impl<S, ReqBody, ResBody> fmt::Debug for BulkheadFuture<S, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Inner { .. } => "admitted",
            State::Waiting { .. } => "waiting",
            State::Refused { .. } => "refused",
        };
        f.debug_struct("BulkheadFuture").field("state", &state).finish_non_exhaustive()
    }
}
