//! What the log is told, in the context of the request.

use buttress_core::{
    context::{self, RequestContext},
    reject::Rejected,
};
use http::StatusCode;

use crate::{
    Category,
    failure::{Carried, is_masked},
    layer::Settings,
    panic::Panic,
};

/// Tells the meters what kind of failure this was. Who was first stays.
pub(crate) fn categorize(category: Option<Category>) {
    if let (Some(category), Some(request)) = (category, context::current()) {
        request.set_error_type(category.as_str());
    }
}

/// A failure, with the chain of its causes.
pub(crate) fn carried(settings: Settings, status: StatusCode, failure: &Carried) {
    if !is_masked(status) {
        if failure.has_cause() && tracing::enabled!(target: "problem", tracing::Level::DEBUG) {
            let request = context::current();
            tracing::debug!(
                target: "problem",
                request_id = request.as_ref().and_then(RequestContext::request_id_str),
                status = status.as_u16(),
                error = failure.chain(),
                "request refused",
            );
        }
        return;
    }
    let backtrace = if settings.development { failure.backtrace() } else { None };
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

/// A panic before the head was sent.
pub(crate) fn panicked(settings: Settings, panic: &Panic) {
    panic_event(panic, settings.development, "panicked");
}

/// A panic after the head was sent.
pub(crate) fn body_panicked(settings: Settings, panic: &Panic) {
    panic_event(
        panic,
        settings.development,
        "panicked while the body was sent, which is broken off",
    );
}

fn panic_event(panic: &Panic, backtrace: bool, message: &'static str) {
    categorize(Some(Category::Panic));
    let request = context::current();
    tracing::error!(
        target: "problem",
        request_id = request.as_ref().and_then(RequestContext::request_id_str),
        error_type = Category::Panic.as_str(),
        error = panic.message.as_deref(),
        at = panic.at.as_deref(),
        backtrace = panic.backtrace.as_deref().filter(|_| backtrace),
        "{message}",
    );
}
