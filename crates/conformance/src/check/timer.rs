use std::future::Future;

use http::Response;
use http_body::Body;
use tower_service::Service;

use super::passing::Mark;
use crate::finding::Verdict;
use crate::probe::{Gate, Probe, ProbeBody};
use crate::trial::{Event, expect_ok};
use crate::{Law, Laws, Subject};

pub(crate) fn ready_answer<L: Subject>(laws: &Laws<L>) -> Verdict {
    let Some(pass_time) = &laws.pass_time else {
        return Ok(());
    };
    let between = Gate::shut();
    let script = ProbeBody::new().data("one").wait(&between).data("two");
    let mut trial = laws.trial_over(Probe::answering(move || {
        let mut response = Response::new(script.clone());
        response.extensions_mut().insert(Mark);
        Ok(response)
    }));

    trial.ready()?;
    trial.probe.answer().close();
    let mut future = Box::pin(trial.service.call((laws.request)()));
    if trial.task.poll(|cx| future.as_mut().poll(cx)).is_pending() {
        trial.probe.answer().open();
        pass_time();
        let answered = trial.run(future.as_mut())?;
        let response = expect_ok(answered)?;
        let inners = response.extensions().get() == Some(&Mark);
        Law::ReadyAnswer.kept(inners, || {
            format!(
                "the inner had answered when the timer was over, and out came the layer's own {}",
                response.status(),
            )
        })?;
    }

    drop(future);
    trial.probe.answer().open();
    let mut body = Box::pin(trial.answer((laws.request)())?.into_body());
    trial.event(body.as_mut())?;
    if trial.task.poll(|cx| body.as_mut().poll_frame(cx)).is_pending() {
        between.open();
        pass_time();
        let event = trial.event(body.as_mut())?;
        Law::ReadyAnswer.kept(matches!(event, Event::Data(_)), || {
            format!("a frame was ready when the timer was over, and out came {event:?}")
        })?;
    }
    Ok(())
}
