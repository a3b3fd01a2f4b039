//! The laws of what a layer keeps account of: its calls, their ends, those in flight.

use std::future::Future;

use tower_service::Service;

use crate::finding::Verdict;
use crate::laws::Count;
use crate::probe::{Probe, ProbeBody, ProbeError};
use crate::trial::Trial;
use crate::{Law, Laws, Subject};

/// How many services are called: routers make one with `layer()` for each route, and some for each
/// request, and clone it.
const SERVICES: u64 = 1_000;
/// How often a body is polled after it has told its end: some consumers do, for the `None`.
const MORE_POLLS: usize = 3;

pub(crate) fn shared_state<L: Subject>(laws: &Laws<L>) -> Verdict {
    let Some(calls) = &laws.calls else {
        return Ok(());
    };
    let before = calls();
    for _ in 0..SERVICES / 2 {
        let made = laws.trial();
        let clone = Trial::new(made.service.clone(), made.probe.clone());
        for mut trial in [made, clone] {
            let response = trial.answer((laws.request)())?;
            let mut body = Box::pin(response.into_body());
            while !trial.event(body.as_mut())?.is_last() {}
        }
    }
    let seen = calls().wrapping_sub(before);
    Law::SharedState.kept(seen == SERVICES, || {
        format!("of {SERVICES} calls to as many services and clones of services of one layer, its state \
             saw {seen}")
    })
}

pub(crate) fn one_end<L: Subject>(laws: &Laws<L>) -> Verdict {
    let Some((ways, ends)) = &laws.ends else {
        return Ok(());
    };
    for end in ways {
        for more_polls in [0, MORE_POLLS] {
            let before = ends();
            let fired = |times: u64, when: &str| {
                let fired = ends().wrapping_sub(before);
                Law::OneEnd.kept(fired == times, || {
                    format!("{end:?}: {when}, the hook had fired {fired} times")
                })
            };
            end.reach_with(&laws.layer, (laws.request)(), more_polls, |times| match times {
                0 => fired(0, "before the end"),
                _ => fired(1, "when the end was seen"),
            })?;
            fired(1, "when all was dropped")?;
        }
    }
    Ok(())
}

pub(crate) fn in_flight<L: Subject>(laws: &Laws<L>) -> Verdict {
    let Some(in_flight) = &laws.in_flight else {
        return Ok(());
    };
    let idle = in_flight();
    let body = || ProbeBody::new().data("one").data("two");

    let mut trial = laws.trial_of(body());
    trial.ready()?;
    drop(trial.service.call((laws.request)()));
    is(in_flight, idle, "after a future was dropped that was never polled")?;

    trial.ready()?;
    trial.probe.answer().close();
    let mut future = Box::pin(trial.service.call((laws.request)()));
    let pending = trial.task.poll(|cx| future.as_mut().poll(cx)).is_pending();
    let busy = idle.wrapping_add(1);
    if pending {
        is(in_flight, busy, "while the inner was at work")?;
    }
    drop(future);
    is(in_flight, idle, "after the future was dropped")?;

    trial.probe.answer().open();
    let mut body = Box::pin(trial.answer((laws.request)())?.into_body());
    is(in_flight, busy, "with the response's body not yet polled")?;
    trial.event(body.as_mut())?;
    is(in_flight, busy, "with the response's body half read")?;
    drop(body);
    is(in_flight, idle, "after the body was dropped half read")?;

    let mut body = Box::pin(trial.answer((laws.request)())?.into_body());
    while !trial.event(body.as_mut())?.is_last() {}
    drop(body);
    is(in_flight, idle, "after the body was read")?;

    let error = ProbeError::new("the inner service failed");
    let mut trial = laws.trial_over(Probe::answering(move || Err(error.clone())));
    trial.ready()?;
    let future = trial.service.call((laws.request)());
    drop(trial.run(future)?);
    is(in_flight, idle, "after the inner failed")
}

fn is(in_flight: &Count, expected: u64, when: &str) -> Verdict {
    let seen = in_flight();
    Law::InFlight.kept(seen == expected, || {
        format!("{when}, {seen} calls were in flight instead of {expected}")
    })
}
