//! How a rejection becomes an answer.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};

use super::{Protocol, Rejection, Words, grpc};
use crate::{body::ResponseBody, context, problem::PROBLEM_JSON};

/// As many headers as an answer has with what layers further out add: a map that grows is made
/// anew.
const ROOM: usize = 6;
/// A request's map that is larger is not kept for so few.
const MOST_ROOM: usize = 64;

impl Rejection {
    /// The answer, in `responder`'s words, for a caller that speaks `protocol`.
    ///
    /// Whatever the responder writes, the answer says when to come back and has the headers that
    /// were added, as far as the responder did not write them, and
    /// [`Rejected`](super::Rejected) is in its extensions.
    pub fn respond<R, B>(self, responder: &R, protocol: Protocol) -> Response<ResponseBody<B>>
    where
        R: Reject + ?Sized,
    {
        let response = responder.reject(&self, protocol);
        self.complete(response, protocol)
    }

    /// The answer, in the words of [`DefaultResponder`], to a request that is at hand.
    ///
    /// Nothing of the request is in it, but its memory is put to use again: whoever sends more than
    /// is served should not cost more than need be.
    ///
    /// ```
    /// use buttress_core::{body::ResponseBody, reject::Rejection};
    /// use http::{Request, Response, StatusCode};
    ///
    /// let request = Request::post("/greeter").header("content-type", "application/grpc").body(())?;
    /// let no = Rejection::new("auth", "no_token", StatusCode::UNAUTHORIZED);
    /// let answer: Response<ResponseBody<()>> = no.respond_to(request);
    /// assert_eq!(answer.headers()["grpc-status"], "16");
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn respond_to<Q, B>(self, mut request: Request<Q>) -> Response<ResponseBody<B>> {
        let protocol = Protocol::of(request.headers());
        let mut headers = std::mem::take(request.headers_mut());
        headers.clear();
        if !(ROOM..=MOST_ROOM).contains(&headers.capacity()) {
            headers = HeaderMap::with_capacity(ROOM);
        }
        let mut response = answer(&self, protocol, headers);
        let mut extensions = std::mem::take(request.extensions_mut());
        extensions.clear();
        *response.extensions_mut() = extensions;
        self.complete(response, protocol)
    }

    fn complete<B>(
        self,
        response: Response<Bytes>,
        protocol: Protocol,
    ) -> Response<ResponseBody<B>> {
        let mut response = response.map(ResponseBody::from_bytes);
        if let Some(after) = self.retry_after {
            let (name, number) = match protocol {
                Protocol::Http => (RETRY_AFTER, whole_seconds(after)),
                Protocol::Grpc | Protocol::GrpcWeb => grpc::pushback(after),
            };
            response.headers_mut().entry(name).or_insert_with(|| decimal(number));
        }
        if !self.headers.is_empty() {
            add_missing(response.headers_mut(), self.headers);
        }
        response.extensions_mut().insert(self.rejected);
        response
    }
}

/// Puts a [`Rejection`] into words: a status, a media type and a body.
///
/// It is asked by [`Rejection::respond`], which adds the rest. Any
/// `Fn(&Rejection, Protocol) -> Response<Bytes>` is one; to change only some answers, hand the
/// others to [`DefaultResponder`]:
///
/// ```
/// use buttress_core::reject::{DefaultResponder, Protocol, Reject, Rejection};
/// use bytes::Bytes;
/// use http::Response;
///
/// let plain = |rejection: &Rejection, protocol: Protocol| match protocol {
///     Protocol::Http => {
///         let mut response = Response::new(Bytes::from_static(b"not now\n"));
///         *response.status_mut() = rejection.status();
///         response
///     }
///     _ => DefaultResponder.reject(rejection, protocol),
/// };
/// # fn is_responder(_: impl Reject) {}
/// # is_responder(plain);
/// ```
pub trait Reject {
    /// Makes the answer. It runs inside the request's context, and must not block.
    fn reject(&self, rejection: &Rejection, protocol: Protocol) -> Response<Bytes>;
}

impl<F> Reject for F
where
    F: Fn(&Rejection, Protocol) -> Response<Bytes>,
{
    fn reject(&self, rejection: &Rejection, protocol: Protocol) -> Response<Bytes> {
        self(rejection, protocol)
    }
}

/// Answers in the caller's protocol: a problem document (RFC 9457), or a gRPC answer of trailers
/// only.
///
/// The problem document carries the `request_id` and the `trace_id` of the current
/// [`RequestContext`](crate::context::RequestContext), where it has them.
///
/// ```
/// use buttress_core::{
///     context::RequestContext,
///     reject::{DefaultResponder, Protocol, Reject, Rejection},
/// };
/// use http::{HeaderValue, StatusCode};
///
/// let request = RequestContext::new();
/// request.set_request_id(HeaderValue::from_static("01890a5d"));
/// let no = Rejection::new("limit", "quota_exceeded", StatusCode::TOO_MANY_REQUESTS);
/// let answer = request.scope(|| DefaultResponder.reject(&no, Protocol::Http));
/// assert_eq!(answer.headers()["content-type"], "application/problem+json");
/// assert!(String::from_utf8_lossy(answer.body()).contains("01890a5d"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultResponder;

impl Reject for DefaultResponder {
    fn reject(&self, rejection: &Rejection, protocol: Protocol) -> Response<Bytes> {
        answer(rejection, protocol, HeaderMap::with_capacity(rejection.headers.len() + ROOM))
    }
}

/// The answer with these headers, which are empty.
fn answer(rejection: &Rejection, protocol: Protocol, headers: HeaderMap) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.headers_mut() = headers;
    match protocol {
        Protocol::Http => {
            let context = context::current();
            *response.body_mut() = match &rejection.words {
                Words::Own(problem) => problem.document(context.as_ref()).into(),
                Words::Prepared(prepared) => prepared.document(context.as_ref()),
            };
            *response.status_mut() = rejection.status();
            response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        }
        Protocol::Grpc => grpc::write(rejection, "application/grpc", response.headers_mut()),
        Protocol::GrpcWeb => grpc::write(rejection, "application/grpc-web", response.headers_mut()),
    }
    response
}

/// Adds the lines of every header of which there is none.
fn add_missing(headers: &mut HeaderMap, mut lines: Vec<(HeaderName, HeaderValue)>) {
    // The length is the body's to say (and nobody's in gRPC).
    lines.retain(|(name, _)| *name != CONTENT_LENGTH && !headers.contains_key(name));
    for (name, value) in lines {
        headers.append(name, value);
    }
}

/// Rounded up: a client that came back earlier would be refused again.
pub(super) fn whole_seconds(after: Duration) -> u64 {
    after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1)
}

/// A number of up to three digits allocates nothing, any other once; `HeaderValue::from(u64)` does
/// so twice.
pub(super) fn decimal(mut number: u64) -> HeaderValue {
    let short = usize::try_from(number).ok().and_then(|number| DIGITS.get(number));
    if let Some(digits) = short {
        let zeros = digits.iter().take(2).take_while(|digit| **digit == b'0').count();
        let digits = Bytes::from_static(digits.get(zeros..).unwrap_or_default());
        return HeaderValue::from_maybe_shared(digits).unwrap_or(HeaderValue::from_static("1"));
    }
    // 2⁶⁴ has 20 digits.
    let mut digits = *b"00000000000000000000";
    let mut unused = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or(0);
        unused -= 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let digits = digits.get(unused..).unwrap_or_default();
    HeaderValue::from_bytes(digits).unwrap_or(HeaderValue::from_static("1"))
}

/// `000` to `999`: most waits, in seconds.
static DIGITS: [[u8; 3]; 1_000] = {
    let mut table = [*b"000"; 1_000];
    let mut rest: &mut [[u8; 3]] = &mut table;
    let mut next = *b"000";
    while let Some((first, others)) = rest.split_first_mut() {
        *first = next;
        next = match next {
            [a, b'9', b'9'] => [a + 1, b'0', b'0'],
            [a, b, b'9'] => [a, b + 1, b'0'],
            [a, b, c] => [a, b, c + 1],
        };
        rest = others;
    }
    table
};
