//! The once-only end.

use std::{
    mem::{ManuallyDrop, replace},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_LENGTH};

use super::{
    Observer, Outcome, Totals,
    kept::{self, Kept},
};
use crate::context::{self, RequestContext};

/// Tells the observer of the end when it is told of it itself, or else when it is dropped. Empty,
/// it does nothing: the end was told, or there is nobody to tell.
///
/// It is one pointer: what is observed moves from hand to hand, through each layer as a future and
/// once more as a body, and its size is paid for each time.
pub(super) struct Guard<O: Observer>(Option<Kept<Watched<O>>>);

struct Watched<O: Observer> {
    observer: Arc<O>,
    exchange: O::Exchange,
    context: RequestContext,
    /// Whether the service's code runs in the context, and the observers with it.
    entered: bool,
    started: Instant,
    method: Sent,
    status: Option<StatusCode>,
    head: Option<Duration>,
    bytes_out: u64,
    /// How long the body is to be, where that is known.
    declared: Option<u64>,
    /// What a drop means now.
    dropped: Outcome,
}

/// What of the method decides whether an answer has a body.
enum Sent {
    Head,
    Connect,
    Other,
}

impl<O: Observer> Guard<O> {
    pub(super) const fn empty() -> Self {
        Self(None)
    }

    /// A request has come in, and this is its context.
    pub(super) fn begin<B>(
        observer: Arc<O>,
        request: &Request<B>,
        context: RequestContext,
    ) -> Self {
        let started = Instant::now();
        context.set_started(started);
        Self::watch(observer, request, context, true, started)
    }

    /// A call is made, in the context of the request that is being served, if there is one. The
    /// context is the caller's: it is shown and never written to. Where there is none, an empty one
    /// is shown, and no code finds itself in it.
    pub(super) fn begin_outbound<B>(observer: Arc<O>, request: &Request<B>) -> Self {
        let caller = context::current();
        let entered = caller.is_some();
        Self::watch(observer, request, caller.unwrap_or_default(), entered, Instant::now())
    }

    fn watch<B>(
        observer: Arc<O>,
        request: &Request<B>,
        context: RequestContext,
        entered: bool,
        started: Instant,
    ) -> Self {
        let exchange = observer.on_request(request, &context);
        let method = match *request.method() {
            Method::HEAD => Sent::Head,
            Method::CONNECT => Sent::Connect,
            _ => Sent::Other,
        };
        Self(Some(kept::keep(Watched {
            observer,
            exchange,
            context,
            entered,
            started,
            method,
            status: None,
            head: None,
            bytes_out: 0,
            declared: None,
            dropped: Outcome::ClientGone,
        })))
    }

    fn watched(&mut self) -> Option<&mut Watched<O>> {
        self.0.as_deref_mut()?.as_mut()
    }

    /// Runs the service's own code. If that panics, a drop means so from then on, whoever catches
    /// the panic and whenever the drop comes.
    pub(super) fn run<R>(&mut self, run: impl FnOnce() -> R) -> R {
        let Some(watched) = self.watched() else { return run() };
        let Watched { observer, exchange, context, entered, dropped, .. } = watched;
        let before = replace(dropped, Outcome::Panic);
        let result = scope(context, *entered, || observer.around(exchange, run));
        *dropped = before;
        result
    }

    /// The head is there. Where HTTP has no body to send, this is the end: a server never polls
    /// the body then (RFC 9110 §6.4.1, and §9.3.6 for CONNECT).
    pub(super) fn head<B>(&mut self, response: &Response<B>) {
        let Some(watched) = self.watched() else { return };
        let status = response.status();
        watched.status = Some(status);
        watched.head = Some(watched.started.elapsed());
        watched.declared = response
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        watched.tell(|observer, exchange, context| {
            observer.on_response(exchange, response, context);
        });
        let bodiless = match watched.method {
            Sent::Head => true,
            Sent::Connect => status.is_success(),
            Sent::Other => false,
        };
        if bodiless
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        {
            self.end_with_head();
        }
    }

    /// There is no body: the end is where the head was, and the clock is not read once more.
    pub(super) fn end_with_head(&mut self) {
        let at = self.watched().and_then(|watched| watched.head);
        self.end_at(Outcome::Complete, at);
    }

    /// So many bytes of the body were handed over; `left` is what the body itself knows of the
    /// rest.
    ///
    /// A server that has sent what was declared drops the body without asking for its end, and
    /// that is a complete answer.
    pub(super) fn data(&mut self, bytes: u64, left: Option<u64>) {
        let Some(watched) = self.watched() else { return };
        watched.bytes_out += bytes;
        watched.declared = watched.declared.or(left.map(|left| watched.bytes_out + left));
        let sent = watched.declared.is_some_and(|declared| watched.bytes_out >= declared);
        let complete = sent || left == Some(0);
        watched.dropped = if complete { Outcome::Complete } else { Outcome::ClientGone };
    }

    pub(super) fn trailers(&mut self, trailers: &HeaderMap) {
        let Some(watched) = self.watched() else { return };
        watched.tell(|observer, exchange, context| {
            observer.on_trailers(exchange, trailers, context);
        });
        self.end(Outcome::Complete);
    }

    pub(super) fn end(&mut self, outcome: Outcome) {
        self.end_at(outcome, None);
    }

    fn end_at(&mut self, outcome: Outcome, at: Option<Duration>) {
        let Some(watched) = self.0.take().and_then(kept::release) else { return };
        let Watched {
            observer, exchange, context, entered, started, status, head, bytes_out, ..
        } = watched;
        let duration = at.unwrap_or_else(|| started.elapsed());
        let end = Totals { outcome, status, head, duration, bytes_out };
        contain(|| scope(&context, entered, || observer.on_end(exchange, &end, &context)));
        context.recycle();
    }
}

impl<O: Observer> Watched<O> {
    fn tell(&mut self, tell: impl FnOnce(&O, &mut O::Exchange, &RequestContext)) {
        let Self { observer, exchange, context, entered, .. } = self;
        contain(|| scope(context, *entered, || tell(observer, exchange, context)));
    }
}

impl<O: Observer> Drop for Guard<O> {
    fn drop(&mut self) {
        if let Some(Watched { dropped, .. }) = self.watched() {
            let outcome = *dropped;
            self.end(outcome);
        }
    }
}

fn scope<R>(context: &RequestContext, entered: bool, f: impl FnOnce() -> R) -> R {
    if entered { context.scope(f) } else { f() }
}

/// Keeps an observer's panic from the request, from the other observers, and from a `Drop` that
/// runs while the thread unwinds, where it would end the process. The panic hook has told of it;
/// what was observed is gone either way, so nothing is seen in a broken state.
pub(super) fn contain(f: impl FnOnce()) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { return };
    // It is anything: its own drop may panic, and with a payload that is no better.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        let _ = ManuallyDrop::new(again);
    }
}
