use std::any::{TypeId, type_name};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::ledger::{Guard, Held, Ledger};
use super::{ProbeBody, ProbeError, SeenRequest};

pub(crate) type Answer<B> = dyn Fn(&Arc<Ledger>) -> Result<Response<B>, ProbeError> + Send + Sync;

/// The innermost service, made by a [`Probe`](crate::Probe) and answering `Response<B>`.
///
/// Each instance must be polled to `Ready(Ok)` before each of its calls; a clone starts unready. A
/// call on an instance that is not ready is answered all the same, and counted. The request may
/// have any body, so that a layer that changes its type can be tested, too.
///
/// ```
/// use buttress_conformance::{Probe, ProbeBody, Task};
/// use http::Request;
/// use tower_service::Service;
///
/// let probe = Probe::default();
/// let mut service = probe.service();
/// let ready = Task::new().poll(|cx| Service::<Request<ProbeBody>>::poll_ready(&mut service, cx));
/// assert!(ready.is_ready());
/// // The mistake that the law of readiness is about: its clone is not ready.
/// let _future = service.clone().call(Request::new(ProbeBody::new()));
/// assert_eq!(probe.unready_calls(), 1);
/// ```
pub struct ProbeService<B = ProbeBody> {
    ledger: Arc<Ledger>,
    answer: Arc<Answer<B>>,
    readiness: Option<Guard>,
}

impl<B> ProbeService<B> {
    pub(crate) fn new(ledger: Arc<Ledger>, answer: Arc<Answer<B>>) -> Self {
        Self { ledger, answer, readiness: None }
    }
}

impl<B, R> Service<Request<R>> for ProbeService<B>
where
    R: Body + 'static,
{
    type Response = Response<B>;
    type Error = ProbeError;
    type Future = ProbeFuture<B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ProbeError>> {
        if self.readiness.is_some() {
            return Poll::Ready(Ok(()));
        }
        if let Some(error) = &self.ledger.ready_error {
            return Poll::Ready(Err(error.clone()));
        }
        ready!(self.ledger.readiness.poll_open(cx));
        self.readiness = Some(Guard::new(&self.ledger, Held::Readiness));
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<R>) -> ProbeFuture<B, R> {
        self.ledger.calls.fetch_add(1, Ordering::Relaxed);
        if self.readiness.take().is_none() {
            self.ledger.unready_calls.fetch_add(1, Ordering::Relaxed);
        }
        let (parts, body) = request.into_parts();
        *self.ledger.request() = Some(SeenRequest {
            parts,
            body_type: TypeId::of::<R>(),
            body_type_name: type_name::<R>(),
            size_hint: body.size_hint(),
            is_end_stream: body.is_end_stream(),
        });
        ProbeFuture {
            ledger: Arc::clone(&self.ledger),
            answer: Arc::clone(&self.answer),
            _request: body,
            _guard: Guard::new(&self.ledger, Held::Future),
        }
    }
}

/// A clone has to be polled ready by itself.
impl<B> Clone for ProbeService<B> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.ledger), Arc::clone(&self.answer))
    }
}

impl<B> fmt::Debug for ProbeService<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbeService")
            .field("ready", &self.readiness.is_some())
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A [`ProbeService`]'s call: it keeps the request's body until it is dropped.
    ///
    /// ```
    /// use buttress_conformance::{Held, Probe, ProbeBody, ProbeFuture};
    /// use http::Request;
    /// use tower_service::Service;
    ///
    /// let probe = Probe::default();
    /// let request = probe.watch(Request::new(ProbeBody::new()));
    /// let future: ProbeFuture<ProbeBody, ProbeBody> = probe.service().call(request);
    /// assert_eq!((probe.held(Held::Future), probe.held(Held::Request)), (1, 1));
    /// drop(future);
    /// assert_eq!((probe.held(Held::Future), probe.held(Held::Request)), (0, 0));
    /// ```
    pub struct ProbeFuture<B, R> {
        ledger: Arc<Ledger>,
        answer: Arc<Answer<B>>,
        _request: R,
        _guard: Guard,
    }
}

impl<B, R> Future for ProbeFuture<B, R> {
    type Output = Result<Response<B>, ProbeError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(self.ledger.answer.poll_open(cx));
        Poll::Ready((self.answer)(&self.ledger))
    }
}

impl<B, R> fmt::Debug for ProbeFuture<B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbeFuture").finish_non_exhaustive()
    }
}
