use std::any::TypeId;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::request::Parts;
use http_body::SizeHint;

use super::{Gate, ProbeError};

/// What a probe can find itself still holding.
///
/// ```
/// use buttress_conformance::{Held, Probe, ProbeBody, Task};
/// use http::Request;
/// use tower_service::Service;
///
/// let probe = Probe::default();
/// let mut service = probe.service();
/// let ready = Task::new().poll(|cx| Service::<Request<ProbeBody>>::poll_ready(&mut service, cx));
/// assert!(ready.is_ready());
/// assert_eq!(probe.held(Held::Readiness), 1);
/// drop(service);
/// assert_eq!(probe.held(Held::Readiness), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Held {
    /// The readiness that an instance acquired with `Ready(Ok)` and gives up in `call`, or when it
    /// is dropped.
    Readiness,
    /// A request's body.
    Request,
    /// A call's future.
    Future,
    /// A response's body.
    Body,
}

impl Held {
    pub(crate) const ALL: [Self; 4] = [Self::Readiness, Self::Request, Self::Future, Self::Body];
}

/// A request as it reached the inner service.
///
/// ```
/// use buttress_conformance::{Probe, ProbeBody};
/// use http::Request;
/// use tower_service::Service;
///
/// # fn main() -> Result<(), http::Error> {
/// let probe = Probe::default();
/// let request = Request::get("/orders").body(ProbeBody::new().data("{}").exact())?;
/// let _future = probe.service().call(request);
///
/// let seen = probe.take_request().unwrap();
/// assert_eq!(seen.parts.uri, "/orders");
/// assert_eq!(seen.size_hint.exact(), Some(2));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SeenRequest {
    /// Method, target, version, headers and extensions.
    pub parts: Parts,
    /// The type of the body.
    pub body_type: TypeId,
    /// The name of that type, for messages.
    pub body_type_name: &'static str,
    /// The body's size hint.
    pub size_hint: SizeHint,
    /// Whether the body said that it is at its end.
    pub is_end_stream: bool,
}

/// What is shared by a probe, its services, their futures and their bodies.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) readiness: Gate,
    pub(crate) answer: Gate,
    pub(crate) ready_error: Option<ProbeError>,
    pub(crate) calls: AtomicUsize,
    pub(crate) unready_calls: AtomicUsize,
    pub(crate) polls_after_end: AtomicUsize,
    readiness_held: AtomicUsize,
    requests_held: AtomicUsize,
    futures_held: AtomicUsize,
    bodies_held: AtomicUsize,
    request: Mutex<Option<SeenRequest>>,
}

impl Ledger {
    pub(crate) fn broken(error: ProbeError) -> Self {
        Self { ready_error: Some(error), ..Self::default() }
    }

    pub(crate) fn held(&self, what: Held) -> &AtomicUsize {
        match what {
            Held::Readiness => &self.readiness_held,
            Held::Request => &self.requests_held,
            Held::Future => &self.futures_held,
            Held::Body => &self.bodies_held,
        }
    }

    pub(crate) fn request(&self) -> MutexGuard<'_, Option<SeenRequest>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one thing as held for as long as it lives.
#[derive(Debug)]
pub(crate) struct Guard {
    ledger: Arc<Ledger>,
    what: Held,
}

impl Guard {
    pub(crate) fn new(ledger: &Arc<Ledger>, what: Held) -> Self {
        ledger.held(what).fetch_add(1, Ordering::Relaxed);
        Self { ledger: Arc::clone(ledger), what }
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

impl Clone for Guard {
    fn clone(&self) -> Self {
        Self::new(&self.ledger, self.what)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.ledger.held(self.what).fetch_sub(1, Ordering::Relaxed);
    }
}
