//! The once-only end.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Method, Request, Response, StatusCode, header::CONTENT_LENGTH};

use super::{Observer, Outcome, Totals};
use crate::context::RequestContext;

/// Tells the observer of the end when it is told of it itself, or else when it is dropped.
pub(super) struct Guard<O: Observer>(Option<Watched<O>>);

struct Watched<O: Observer> {
    observer: Arc<O>,
    exchange: O::Exchange,
    context: RequestContext,
    started: Instant,
    head_request: bool,
    declared: Option<u64>,
    end: Totals,
}

impl<O: Observer> Guard<O> {
    pub(super) fn begin<B>(
        observer: Arc<O>,
        request: &Request<B>,
        context: &RequestContext,
    ) -> Self {
        let started = Instant::now();
        context.set_started(started);
        let exchange = observer.on_request(request, context);
        Self(Some(Watched {
            observer,
            exchange,
            context: context.clone(),
            started,
            head_request: request.method() == Method::HEAD,
            declared: None,
            end: Totals {
                outcome: Outcome::ClientGone,
                status: None,
                head: None,
                duration: Duration::ZERO,
                bytes_out: 0,
            },
        }))
    }

    /// The head is there. Where HTTP has no body to send (RFC 9110 §6.4.1), this is the end: a
    /// server never polls the body then.
    pub(super) fn head<B>(&mut self, response: &Response<B>) {
        let Some(watched) = &mut self.0 else { return };
        let status = response.status();
        watched.end.status = Some(status);
        watched.end.head = Some(watched.started.elapsed());
        watched.declared = response
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        let Watched { observer, exchange, context, .. } = watched;
        context.scope(|| observer.on_response(exchange, response, context));
        let bodiless = watched.head_request
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if bodiless {
            self.end(Outcome::Complete);
        }
    }

    /// More of the body was handed over; `left` is what the body itself knows of the rest.
    ///
    /// A server that has sent as many bytes as were declared drops the body without asking for
    /// its end, and that is a complete answer.
    pub(super) fn data(&mut self, bytes: u64, left: Option<u64>) {
        let Some(watched) = &mut self.0 else { return };
        watched.end.bytes_out += bytes;
        let all_sent = watched.declared.is_some_and(|length| watched.end.bytes_out >= length);
        watched.end.outcome = match left {
            Some(0) => Outcome::Complete,
            _ if all_sent => Outcome::Complete,
            _ => Outcome::ClientGone,
        };
    }

    pub(super) fn end(&mut self, outcome: Outcome) {
        let Some(watched) = self.0.take() else { return };
        let Watched { observer, exchange, context, started, mut end, .. } = watched;
        end.outcome = outcome;
        end.duration = started.elapsed();
        context.scope(|| observer.on_end(exchange, &end, &context));
    }
}

impl<O: Observer> Drop for Guard<O> {
    fn drop(&mut self) {
        let Some(watched) = &self.0 else { return };
        let outcome = if std::thread::panicking() { Outcome::Panic } else { watched.end.outcome };
        // A panic that leaves a `Drop` during unwinding ends the process. What was observed is
        // gone either way, so nothing can be seen in a broken state.
        let _ = catch_unwind(AssertUnwindSafe(|| self.end(outcome)));
    }
}
