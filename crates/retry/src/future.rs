//! The answer: that of the first attempt, or of a later one.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};
use tower_service::Service;

use crate::{
    call::{Call, ErrorOf, ExpiryOf, FutureOf, Outcome, ResponseOf, ResultOf, Run},
    exchange::{Keep, Read},
    pursue::{First, answered, pursue},
    stop::{RetryInfo, StopReason},
    verdict::Verdict,
};

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pin_project! {
    /// The future of [`Retry`](crate::Retry).
    ///
    /// Dropped, it drops the attempt that is under way, and gives back what the budget has paid
    /// for one that was not sent yet.
    pub struct ResponseFuture<S, X, Req>
    where
        X: Keep<Req>,
        X: Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>,
        S: Service<X::Sent>,
    {
        #[pin]
        state: State<S, X, Req>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, X, Req>
    where
        X: Keep<Req>,
        X: Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>,
        S: Service<X::Sent>,
    {
        First {
            #[pin]
            future: FutureOf<X, S, Req>,
            call: Option<Call<X>>,
            again: Result<(S, X::Kept), StopReason>,
            // Made when the first attempt does not answer at once.
            #[pin]
            timer: Option<Sleep>,
            is_timed: bool,
            is_over: bool,
        },
        Later {
            future: Later<ResultOf<X, S, Req>>,
        },
        // Nothing was sent: it came after its deadline.
        Late {
            late: Option<(Call<X>, ExpiryOf<X, S, Req>)>,
        },
        Done,
    }
}

impl<S, X, Req> ResponseFuture<S, X, Req>
where
    X: Keep<Req> + Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>,
    S: Service<X::Sent>,
{
    pub(crate) const fn first(
        future: FutureOf<X, S, Req>,
        call: Call<X>,
        again: Result<(S, X::Kept), StopReason>,
    ) -> Self {
        let call = Some(call);
        let (timer, is_timed, is_over) = (None, false, false);
        Self { state: State::First { future, call, again, timer, is_timed, is_over } }
    }

    pub(crate) const fn late(call: Call<X>, expiry: ExpiryOf<X, S, Req>) -> Self {
        Self { state: State::Late { late: Some((call, expiry)) } }
    }

    pub(crate) fn later(
        future: impl Future<Output = ResultOf<X, S, Req>> + Send + 'static,
    ) -> Self {
        Self { state: State::Later { future: Box::pin(future) } }
    }
}

impl<S, X, Req> Future for ResponseFuture<S, X, Req>
where
    X: Keep<Req, Kept: Send + 'static> + Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>,
    <X as Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>>::Held: Send + 'static,
    <X as Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>>::Expiry: Send + 'static,
    S: Service<X::Sent, Future: Send + 'static, Error: Send + 'static> + Send + 'static,
    Req: 'static,
{
    type Output = ResultOf<X, S, Req>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let later = match state.as_mut().project() {
                StateProj::Later { future } => return future.as_mut().poll(cx),
                StateProj::Late { late } => {
                    let Some((call, expiry)) = late.take() else { return Poll::Pending };
                    let info = RetryInfo::new(0, Duration::ZERO, StopReason::Deadline);
                    return Poll::Ready(call.finish(Outcome::Expired(expiry), info));
                }
                StateProj::Done => return Poll::Pending,
                StateProj::First { future, call, again, mut timer, is_timed, is_over } => {
                    let (Some(known), false) = (call.as_mut(), *is_over) else {
                        return Poll::Pending;
                    };
                    let outcome = match future.poll(cx) {
                        // The usual case: no more of it is moved than the answer.
                        Poll::Ready(Ok(response)) if known.shared.exchange.is_good(&response) => {
                            known.settle();
                            *is_over = true;
                            return Poll::Ready(Ok(X::finish(X::hold(response), None)));
                        }
                        Poll::Ready(result) => answered::<S, X, Req>(result),
                        Poll::Pending => {
                            if !*is_timed {
                                *is_timed = true;
                                timer.set(known.limit().map(sleep_until));
                            }
                            match timer.as_pin_mut().map(|timer| timer.poll(cx)) {
                                None | Some(Poll::Pending) => return Poll::Pending,
                                Some(Poll::Ready(())) => {}
                            }
                            match known.shared.exchange.expiry() {
                                Some(expiry) => Outcome::Expired(expiry),
                                None => return Poll::Pending,
                            }
                        }
                    };
                    let verdict = known.judge(&outcome);
                    let again = std::mem::replace(again, Err(StopReason::Done));
                    let Some(call) = call.take() else { return Poll::Pending };
                    let plain = match (verdict, &again) {
                        (Some(Verdict::Done), _) => Some((true, StopReason::Done)),
                        (Some(Verdict::Failed), _) => Some((false, StopReason::NotRetryable)),
                        // Nobody looks into the answer where nothing follows from it.
                        (None, Err(_)) => Some((true, StopReason::Done)),
                        (Some(Verdict::Rejected), Err(_)) => Some((false, StopReason::Rejected)),
                        (Some(_), Err(stop)) => {
                            call.pot().failed();
                            Some((false, *stop))
                        }
                        (_, Ok(_)) => None,
                    };
                    match (plain, again) {
                        (None, Ok((inner, kept))) => {
                            let run = Run::new(call, inner, kept);
                            pursue::<S, X, Req>(run, First::Ended(outcome, verdict))
                        }
                        (plain, _) => {
                            let (well, stop) = plain.unwrap_or((true, StopReason::Done));
                            call.pot().first_ended(well);
                            let info = RetryInfo::new(1, Duration::ZERO, stop);
                            let result = call.finish(outcome, info);
                            // Its attempt goes before the answer does.
                            state.set(State::Done);
                            return Poll::Ready(result);
                        }
                    }
                }
            };
            state.set(State::Later { future: Box::pin(later) });
        }
    }
}

impl<S, X, Req> fmt::Debug for ResponseFuture<S, X, Req>
where
    X: Keep<Req> + Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>,
    S: Service<X::Sent>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::First { .. } => "first attempt",
            State::Later { .. } => "later attempt",
            State::Late { .. } => "late",
            State::Done => "done",
        };
        f.debug_struct("ResponseFuture").field("state", &state).finish_non_exhaustive()
    }
}
