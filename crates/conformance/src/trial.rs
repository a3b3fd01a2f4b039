use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::finding::Verdict;
use crate::probe::{Probe, ProbeBody, ProbeError};
use crate::task::{MAX_POLLS, Task};
use crate::{BoxError, Finding, Law, Laws, Subject};

/// One service of a layer over a probe, driven by hand.
pub(crate) struct Trial<S> {
    pub(crate) task: Task,
    pub(crate) probe: Probe,
    pub(crate) service: S,
    events: Cell<usize>,
}

/// Many more than any probe's body has frames; the bound ends a trial of a body that never does.
const MAX_EVENTS: usize = 1_000;

/// What a poll of a body gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Data(Bytes),
    Trailers(HeaderMap),
    Other,
    Error(Result<ProbeError, String>),
    End,
}

impl<S> Trial<S> {
    pub(crate) fn new(service: S, probe: Probe) -> Self {
        Self { task: Task::new(), probe, service, events: Cell::new(0) }
    }

    /// Polls the service to `Ready(Ok)`.
    pub(crate) fn ready(&mut self) -> Verdict
    where
        S: Service<Request<ProbeBody>>,
        S::Error: Into<BoxError>,
    {
        let Self { task, service, .. } = self;
        drive(task, "`poll_ready`", |cx| service.poll_ready(cx))?.map_err(|error| {
            Finding::new(
                Law::ReadyError,
                format!("`poll_ready` answered an error, the inner's none: {}", error.into()),
            )
        })
    }

    /// Polls a call to its answer.
    pub(crate) fn run<F: Future>(&self, future: F) -> Verdict<F::Output> {
        let mut future = pin!(future);
        drive(&self.task, "the future", |cx| future.as_mut().poll(cx))
    }

    /// Ready, call, answer.
    pub(crate) fn answer<B>(&mut self, request: Request<ProbeBody>) -> Verdict<Response<B>>
    where
        S: Service<Request<ProbeBody>, Response = Response<B>>,
        S::Error: Into<BoxError>,
    {
        self.ready()?;
        let request = self.probe.watch(request);
        let future = self.service.call(request);
        let answered = self.run(future)?;
        expect_ok(answered)
    }

    /// The next thing that a body has to give.
    pub(crate) fn event<B>(&self, mut body: Pin<&mut B>) -> Verdict<Event>
    where
        B: Body,
        B::Error: Into<BoxError>,
    {
        self.events.set(self.events.get() + 1);
        if self.events.get() > MAX_EVENTS {
            return Err(Finding::new(Law::Frames, "the body does not end"));
        }
        drive(&self.task, "the body", |cx| body.as_mut().poll_frame(cx)).map(Event::of)
    }
}

impl Event {
    pub(crate) fn of<D, E>(polled: Option<Result<http_body::Frame<D>, E>>) -> Self
    where
        D: Buf,
        E: Into<BoxError>,
    {
        match polled {
            None => Self::End,
            Some(Err(error)) => Self::Error(known(error)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(mut data) => Self::Data(data.copy_to_bytes(data.remaining())),
                Err(frame) => frame.into_trailers().map_or(Self::Other, Self::Trailers),
            },
        }
    }

    pub(crate) const fn is_last(&self) -> bool {
        matches!(self, Self::End | Self::Error(_))
    }
}

impl<L: Subject> Laws<L> {
    /// A service of the layer over a probe that answers 200 with an empty body.
    pub(crate) fn trial(&self) -> Trial<L::Wrapped> {
        self.trial_over(Probe::default())
    }

    /// A service of the layer over a probe that answers this body.
    pub(crate) fn trial_of(&self, body: ProbeBody) -> Trial<L::Wrapped> {
        self.trial_over(Probe::answering(move || Ok(Response::new(body.clone()))))
    }

    pub(crate) fn trial_over(&self, probe: Probe) -> Trial<L::Wrapped> {
        Trial::new(self.layer.layer(probe.service()), probe)
    }
}

/// The response, where the inner gave one.
pub(crate) fn expect_ok<B, E>(answered: Result<Response<B>, E>) -> Verdict<Response<B>>
where
    E: Into<BoxError>,
{
    answered.map_err(|error| {
        Finding::new(
            Law::Error,
            format!("the inner answered `Ok`, the layer an error: {}", error.into()),
        )
    })
}

/// The probe's error, or the text of another.
pub(crate) fn known<E: Into<BoxError>>(error: E) -> Result<ProbeError, String> {
    match error.into().downcast::<ProbeError>() {
        Ok(error) => Ok(*error),
        Err(other) => Err(other.to_string()),
    }
}

/// Polls, as an executor would, what nothing holds back.
pub(crate) fn drive<T>(
    task: &Task,
    what: &str,
    poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Verdict<T> {
    let before = task.wakes();
    match task.run(poll) {
        Poll::Ready(ready) => Ok(ready),
        Poll::Pending if task.wakes() - before >= MAX_POLLS => Err(Finding::new(
            Law::SelfWake,
            format!("{what} woke its own task at each of {MAX_POLLS} polls, and was never ready"),
        )),
        Poll::Pending => Err(Finding::new(
            Law::Waker,
            format!(
                "{what} is pending though the inner is not, and nothing woke the task (timers and \
                 spawned tasks do not run here)"
            ),
        )),
    }
}
