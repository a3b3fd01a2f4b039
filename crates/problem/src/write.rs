//! Documents, as answers.

use buttress_core::{
    body::ResponseBody,
    problem::{PROBLEM_JSON, Problem},
    reject::{DefaultResponder, Rejected, Rejection},
};
use bytes::Bytes;
use http::{
    HeaderName, Response, StatusCode,
    header::{
        ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
        CONTENT_LOCATION, CONTENT_TYPE, ETAG, LAST_MODIFIED, TRAILER, TRANSFER_ENCODING,
    },
    response::Parts,
};

use crate::{
    body::Answer,
    failure::lines,
    judge::{Caller, Judged},
    layer::Settings,
    panic::Panic,
};

/// What is said of the old body, and would be false of the document (RFC 9110 §8, RFC 9530). Not
/// `content-range`, which in a 416 is said of the resource.
const OF_THE_BODY: [HeaderName; 14] = [
    ACCEPT_RANGES,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    ETAG,
    LAST_MODIFIED,
    TRAILER,
    TRANSFER_ENCODING,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// The same answer, with a document for its body.
pub(crate) fn document<B>(mut head: Parts, problem: Problem) -> Response<Answer<B>> {
    for name in &OF_THE_BODY {
        head.headers.remove(name);
    }
    // Of a layer of ours further out it needs no second look.
    head.extensions.insert(Judged);
    head.headers.insert(CONTENT_TYPE, PROBLEM_JSON);
    let document = problem.for_request().into_http::<Bytes>().into_body();
    Response::from_parts(head, ResponseBody::from_bytes(document))
}

/// The answer in the place of a service that panicked, in the caller's protocol.
pub(crate) fn panicked<B>(settings: Settings, caller: Caller, panic: Panic) -> Response<Answer<B>> {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let mut rejection = Rejection::new("problem", "panic", status);
    if settings.development {
        let Panic { message, at, backtrace, .. } = panic;
        rejection = rejection.with_detail(message.unwrap_or_else(|| "panicked".to_owned()));
        if let Some(at) = at {
            rejection = rejection.with_member("at", at);
        }
        if let Some(backtrace) = backtrace {
            rejection = rejection.with_member("backtrace", lines(&backtrace.to_string()));
        }
    }
    let mut response = rejection.respond(&DefaultResponder, caller.protocol);
    // The service broke; nobody has refused anything.
    response.extensions_mut().remove::<Rejected>();
    response.extensions_mut().insert(Judged);
    response
}
