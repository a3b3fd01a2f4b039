//! What the log is told, in the context of the request.

use std::thread;

use buttress_core::{
    context::{self, RequestContext},
    reject::Rejected,
};
use http::{StatusCode, response::Parts};
use tracing::{Level, Span};

use crate::{
    Category,
    failure::{Carried, is_masked},
    layer::Settings,
    panic::{self, Panic},
};

/// Tells the meters what kind of failure this was. Who was first stays.
pub(crate) fn categorize(kind: &'static str) {
    if let Some(request) = context::current() {
        request.set_error_type(kind);
    }
}

/// The same of an answer: what a layer of the family refused, by its reason; else the service's
/// own failures alone. A client's mistake is no error of the server's (OpenTelemetry's semantic
/// conventions for HTTP, `error.type`).
pub(crate) fn categorize_answer(head: &Parts, category: Option<Category>) {
    if let Some(refusal) = head.extensions.get::<Rejected>() {
        categorize(refusal.reason());
    } else if is_masked(head.status)
        && let Some(category) = category.or_else(|| Category::of(head.status))
    {
        categorize(category.as_str());
    }
}

/// A failure, with the chain of its causes.
pub(crate) fn carried(settings: Settings, status: StatusCode, failure: &Carried) {
    if !is_masked(status) {
        if failure.has_cause() && tracing::enabled!(target: "problem", Level::DEBUG) {
            let request = context::current();
            tracing::debug!(
                target: "problem",
                request_id = request.as_ref().and_then(RequestContext::request_id_str),
                status = status.as_u16(),
                category = failure.category().map(Category::as_str),
                error = failure.chain(),
                "request refused",
            );
        }
        return;
    }
    let shown = settings.development || tracing::enabled!(target: "problem", Level::DEBUG);
    let backtrace = if shown { failure.backtrace() } else { None };
    failed(status, failure.chain().as_deref(), backtrace.as_deref());
}

/// An answer of 500 and up that goes out as it is: a refusal says why, and of another one only its
/// status is known.
pub(crate) fn kept(status: StatusCode, refusal: Option<&Rejected>) {
    let error = refusal.map(|refusal| format!("{}: {}", refusal.layer(), refusal.reason()));
    failed(status, error.as_deref(), None);
}

/// An answer of 500 and up, and what it would have said.
pub(crate) fn failed(status: StatusCode, error: Option<&str>, backtrace: Option<&str>) {
    let request = context::current();
    let request = request.as_ref();
    tracing::error!(
        target: "problem",
        request_id = request.and_then(RequestContext::request_id_str),
        status = status.as_u16(),
        error_type = request.and_then(RequestContext::error_type),
        error,
        backtrace,
        "request failed",
    );
}

/// A panic that the layer has caught.
pub(crate) fn caught(caught: &Panic) {
    categorize(Category::Panic.as_str());
    if !caught.is_told {
        // A subscriber that panics too does not cost the client its answer.
        panic::contain(|| panicked(caught, &Span::current()));
    }
}

/// Whether anybody listens to what [`panicked`] says.
pub(crate) fn is_heard() -> bool {
    tracing::enabled!(target: "panic", Level::ERROR)
}

pub(crate) fn panicked(panic: &Panic, span: &Span) {
    let request = context::current();
    let shown = panic.in_development || tracing::enabled!(target: "panic", Level::DEBUG);
    let backtrace = panic.backtrace.as_ref().filter(|_| shown).map(ToString::to_string);
    tracing::error!(
        target: "panic",
        parent: span,
        request_id = request.as_ref().and_then(RequestContext::request_id_str),
        error_type = Category::Panic.as_str(),
        error = panic.message.as_deref(),
        at = panic.at.as_deref(),
        thread = thread::current().name(),
        backtrace,
        "panicked",
    );
}
