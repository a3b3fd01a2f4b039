//! What an answer says about who gave it.

use buttress_core::reject::Rejected;
use http::{HeaderMap, Response, StatusCode};

use crate::refusal::LAYER;

/// What a result says about the other side.
///
/// ```
/// use buttress_breaker::Class;
/// use std::io::{Error, ErrorKind};
///
/// fn class<T>(result: &Result<T, Error>) -> Class {
///     match result {
///         Ok(_) => Class::Success,
///         // It works, and has no such thing.
///         Err(error) if error.kind() == ErrorKind::NotFound => Class::Success,
///         Err(_) => Class::Failure,
///     }
/// }
/// # assert_eq!(class(&Ok(())), Class::Success);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It works.
    Success,
    /// It does not.
    Failure,
    /// This says nothing about it.
    Ignore,
}

/// When the outcome of a call is known.
///
/// ```
/// use buttress_breaker::{BreakerLayer, OutcomeAt, Policy};
///
/// let layer = BreakerLayer::new("reports", Policy::new())?.outcome_at(OutcomeAt::EndOfBody);
/// # Ok::<(), buttress_breaker::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OutcomeAt {
    /// With the head of the answer: the default.
    #[default]
    Head,
    /// With the end of its body, for answers that take long to come or that end with their status
    /// (gRPC streams). A body that breaks off is a failure; one that is dropped is as a call that
    /// is dropped; a slow call is one whose body ends late. A probe's [lease](crate::Probes::lease)
    /// has to be longer than such an answer takes, or no probe is ever good.
    EndOfBody,
}

/// The default: a 5xx but for 501 and 505, which say what the service is, not how it fares; in gRPC
/// UNKNOWN, `DEADLINE_EXCEEDED`, INTERNAL, UNAVAILABLE and `DATA_LOSS`.
#[inline]
pub(crate) fn by_default(status: StatusCode, headers: &HeaderMap) -> Class {
    let by_status = status.as_u16() >= 500 && !matches!(status.as_u16(), 501 | 505 | 600..);
    if by_status || !headers.is_empty() && is_grpc_failure(headers) {
        Class::Failure
    } else {
        Class::Success
    }
}

fn is_grpc_failure(headers: &HeaderMap) -> bool {
    let code = headers.get("grpc-status").map(http::HeaderValue::as_bytes);
    matches!(code, Some(b"2" | b"4" | b"13" | b"14" | b"15"))
}

/// Whether an answer is a refusal of this side's own: of a bulkhead or a limit further in, which
/// say nothing about the other. A timeout's does.
pub(crate) fn is_ours<B>(response: &Response<B>) -> bool {
    let rejected = response.extensions().get::<Rejected>();
    rejected.is_some_and(|rejected| matches!(rejected.layer(), LAYER | "limit"))
}
