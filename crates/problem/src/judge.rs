//! What becomes of an answer: the decision, and nothing else.

use buttress_core::reject::{Protocol, Rejected};
use http::{
    HeaderMap, Method, Request,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
    response::Parts,
};

use crate::{failure::is_masked, layer::Settings};

/// How long a text may be, in bytes, to become a document's detail, or to be logged: 8 KiB. What
/// is longer was not written as one error's message.
pub const MAX_TEXT: u64 = 8 * 1024;

/// Among an answer's extensions: it was written for the client, and goes out as it is, whatever
/// its status.
///
/// For one answer; for all JSON that a service writes there is
/// [`ProblemLayer::keep_json`](crate::ProblemLayer::keep_json).
///
/// ```
/// use buttress_problem::Public;
/// use http::{Response, StatusCode};
///
/// let not_ready = Response::builder()
///     .status(StatusCode::SERVICE_UNAVAILABLE)
///     .header("content-type", "application/json")
///     .extension(Public)
///     .body(r#"{"database":"down"}"#);
/// # not_ready.unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Public;

/// Among an answer's extensions: a layer of ours further in has judged it, and logged what it had
/// to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged;

/// What has to be known of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) protocol: Protocol,
    head: bool,
}

impl Caller {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        Self { protocol: Protocol::of(request.headers()), head: *request.method() == Method::HEAD }
    }

    /// Whether a document would be understood, and sent at all.
    ///
    /// That a caller claims to speak gRPC is no reason to show it what is masked: any client can
    /// send that media type. A gRPC service answers in its own.
    pub(crate) fn reads_documents(self, settings: Settings, answer: &Parts) -> bool {
        let speaks_http = self.protocol == Protocol::Http || masks(settings, answer);
        !self.head && speaks_http && Protocol::of(&answer.headers) == Protocol::Http
    }
}

/// What becomes of an answer of 400 and up that is not a [`Failure`](crate::Failure)'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It goes out as it is.
    Keep,
    /// Its body is read: a text becomes the detail of a document; what is masked, the log's.
    Read,
    /// A document takes the place of a body that is empty, or not fit to be read.
    Replace,
}

/// `size` is the body's exact length in bytes, if it is known.
pub(crate) fn judge(settings: Settings, head: &Parts, size: Option<u64>) -> Fate {
    let extensions = &head.extensions;
    let is_written_for_the_client = extensions.get::<Public>().is_some()
        || extensions.get::<Rejected>().is_some()
        || extensions.get::<Judged>().is_some();
    if is_written_for_the_client {
        return Fate::Keep;
    }
    if size == Some(0) {
        return Fate::Replace;
    }
    let media = Media::of(&head.headers);
    let readable =
        size.is_some_and(|size| size <= MAX_TEXT) && !head.headers.contains_key(CONTENT_ENCODING);
    match (masks(settings, head), media) {
        (true, Media::Json) if settings.keep_json => Fate::Keep,
        (true, Media::Text | Media::Unnamed | Media::Json) if readable => Fate::Read,
        (true, _) => Fate::Replace,
        (false, Media::Text | Media::Unnamed) if readable => Fate::Read,
        (false, _) => Fate::Keep,
    }
}

/// Whether the client is told of such an answer no more than its status.
pub(crate) fn masks(settings: Settings, head: &Parts) -> bool {
    !settings.development && is_masked(head.status)
}

/// The detail that a body of a few bytes makes, if it is one: text, and, where nobody says so, not
/// the beginning of something else.
pub(crate) fn detail(head: &Parts, body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let other = Media::of(&head.headers) == Media::Unnamed
        && (text.starts_with(['{', '[', '<']) || text.contains('\0'));
    (!other).then(|| text.to_owned())
}

/// What an answer's `content-type` says, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    /// There is none.
    Unnamed,
    Text,
    Json,
    Other,
}

impl Media {
    fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(CONTENT_TYPE) else {
            return Self::Unnamed;
        };
        let Some(essence) = value.as_bytes().split(|byte| *byte == b';').next() else {
            return Self::Other;
        };
        let essence = essence.trim_ascii().to_ascii_lowercase();
        match essence.as_slice() {
            b"text/plain" => Self::Text,
            b"application/json" => Self::Json,
            other if other.ends_with(b"+json") => Self::Json,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests;
