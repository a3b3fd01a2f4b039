use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Request, Response};

use super::ledger::{Held, Ledger};
use super::service::Answer;
use super::{Gate, ProbeBody, ProbeError, ProbeService, SeenRequest};

/// The hand on a [`ProbeService`]: it says what the service answers, holds it back, and tells what
/// happened to it. Clones are the same probe.
///
/// ```
/// use buttress_conformance::{Held, Probe, ProbeBody, Task};
/// use http::{Request, Response};
/// use std::{future::Future, pin::pin};
/// use tower_service::Service;
///
/// let probe = Probe::answering(|| Ok(Response::new(ProbeBody::new().data("hello"))));
/// let mut service = probe.service();
/// let task = Task::new();
///
/// probe.answer().close();
/// assert!(task.poll(|cx| Service::<Request<ProbeBody>>::poll_ready(&mut service, cx)).is_ready());
/// let mut future = pin!(service.call(Request::new(ProbeBody::new())));
/// assert!(task.poll(|cx| future.as_mut().poll(cx)).is_pending());
/// assert_eq!(probe.held(Held::Future), 1);
///
/// probe.answer().open();
/// assert_eq!(task.wakes(), 1);
/// assert!(task.poll(|cx| future.as_mut().poll(cx)).is_ready());
/// assert_eq!((probe.calls(), probe.unready_calls()), (1, 0));
/// ```
#[derive(Clone)]
pub struct Probe {
    ledger: Arc<Ledger>,
    answer: Arc<Answer<ProbeBody>>,
}

impl Probe {
    /// A probe that answers what `answer` makes, once for each call.
    #[must_use]
    pub fn answering<F>(answer: F) -> Self
    where
        F: Fn() -> Result<Response<ProbeBody>, ProbeError> + Send + Sync + 'static,
    {
        Self {
            ledger: Arc::default(),
            answer: Arc::new(move |ledger| {
                answer().map(|response| response.map(|body| body.watched(ledger, Held::Body)))
            }),
        }
    }

    /// A probe whose `poll_ready` answers `Ready(Err(error))`.
    #[must_use]
    pub fn broken(error: ProbeError) -> Self {
        Self { ledger: Arc::new(Ledger::broken(error)), ..Self::default() }
    }

    /// The service, not yet ready.
    #[must_use]
    pub fn service(&self) -> ProbeService {
        ProbeService::new(Arc::clone(&self.ledger), Arc::clone(&self.answer))
    }

    /// The request, with its body counted as [`Held::Request`].
    #[must_use]
    pub fn watch(&self, request: Request<ProbeBody>) -> Request<ProbeBody> {
        request.map(|body| body.watched(&self.ledger, Held::Request))
    }

    /// Shut, it keeps every instance that is not ready yet from becoming so. Open at first.
    #[must_use]
    pub fn readiness(&self) -> &Gate {
        &self.ledger.readiness
    }

    /// Shut, it keeps every call from being answered. Open at first.
    #[must_use]
    pub fn answer(&self) -> &Gate {
        &self.ledger.answer
    }

    /// How often the service was called, over all instances.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.ledger.calls.load(Ordering::Relaxed)
    }

    /// How many of these calls came to an instance that had not answered `Ready(Ok)`.
    #[must_use]
    pub fn unready_calls(&self) -> usize {
        self.ledger.unready_calls.load(Ordering::Relaxed)
    }

    /// How often a body was polled that had answered `None` or an error before.
    #[must_use]
    pub fn polls_after_end(&self) -> usize {
        self.ledger.polls_after_end.load(Ordering::Relaxed)
    }

    /// How many of these are alive.
    #[must_use]
    pub fn held(&self, what: Held) -> usize {
        self.ledger.held(what).load(Ordering::Relaxed)
    }

    /// Takes what is known of the last request that reached the service.
    #[must_use]
    pub fn take_request(&self) -> Option<SeenRequest> {
        self.ledger.request().take()
    }
}

/// Answers 200 with an empty body.
impl Default for Probe {
    fn default() -> Self {
        Self::answering(|| Ok(Response::default()))
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}
