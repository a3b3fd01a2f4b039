use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::Body;
use tower_service::Service;

use crate::finding::Verdict;
use crate::probe::{Gate, ProbeBody};
use crate::trial::expect_ok;
use crate::{Finding, Law, Laws, Subject, Task};

/// How often something pending is polled while nothing happens.
const POLLS: usize = 4;
/// How many calls are under way when the next is looked at: more than a limiter in a test lets in.
const UNDER_WAY: usize = 64;

pub(crate) fn woken<L: Subject>(laws: &Laws<L>) -> Verdict {
    through(laws, &|what, go_on, poll| {
        let (first, last) = (Task::new(), Task::new());
        for task in [&first, &last] {
            if task.poll(&mut *poll).is_ready() {
                return Ok(());
            }
        }
        let before = last.wakes();
        go_on();
        Law::Waker.kept(last.wakes() > before, || {
            let stale = if first.wakes() > 0 { "; an older one was" } else { "" };
            format!("{what} was pending, and its task was not woken when it could go on{stale}")
        })?;
        finished(what, &last, poll)
    })
}

pub(crate) fn not_by_itself<L: Subject>(laws: &Laws<L>) -> Verdict {
    through(laws, &|what, go_on, poll| {
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
        go_on();
        // The waker is spent: what follows belongs to the next thing that is looked at.
        finished(what, &task, poll)
    })
}

fn finished(what: &str, task: &Task, poll: &mut PollIt<'_>) -> Verdict {
    match task.run(poll) {
        Poll::Ready(()) => Ok(()),
        Poll::Pending => Err(Finding::new(
            Law::Waker,
            format!("{what} is pending for ever, though nothing holds it back"),
        )),
    }
}

type PollIt<'a> = dyn FnMut(&mut Context<'_>) -> Poll<()> + 'a;
type Look<'a> = dyn Fn(&str, &mut dyn FnMut(), &mut PollIt<'_>) -> Verdict + 'a;

/// Looks at each thing that can be pending while it is held back, and at what lets it go on. What
/// is ready all the same is let be: the layer does not wait there.
fn through<L: Subject>(laws: &Laws<L>, look: &Look<'_>) -> Verdict {
    readiness_and_future(laws, look)?;
    body(laws, look)?;
    crowd(laws, look)
}

fn readiness_and_future<L: Subject>(laws: &Laws<L>, look: &Look<'_>) -> Verdict {
    let mut trial = laws.trial();
    let readiness = trial.probe.readiness().clone();
    readiness.close();
    let service = &mut trial.service;
    look("`poll_ready`", &mut || readiness.open(), &mut |cx| service.poll_ready(cx).map(drop))?;
    readiness.open();
    trial.ready()?;

    let answer = trial.probe.answer().clone();
    answer.close();
    let mut future = Box::pin(trial.service.call((laws.request)()));
    look("the future", &mut || answer.open(), &mut |cx| future.as_mut().poll(cx).map(drop))
}

fn body<L: Subject>(laws: &Laws<L>, look: &Look<'_>) -> Verdict {
    let between = Gate::shut();
    let mut trial = laws.trial_of(ProbeBody::new().data("one").wait(&between).data("two"));
    trial.ready()?;
    let mut future = Box::pin(trial.service.call((laws.request)()));
    let Poll::Ready(answered) = trial.task.run(|cx| future.as_mut().poll(cx)) else {
        let what = "the future, which reads the body before it answers,";
        return look(what, &mut || between.open(), &mut |cx| future.as_mut().poll(cx).map(drop));
    };
    let mut body = Box::pin(expect_ok(answered)?.into_body());
    // Pending where the layer gathers frames: then it waits already.
    if let Poll::Ready(None | Some(Err(_))) = trial.task.run(|cx| body.as_mut().poll_frame(cx)) {
        return Ok(());
    }
    look("the body", &mut || between.open(), &mut |cx| body.as_mut().poll_frame(cx).map(drop))
}

/// What a layer itself holds back, as a limiter does, goes on when the calls before are dropped.
fn crowd<L: Subject>(laws: &Laws<L>, look: &Look<'_>) -> Verdict {
    let mut trial = laws.trial();
    trial.probe.answer().close();
    let mut under_way: Vec<Pin<Box<_>>> = Vec::with_capacity(UNDER_WAY);
    for calls in 0..UNDER_WAY {
        let (task, service) = (&trial.task, &mut trial.service);
        match task.poll(|cx| service.poll_ready(cx)) {
            Poll::Ready(Ok(())) => {}
            // It is judged as an error of readiness.
            Poll::Ready(Err(_)) => return Ok(()),
            Poll::Pending => {
                let what = format!("`poll_ready` with {calls} calls under way");
                return look(&what, &mut || under_way.clear(), &mut |cx| {
                    service.poll_ready(cx).map(drop)
                });
            }
        }
        let mut future = Box::pin(service.call((laws.request)()));
        if task.poll(|cx| future.as_mut().poll(cx)).is_pending() {
            under_way.push(future);
        }
    }
    let Some(mut last) = under_way.pop() else {
        return Ok(());
    };
    let answer = trial.probe.answer().clone();
    let mut go_on = || {
        under_way.clear();
        answer.open();
    };
    look("the last of many calls under way", &mut go_on, &mut |cx| last.as_mut().poll(cx).map(drop))
}
