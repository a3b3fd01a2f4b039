use std::future::Future;
use std::task::{Context, Poll};

use http_body::Body;
use tower_service::Service;

use crate::finding::Verdict;
use crate::probe::{Gate, ProbeBody};
use crate::trial::expect_ok;
use crate::{Finding, Law, Laws, Subject, Task};

/// How often something pending is polled while nothing happens.
const POLLS: usize = 4;

pub(crate) fn woken<L: Subject>(laws: &Laws<L>) -> Verdict {
    through(laws, |what, gate, poll| {
        let (first, last) = (Task::new(), Task::new());
        for task in [&first, &last] {
            if task.poll(&mut *poll).is_ready() {
                return Ok(());
            }
        }
        let before = last.wakes();
        gate.open();
        Law::Waker.kept(last.wakes() > before, || {
            let stale = if first.wakes() > 0 { "; an older one was" } else { "" };
            format!(
                "{what} was pending, and its task was not woken when the inner was ready{stale}"
            )
        })?;
        match last.run(&mut *poll) {
            Poll::Ready(()) => Ok(()),
            Poll::Pending => Err(Finding::new(
                Law::Waker,
                format!("{what} is pending for ever, though the inner is ready"),
            )),
        }
    })
}

pub(crate) fn not_by_itself<L: Subject>(laws: &Laws<L>) -> Verdict {
    through(laws, |what, gate, poll| {
        let task = Task::new();
        for polls in 1..=POLLS {
            if task.poll(&mut *poll).is_ready() {
                return Ok(());
            }
            let wakes = task.wakes();
            Law::SelfWake.kept(wakes == 0, || {
                format!("{what} woke its own task {wakes} times in {polls} polls")
            })?;
        }
        gate.open();
        // The waker is spent: what follows belongs to the next thing that is looked at.
        match task.run(&mut *poll) {
            Poll::Ready(()) => Ok(()),
            Poll::Pending => Err(Finding::new(
                Law::Waker,
                format!("{what} is pending for ever, though the inner is ready"),
            )),
        }
    })
}

type Look<'a> = dyn Fn(&str, &Gate, &mut dyn FnMut(&mut Context<'_>) -> Poll<()>) -> Verdict + 'a;

/// Looks at each thing that can be pending, with the gate shut for which it waits. A thing that is
/// ready with its gate shut is let be: the layer does not wait there.
fn through<L, F>(laws: &Laws<L>, look: F) -> Verdict
where
    L: Subject,
    F: Fn(&str, &Gate, &mut dyn FnMut(&mut Context<'_>) -> Poll<()>) -> Verdict,
{
    let look: &Look<'_> = &look;
    let between = Gate::shut();
    let mut trial = laws.trial_of(ProbeBody::new().data("one").wait(&between).data("two"));

    let readiness = trial.probe.readiness().clone();
    readiness.close();
    let service = &mut trial.service;
    look("`poll_ready`", &readiness, &mut |cx| service.poll_ready(cx).map(drop))?;
    readiness.open();
    trial.ready()?;

    let answer = trial.probe.answer().clone();
    answer.close();
    let mut future = Box::pin(trial.service.call((laws.request)()));
    let mut answered = None;
    look("the future", &answer, &mut |cx| {
        future.as_mut().poll(cx).map(|now| answered = Some(now))
    })?;
    answer.open();
    let answered = match answered {
        Some(answered) => answered,
        None => trial.run(future)?,
    };

    let mut body = Box::pin(expect_ok(answered)?.into_body());
    trial.event(body.as_mut())?;
    look("the body", &between, &mut |cx| body.as_mut().poll_frame(cx).map(drop))
}
