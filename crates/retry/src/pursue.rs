//! What comes after an attempt that did not bring it: the wait, and the next.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use tokio::time::{Instant, sleep, sleep_until};
use tower_service::Service;

use crate::{
    budget::{Pot, Token},
    call::{ErrorOf, FutureOf, Outcome, OutcomeOf, ResponseOf, ResultOf, Run},
    deadline::Deadline,
    exchange::{Keep, Read},
    shared::Shared,
    stop::StopReason,
    verdict::Verdict,
};

/// Where the first attempt is.
pub(crate) enum First<F, O> {
    /// It has ended.
    Ended(O, Option<Verdict>),
    /// It is on its way, and may be hedged.
    Sent(Pin<Box<F>>),
}

/// An attempt that has ended, what it means, and what has paid for it.
struct Ended<O> {
    outcome: O,
    verdict: Verdict,
    paid: Option<Token>,
}

pub(crate) async fn pursue<S, X, Req>(
    mut run: Run<S, X, X::Kept>,
    first: First<FutureOf<X, S, Req>, OutcomeOf<X, S, Req>>,
) -> ResultOf<X, S, Req>
where
    X: Keep<Req, Kept: Send> + Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>,
    <X as Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>>::Held: Send,
    S: Service<X::Sent> + Send,
{
    let shared = Arc::clone(&run.call.shared);
    let mut delays = shared.backoff.delays();
    let mut ended = match first {
        First::Ended(outcome, verdict) => {
            let waits = run.may_be_repeated();
            look::<S, X, Req>(&shared, outcome, verdict, waits, None).await
        }
        First::Sent(future) => attempt(&mut run, future, None).await,
    };
    // Where a hedge has brought it, the hedge's own pays for that.
    run.call.pot().first_ended(ended.verdict == Verdict::Done && ended.paid.is_none());
    loop {
        if ended.verdict == Verdict::Done
            && let Some(paid) = ended.paid.take()
        {
            paid.succeeded();
        }
        // What paid for it is over with it.
        drop(ended.paid.take());
        let plan = match run.decide(&ended.outcome, ended.verdict, &mut delays) {
            Ok(plan) => plan,
            Err(stop) => return run.finish(ended.outcome, stop),
        };
        let mut token = plan.token;
        // It knows of times that are further away than a clock can count.
        let mut pause = pin!(sleep(plan.delay));
        if let Outcome::Answer(answer) = &mut ended.outcome {
            X::drain(answer, plan.drain).await;
        }
        pause.as_mut().await;
        run.slept = run.slept.saturating_add(plan.delay);
        if run.call.deadline().is_some_and(Deadline::has_passed) {
            return run.finish(ended.outcome, StopReason::Deadline);
        }
        if !poll_fn(|cx| Poll::Ready(run.is_ready(cx))).await {
            return run.finish(ended.outcome, StopReason::NotReady);
        }
        // A body that was whole may have failed while it was waited.
        if !shared.exchange.is_replayable(&run.kept) {
            return run.finish(ended.outcome, StopReason::Body);
        }
        let Some(request) = run.again() else {
            return run.finish(ended.outcome, StopReason::NotRepeatable);
        };
        // What is left of the answer would keep its connection from being closed, or used again.
        drop(ended);
        token.spend();
        let future = run.send(request, false);
        ended = attempt(&mut run, Box::pin(future), Some(token)).await;
    }
}

/// An attempt to its end, and another beside it where it takes long.
async fn attempt<S, X, Req>(
    run: &mut Run<S, X, X::Kept>,
    future: Pin<Box<FutureOf<X, S, Req>>>,
    paid: Option<Token>,
) -> Ended<OutcomeOf<X, S, Req>>
where
    X: Keep<Req, Kept: Send> + Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>,
    <X as Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>>::Held: Send,
    S: Service<X::Sent> + Send,
{
    let shared = Arc::clone(&run.call.shared);
    let limit = run.call.limit();
    let waits = run.may_be_repeated();
    let Some(hedging) = shared.hedging.as_deref() else {
        return limited::<S, X, Req>(&shared, future, limit, waits, paid).await;
    };
    let began = Instant::now();
    let mut one = pin!(limited::<S, X, Req>(&shared, future, limit, waits, paid));
    let slow = async {
        match hedging.delay() {
            Some(delay) => sleep(delay).await,
            None => std::future::pending().await,
        }
    };
    let ended = match either(one.as_mut(), pin!(slow)).await {
        Either::Left(ended) => ended,
        Either::Right(()) => match hedge(run) {
            Some((future, token)) => {
                let limit = run.call.limit();
                let waits = run.may_be_repeated();
                let other = Box::pin(future);
                let other = pin!(limited::<S, X, Req>(&shared, other, limit, waits, Some(token)));
                better::<_, OutcomeOf<X, S, Req>>(one, other, run.call.pot()).await
            }
            None => one.await,
        },
    };
    if ended.verdict == Verdict::Done {
        hedging.took(began.elapsed());
    }
    ended
}

/// A second try, if there may be one.
fn hedge<S, X, Req>(run: &mut Run<S, X, X::Kept>) -> Option<(FutureOf<X, S, Req>, Token)>
where
    X: Keep<Req>,
    S: Service<X::Sent>,
{
    let exchange = &run.call.shared.exchange;
    if !run.may_be_repeated() || !exchange.is_complete(&run.kept) {
        return None;
    }
    let mut token = Token::withdraw(run.call.pot(), false)?;
    // Whoever is woken by it asks again at the next retry.
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    if !run.is_ready(&mut cx) {
        return None;
    }
    let request = run.again()?;
    token.spend();
    Some((run.send(request, true), token))
}

/// One attempt within its limit, and what its answer says.
async fn limited<S, X, Req>(
    shared: &Arc<Shared<X>>,
    mut future: Pin<Box<FutureOf<X, S, Req>>>,
    limit: Option<Instant>,
    waits: bool,
    paid: Option<Token>,
) -> Ended<OutcomeOf<X, S, Req>>
where
    X: Keep<Req> + Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>,
    S: Service<X::Sent>,
{
    let expiry = limit.and_then(|limit| Some((limit, shared.exchange.expiry()?)));
    let outcome = match expiry {
        None => answered::<S, X, Req>(future.as_mut().await),
        Some((limit, expiry)) => match either(future.as_mut(), pin!(sleep_until(limit))).await {
            Either::Left(result) => answered::<S, X, Req>(result),
            Either::Right(()) => Outcome::Expired(expiry),
        },
    };
    // Its connection, or its stream, is given back before anything else is waited for.
    drop(future);
    look::<S, X, Req>(shared, outcome, None, waits, paid).await
}

/// What the outcome means, if need be after a look into the answer.
async fn look<S, X, Req>(
    shared: &Arc<Shared<X>>,
    mut outcome: OutcomeOf<X, S, Req>,
    verdict: Option<Verdict>,
    waits: bool,
    paid: Option<Token>,
) -> Ended<OutcomeOf<X, S, Req>>
where
    X: Keep<Req> + Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>,
    S: Service<X::Sent>,
{
    let judged = match &mut outcome {
        _ if verdict.is_some() => verdict,
        Outcome::Answer(answer) => match shared.exchange.judge(Ok(answer)) {
            None => Some(shared.exchange.look(answer, waits).await),
            judged => judged,
        },
        Outcome::Error(error) => shared.exchange.judge(Err(error)),
        Outcome::Expired(_) => None,
    };
    Ended { outcome, verdict: judged.unwrap_or(Verdict::Retry), paid }
}

pub(crate) fn answered<S, X, Req>(
    result: Result<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>,
) -> OutcomeOf<X, S, Req>
where
    X: Keep<Req> + Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>,
    S: Service<X::Sent>,
{
    match result {
        Ok(response) => Outcome::Answer(X::hold(response)),
        Err(error) => Outcome::Error(error),
    }
}

enum Either<L, R> {
    Left(L),
    Right(R),
}

/// Whichever is first; the left, where both are.
async fn either<L: Future, R: Future>(
    mut left: Pin<&mut L>,
    mut right: Pin<&mut R>,
) -> Either<L::Output, R::Output> {
    poll_fn(|cx| {
        if let Poll::Ready(output) = left.as_mut().poll(cx) {
            return Poll::Ready(Either::Left(output));
        }
        right.as_mut().poll(cx).map(Either::Right)
    })
    .await
}

/// The first that a retry would not better; the last to fail, where both would.
async fn better<F, O>(mut one: Pin<&mut F>, mut other: Pin<&mut F>, pot: &Pot) -> Ended<O>
where
    F: Future<Output = Ended<O>>,
{
    let (ended, rest) = match either(one.as_mut(), other.as_mut()).await {
        Either::Left(ended) => (ended, other),
        Either::Right(ended) => (ended, one),
    };
    if !ended.verdict.is_retry() {
        return ended;
    }
    pot.failed();
    rest.await
}
