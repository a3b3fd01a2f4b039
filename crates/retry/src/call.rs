//! One request on its way: what is known of it, and the decision after each attempt.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Context,
    time::Duration,
};

use tokio::time::Instant;
use tower_service::Service;

use crate::{
    backoff::Delays,
    budget::{Pot, Token},
    deadline::Deadline,
    exchange::{Keep, Read},
    shared::Shared,
    stop::{RetryInfo, StopReason},
    verdict::Verdict,
};

/// An eighth of the time that is left may go into reading a failed answer.
const DRAINED_OF_LEFT: u32 = 8;

/// How an attempt has ended.
pub(crate) enum Outcome<H, E, T> {
    Answer(H),
    Error(E),
    /// There was no answer in time.
    Expired(T),
}

pub(crate) type OutcomeOf<X, S, Req> = Outcome<
    <X as Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>>::Held,
    ErrorOf<X, S, Req>,
    ExpiryOf<X, S, Req>,
>;
pub(crate) type ExpiryOf<X, S, Req> =
    <X as Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>>::Expiry;
pub(crate) type ResponseOf<X, S, Req> = <S as Service<<X as Keep<Req>>::Sent>>::Response;
pub(crate) type ErrorOf<X, S, Req> = <S as Service<<X as Keep<Req>>::Sent>>::Error;
pub(crate) type FutureOf<X, S, Req> = <S as Service<<X as Keep<Req>>::Sent>>::Future;
pub(crate) type ResultOf<X, S, Req> =
    Result<<X as Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>>::Response, ErrorOf<X, S, Req>>;

/// What is known of every call. It is small: it is moved with each.
pub(crate) struct Call<X> {
    pub(crate) shared: Arc<Shared<X>>,
    own: Option<Box<Own>>,
    /// For all attempts together; that of the total timeout is found when it is first needed.
    deadline: Option<Deadline>,
    has_begun: bool,
}

/// A budget that is not simply the layer's. Dropped, the request is under way no more.
struct Own {
    pot: Arc<Pot>,
}

impl Own {
    fn enter(pot: Arc<Pot>) -> Box<Self> {
        pot.enter();
        Box::new(Self { pot })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.pot.leave();
    }
}

/// What the next attempt waits for and is paid with.
pub(crate) struct Plan {
    pub(crate) delay: Duration,
    /// How long the failed answer may be read meanwhile.
    pub(crate) drain: Duration,
    pub(crate) token: Token,
}

impl<X> Call<X> {
    #[inline]
    pub(crate) fn new(
        shared: &Arc<Shared<X>>,
        own: Option<Arc<Pot>>,
        deadline: Option<Deadline>,
    ) -> Self {
        let own = own.map(Own::enter);
        Self { shared: Arc::clone(shared), own, deadline, has_begun: false }
    }

    #[inline]
    pub(crate) fn pot(&self) -> &Arc<Pot> {
        match &self.own {
            Some(own) => &own.pot,
            None => self.shared.budgets.common(),
        }
    }

    /// The limit of an attempt that begins now; asked when it has not answered at once, so that no
    /// clock is read for one that does.
    pub(crate) fn limit(&mut self) -> Option<Instant> {
        let own = self.shared.attempt_timeout.map(Deadline::within);
        Deadline::earliest([own, self.deadline()]).map(Deadline::instant)
    }

    /// For all attempts together.
    pub(crate) fn deadline(&mut self) -> Option<Deadline> {
        if !self.has_begun {
            self.has_begun = true;
            let total = self.shared.total_timeout.map(Deadline::within);
            self.deadline = Deadline::earliest([self.deadline, total]);
        }
        self.deadline
    }

    /// The first attempt brought it.
    #[inline]
    pub(crate) fn settle(&mut self) {
        self.pot().first_ended(true);
        self.shared.counts.stop(StopReason::Done);
        self.own = None;
    }

    /// What a request is told of the time that it has, when it is first sent. No clock is read
    /// where only the layer bounds it.
    #[inline]
    pub(crate) fn time_told(&self, left: Option<Duration>) -> Option<Duration> {
        match (left, self.shared.total_timeout) {
            (Some(left), Some(total)) => Some(left.min(total)),
            (left, total) => left.or(total),
        }
    }

    pub(crate) fn finish<Res, E>(
        mut self,
        outcome: Outcome<X::Held, E, X::Expiry>,
        info: RetryInfo,
    ) -> Result<X::Response, E>
    where
        X: Read<Res, E>,
    {
        let noted = self.shared.record(info);
        match outcome {
            Outcome::Answer(answer) => Ok(X::finish(answer, noted)),
            Outcome::Error(error) => Err(error),
            Outcome::Expired(expiry) => {
                let is_late = info.stop() == StopReason::Deadline
                    || self.deadline().is_some_and(Deadline::has_passed);
                let reason = if is_late { "deadline_exceeded" } else { "attempt_timeout" };
                Ok(self.shared.exchange.expired(expiry, reason, info))
            }
        }
    }

    #[inline]
    pub(crate) fn judge<Res, E>(&self, outcome: &Outcome<X::Held, E, X::Expiry>) -> Option<Verdict>
    where
        X: Read<Res, E>,
    {
        match outcome {
            Outcome::Answer(answer) => self.shared.exchange.judge(Ok(answer)),
            Outcome::Error(error) => self.shared.exchange.judge(Err(error)),
            Outcome::Expired(_) => Some(Verdict::Retry),
        }
    }
}

/// A call that may be sent again.
pub(crate) struct Run<S, X, K> {
    pub(crate) call: Call<X>,
    pub(crate) inner: S,
    pub(crate) kept: K,
    pub(crate) attempts: u32,
    pub(crate) slept: Duration,
}

impl<S, X, K> Run<S, X, K> {
    /// Its first attempt was sent.
    pub(crate) const fn new(call: Call<X>, inner: S, kept: K) -> Self {
        Self { call, inner, kept, attempts: 1, slept: Duration::ZERO }
    }

    pub(crate) fn finish<Res, E>(
        self,
        outcome: Outcome<X::Held, E, X::Expiry>,
        stop: StopReason,
    ) -> Result<X::Response, E>
    where
        X: Read<Res, E>,
    {
        self.call.finish(outcome, RetryInfo::new(self.attempts, self.slept, stop))
    }

    /// Whether and when there is another attempt, in the order of the crate's documentation; the
    /// budget comes last, so that nothing is taken from it for a retry that is not sent.
    pub(crate) fn decide<Req, Res, E>(
        &mut self,
        outcome: &Outcome<X::Held, E, X::Expiry>,
        verdict: Verdict,
        delays: &mut Delays,
    ) -> Result<Plan, StopReason>
    where
        X: Keep<Req, Kept = K> + Read<Res, E>,
    {
        let shared = &self.call.shared;
        let exchange = &shared.exchange;
        match verdict {
            Verdict::Done => return Err(StopReason::Done),
            Verdict::Failed => return Err(StopReason::NotRetryable),
            Verdict::Rejected => {}
            Verdict::Retry | Verdict::RetryAfter(_) | Verdict::RetryIn(_) | Verdict::Pushback => {
                self.call.pot().failed();
            }
        }
        if self.attempts >= shared.max_attempts {
            return Err(StopReason::Attempts);
        }
        let is_unsent = matches!(outcome, Outcome::Error(error) if exchange.is_unsent(error));
        if !is_unsent && !exchange.is_repeatable(&self.kept) {
            return Err(StopReason::NotRepeatable);
        }
        if !exchange.is_replayable(&self.kept) {
            return Err(StopReason::Body);
        }
        if verdict == Verdict::Rejected {
            return Err(StopReason::Rejected);
        }
        let delay = delay(verdict, delays)?;
        let left = self.call.deadline().map(Deadline::left);
        if left.is_some_and(|left| left <= delay) {
            return Err(StopReason::Deadline);
        }
        // Longer than the wait only where there is time enough for the next attempt.
        let drain = left.map_or(Duration::MAX, |left| delay.max(left / DRAINED_OF_LEFT));
        let after_timeout = matches!(outcome, Outcome::Expired(_));
        let token = Token::withdraw(self.call.pot(), after_timeout).ok_or(StopReason::Budget)?;
        Ok(Plan { delay, drain, token })
    }

    /// Whether there may be another attempt, whatever the answer.
    pub(crate) fn may_be_repeated<Req>(&self) -> bool
    where
        X: Keep<Req, Kept = K>,
    {
        self.attempts < self.call.shared.max_attempts
            && self.call.shared.exchange.is_repeatable(&self.kept)
    }

    /// Whether the inner service takes another request now. One that waits, waits for a limiter or
    /// a queue: what has just failed does not stand in line.
    pub(crate) fn is_ready<Sent>(&mut self, cx: &mut Context<'_>) -> bool
    where
        S: Service<Sent>,
    {
        matches!(self.inner.poll_ready(cx), std::task::Poll::Ready(Ok(())))
    }

    /// The request, for the next attempt.
    pub(crate) fn again<Req>(&mut self) -> Option<X::Sent>
    where
        X: Keep<Req, Kept = K>,
    {
        let left = self.call.deadline().map(Deadline::left);
        self.call.shared.exchange.again(&self.kept, self.attempts, left)
    }

    /// The next attempt; it counts.
    pub(crate) fn send<Sent>(&mut self, request: Sent, is_hedge: bool) -> S::Future
    where
        S: Service<Sent>,
    {
        self.attempts += 1;
        let counts = &self.call.shared.counts;
        let count = if is_hedge { &counts.hedges } else { &counts.retries };
        count.fetch_add(1, Relaxed);
        self.inner.call(request)
    }
}

/// Never less than the server asks for.
fn delay(verdict: Verdict, delays: &mut Delays) -> Result<Duration, StopReason> {
    let asked = match verdict {
        Verdict::Pushback => return Err(StopReason::Pushback),
        Verdict::RetryAfter(Duration::MAX) | Verdict::RetryIn(Duration::MAX) => {
            return Err(StopReason::HintTooLong);
        }
        Verdict::RetryIn(exactly) => {
            // gRFC A6: after it, the back-off begins anew.
            delays.restart();
            return Ok(exactly);
        }
        Verdict::RetryAfter(asked) => asked,
        _ => Duration::ZERO,
    };
    let backoff = delays.next().ok_or(StopReason::Attempts)?;
    Ok(backoff.max(asked))
}
