use std::future::Future;
use std::task::Poll;

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
    let mut trial = laws.trial_over(Probe::answering(|| {
        let mut response = Response::new(ProbeBody::new());
        response.extensions_mut().insert(Mark);
        Ok(response)
    }));

    trial.ready()?;
    trial.probe.answer().close();
    let mut future = Box::pin(trial.service.call((laws.request)()));
    if trial.task.poll(|cx| future.as_mut().poll(cx)).is_pending() {
        trial.probe.answer().open();
        pass_time();
        let own = match trial.run(future.as_mut())? {
            Ok(response) if response.extensions().get() == Some(&Mark) => None,
            Ok(response) => Some(response.status().to_string()),
            Err(error) => Some(format!("error, {}", error.into())),
        };
        Law::ReadyAnswer.kept(own.is_none(), || {
            let own = own.unwrap_or_default();
            format!(
                "the inner had answered when the timer was over, and out came the layer's own {own}"
            )
        })?;
    }

    drop(future);
    let between = Gate::shut();
    let mut trial = laws.trial_of(ProbeBody::new().data("one").wait(&between).data("two"));
    trial.ready()?;
    let mut future = Box::pin(trial.service.call((laws.request)()));
    let Poll::Ready(answered) = trial.task.run(|cx| future.as_mut().poll(cx)) else {
        // The layer reads the body before it answers: no frame of it comes out late.
        return Ok(());
    };
    let mut body = Box::pin(expect_ok(answered)?.into_body());
    let _ = trial.task.poll(|cx| body.as_mut().poll_frame(cx));
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
