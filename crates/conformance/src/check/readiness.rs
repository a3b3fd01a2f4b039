use std::future::Future;
use std::task::Poll;

use http::{Response, StatusCode};
use tower_service::Service;

use crate::finding::Verdict;
use crate::probe::{Held, Probe, ProbeBody, ProbeError};
use crate::trial::{Trial, known};
use crate::{Finding, Law, Laws, Subject};

/// How often one instance is called, and then a clone of it: a wrong swap shows in the second call.
const CALLS: usize = 3;
/// How often readiness is asked for again: more than a limiter in a test has permits.
const POLLS: usize = 1_000;
/// How many calls are under way at once when a limiter is tempted to answer `Ready(Err)`.
const OUTSTANDING: usize = 64;

pub(crate) fn polled_is_called<L: Subject>(laws: &Laws<L>) -> Verdict {
    let mut trial = laws.trial();
    for _ in 0..CALLS {
        trial.answer((laws.request)())?;
    }
    trial.service = trial.service.clone();
    for _ in 0..CALLS {
        trial.answer((laws.request)())?;
    }
    none_unready(&trial.probe, Law::Readiness, "after `Ready(Ok)`")?;
    pending_is_not_called(laws)?;
    asked_for_each_attempt(laws)
}

/// A layer need not forward readiness, but then it has to wait for it in its future.
fn pending_is_not_called<L: Subject>(laws: &Laws<L>) -> Verdict {
    let mut trial = laws.trial();
    trial.probe.readiness().close();
    let Trial { task, service, .. } = &mut trial;
    if let Poll::Ready(Ok(())) = task.poll(|cx| service.poll_ready(cx)) {
        let mut future = Box::pin(service.call((laws.request)()));
        if task.poll(|cx| future.as_mut().poll(cx)).is_pending() {
            trial.probe.readiness().open();
            trial.run(future)?.ok();
        }
    }
    none_unready(&trial.probe, Law::Readiness, "while the inner's `poll_ready` was pending")
}

/// A layer that tries again asks for readiness again.
fn asked_for_each_attempt<L: Subject>(laws: &Laws<L>) -> Verdict {
    let failed = ProbeError::new("the inner service failed");
    let failure = move |status: Option<StatusCode>| {
        let mut response = Response::new(ProbeBody::new());
        *response.status_mut() = status.ok_or_else(|| failed.clone())?;
        Ok(response)
    };
    for status in [None, Some(StatusCode::SERVICE_UNAVAILABLE), Some(StatusCode::UNAUTHORIZED)] {
        let failure = failure.clone();
        let mut trial = laws.trial_over(Probe::answering(move || failure(status)));
        trial.ready()?;
        let mut future = Box::pin(trial.service.call((laws.request)()));
        // It may be pending on a timer between two attempts; those that were made are judged.
        let _ = trial.task.run(|cx| future.as_mut().poll(cx));
        let answered = status.map_or_else(|| "an error".to_owned(), |status| status.to_string());
        none_unready(
            &trial.probe,
            Law::Readiness,
            &format!("where the inner had answered {answered}"),
        )?;
    }
    Ok(())
}

pub(crate) fn ready_stays<L: Subject>(laws: &Laws<L>) -> Verdict {
    let mut trial = laws.trial();
    trial.ready()?;
    // Another instance could not become ready now; the one that is, stays so.
    trial.probe.readiness().close();
    for _ in 0..POLLS {
        let Trial { task, service, .. } = &mut trial;
        let polled = task.poll(|cx| service.poll_ready(cx));
        Law::DoubleReadiness.kept(matches!(polled, Poll::Ready(Ok(()))), || {
            let polled = polled.map_err(known);
            format!("`poll_ready` after `Ready(Ok)`, with no call between, answered {polled:?}")
        })?;
    }
    let held = trial.probe.held(Held::Readiness);
    Law::DoubleReadiness.kept(held <= 1, || {
        format!("{held} instances of the inner were made ready for one call")
    })?;
    trial.probe.readiness().open();
    trial.answer((laws.request)())?;
    none_unready(&trial.probe, Law::DoubleReadiness, "after many `poll_ready`")
}

pub(crate) fn clone_is_unready<L: Subject>(laws: &Laws<L>) -> Verdict {
    let mut trial = laws.trial();
    trial.ready()?;
    let before = trial.probe.held(Held::Readiness);
    let mut clone = Trial::new(trial.service.clone(), trial.probe.clone());
    let after = trial.probe.held(Held::Readiness);
    Law::CloneReadiness.kept(after <= before, || {
        format!("cloning a ready service made {} more instance of the inner ready", after - before)
    })?;

    // The inner's clone cannot become ready now: a clone that says it is goes by a copied field.
    trial.probe.readiness().close();
    let claimed = clone.task.poll(|cx| clone.service.poll_ready(cx)).is_ready();
    trial.probe.readiness().open();
    if claimed {
        let future = clone.service.call((laws.request)());
        clone.run(future)?.ok();
    }
    let future = trial.service.call((laws.request)());
    trial.run(future)?.ok();
    // Only now: a limiter may have room for one.
    if !claimed {
        clone.answer((laws.request)())?;
    }
    none_unready(&trial.probe, Law::CloneReadiness, "by a ready service and its clone")
}

pub(crate) fn error_is_the_inners<L: Subject>(laws: &Laws<L>) -> Verdict {
    let error = ProbeError::new("the inner is broken");
    let mut trial = laws.trial_over(Probe::broken(error.clone()));
    let Trial { task, service, .. } = &mut trial;
    match task.run(|cx| service.poll_ready(cx)) {
        Poll::Ready(Err(answered)) => {
            let answered = known(answered);
            Law::ReadyError.kept(answered == Ok(error), || {
                format!("the inner's `Ready(Err)` came out as {answered:?}")
            })?;
        }
        // A layer need not forward readiness, if it asks for it later.
        Poll::Ready(Ok(())) => {
            let future = trial.service.call((laws.request)());
            trial.run(future)?.ok();
            none_unready(&trial.probe, Law::ReadyError, "after the inner's `Ready(Err)`")?;
        }
        Poll::Pending => {
            return Err(Finding::new(
                Law::ReadyError,
                "the inner answered `Ready(Err)`, the layer `Pending`",
            ));
        }
    }

    let mut trial = laws.trial();
    trial.probe.answer().close();
    let mut outstanding = Vec::with_capacity(OUTSTANDING);
    for calls in 0..OUTSTANDING {
        let Trial { task, service, .. } = &mut trial;
        match task.poll(|cx| service.poll_ready(cx)) {
            Poll::Ready(Ok(())) => outstanding.push(service.call((laws.request)())),
            Poll::Pending => break,
            Poll::Ready(Err(error)) => {
                let error = known(error);
                return Err(Finding::new(
                    Law::ReadyError,
                    format!("with {calls} calls under way, `poll_ready` answered {error:?}"),
                ));
            }
        }
    }
    Ok(())
}

fn none_unready(probe: &Probe, law: Law, when: &str) -> Verdict {
    let unready = probe.unready_calls();
    law.kept(unready == 0, || {
        format!("{unready} of {} calls {when} came to an unready inner", probe.calls())
    })
}
