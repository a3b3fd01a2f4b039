//! One way to say no, for every layer of the family.
//!
//! A layer that turns a request away describes why in a [`Rejection`] and answers with what a
//! [`Reject`] makes of it. [`DefaultResponder`] speaks the caller's protocol; a closure can take
//! its place. Whichever it is, the answer carries a typed [`Rejected`] in its extensions, so that
//! logs, metrics and tests can tell who refused and why without reading a body.
//!
//! ```
//! use buttress_core::{
//!     body::ResponseBody,
//!     reject::{DefaultResponder, Protocol, Rejected, Rejection},
//! };
//! use http::{Response, StatusCode, header::RETRY_AFTER};
//! use std::time::Duration;
//!
//! let no = Rejection::new("limit", "quota_exceeded", StatusCode::TOO_MANY_REQUESTS)
//!     .with_detail("100 requests per 15 minutes")
//!     .with_retry_after(Duration::from_millis(8_400));
//! let answer: Response<ResponseBody<()>> = no.respond(&DefaultResponder, Protocol::Http);
//!
//! assert_eq!(answer.status(), 429);
//! assert_eq!(answer.headers()[RETRY_AFTER], "9");
//! assert_eq!(answer.extensions().get::<Rejected>().unwrap().reason(), "quota_exceeded");
//! ```

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};

pub use self::grpc::{GrpcCode, grpc_message};
use crate::{
    body::ResponseBody,
    context,
    problem::{PROBLEM_JSON, Prepared, Problem},
    value::Value,
};

mod grpc;

/// The protocol that a caller speaks, and so the form in which it understands a refusal.
///
/// ```
/// use buttress_core::{body::ResponseBody, reject::{DefaultResponder, Protocol, Rejection}};
/// use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
///
/// let call = Request::post("/greeter").header(CONTENT_TYPE, "application/grpc").body(())?;
/// let no = Rejection::new("auth", "no_token", StatusCode::UNAUTHORIZED);
/// let answer: Response<ResponseBody<()>> =
///     no.respond(&DefaultResponder, Protocol::of(call.headers()));
/// assert_eq!(answer.status(), 200);
/// assert_eq!(answer.headers()["grpc-status"], "16");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// Plain HTTP: a status and a problem document.
    #[default]
    Http,
    /// gRPC: status 200 and the code in `grpc-status`.
    Grpc,
    /// gRPC-Web: as gRPC, under its own media type.
    GrpcWeb,
}

impl Protocol {
    /// Judges a request's, or a response's, `content-type`.
    ///
    /// ```
    /// use buttress_core::reject::Protocol;
    /// use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
    ///
    /// let of = |value| {
    ///     Protocol::of(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]))
    /// };
    /// assert_eq!(of("application/grpc+proto"), Protocol::Grpc);
    /// assert_eq!(of("application/grpc-web-text"), Protocol::GrpcWeb);
    /// assert_eq!(of("application/json"), Protocol::Http);
    /// assert_eq!(of("application/grpcish"), Protocol::Http);
    /// ```
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        const GRPC: &[u8] = b"application/grpc";
        let Some(value) = headers.get(CONTENT_TYPE) else {
            return Self::Http;
        };
        let Some((grpc, rest)) = value.as_bytes().split_at_checked(GRPC.len()) else {
            return Self::Http;
        };
        if !grpc.eq_ignore_ascii_case(GRPC) {
            return Self::Http;
        }
        match rest.first() {
            None | Some(b'+' | b';' | b' ' | b'\t') => Self::Grpc,
            Some(b'-') => Self::of_grpc_web(rest),
            Some(_) => Self::Http,
        }
    }

    /// `-web` or `-web-text`, and then what ends a media type.
    fn of_grpc_web(rest: &[u8]) -> Self {
        let Some(rest) = rest.strip_prefix(b"-web") else {
            return Self::Http;
        };
        match rest.strip_prefix(b"-text").unwrap_or(rest).first() {
            None | Some(b'+' | b';' | b' ' | b'\t') => Self::GrpcWeb,
            Some(_) => Self::Http,
        }
    }
}

/// Who refused a request and why. It is in the extensions of every rejection's answer.
///
/// ```
/// use buttress_core::reject::Rejected;
/// use http::Response;
///
/// /// The label of a metric of answers.
/// fn refused_by<B>(response: &Response<B>) -> &'static str {
///     response.extensions().get::<Rejected>().map_or("", |rejected| rejected.layer())
/// }
/// # assert_eq!(refused_by(&Response::new(())), "");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    layer: &'static str,
    reason: &'static str,
}

impl Rejected {
    /// The layer that refused: `limit`, `breaker`, `sanitize`.
    #[must_use]
    pub const fn layer(self) -> &'static str {
        self.layer
    }

    /// Its reason, one of a few fixed words, fit for a metric's label.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.reason
    }
}

/// A refusal, before it is put into words.
///
/// ```
/// use buttress_core::reject::{GrpcCode, Rejection};
/// use http::StatusCode;
///
/// let no = Rejection::new("upload", "disk_full", StatusCode::INSUFFICIENT_STORAGE)
///     .with_detail("the upload is larger than the space that is left")
///     .with_member("bytes_left", 4096_u64)
///     .with_grpc_code(GrpcCode::ResourceExhausted);
/// assert_eq!(no.rejected().reason(), "disk_full");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a rejection does nothing until it is turned into a response"]
pub struct Rejection {
    rejected: Rejected,
    words: Words,
    grpc: GrpcCode,
    retry_after: Option<Duration>,
    headers: HeaderMap,
}

/// What it says.
#[derive(Clone, Debug)]
enum Words {
    Own(Problem),
    Prepared(Arc<Prepared>),
}

impl Rejection {
    /// `layer` refuses for `reason`. The gRPC code follows from the status
    /// ([`GrpcCode::from_status`]).
    pub fn new(layer: &'static str, reason: &'static str, status: StatusCode) -> Self {
        Self {
            rejected: Rejected { layer, reason },
            words: Words::Own(Problem::new(status)),
            grpc: GrpcCode::from_status(status),
            retry_after: None,
            headers: HeaderMap::new(),
        }
    }

    /// Says more. The client reads it: name no host, no user, no secret.
    pub fn with_detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.map_problem(|problem| problem.with_detail(detail))
    }

    /// Names the kind of problem by a URI (the document's `type`).
    pub fn with_kind(self, uri: impl Into<Cow<'static, str>>) -> Self {
        self.map_problem(|problem| problem.with_kind(uri))
    }

    /// Adds an extension member to the problem document.
    pub fn with_member(self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.map_problem(|problem| problem.with_member(name, value))
    }

    /// Takes the detail away, for clients that are told no more than the reason.
    pub fn without_detail(self) -> Self {
        self.map_problem(Problem::without_detail)
    }

    /// Writes the problem document now, but for the ids of the request: for a refusal that is made
    /// once, kept, and cloned for each answer. The clones share the document, and a word that is
    /// changed after this makes it a rejection like any other.
    ///
    /// ```
    /// use buttress_core::{
    ///     body::ResponseBody,
    ///     reject::{DefaultResponder, Protocol, Rejection},
    /// };
    /// use http::{Response, StatusCode};
    /// use std::time::Duration;
    ///
    /// let full = Rejection::new("queue", "full", StatusCode::SERVICE_UNAVAILABLE)
    ///     .with_detail("too many wait already")
    ///     .prepared();
    /// let answer: Response<ResponseBody<()>> = full
    ///     .clone()
    ///     .with_retry_after(Duration::from_secs(2))
    ///     .respond(&DefaultResponder, Protocol::Http);
    /// assert_eq!(answer.headers()["retry-after"], "2");
    /// ```
    pub fn prepared(mut self) -> Self {
        if let Words::Own(problem) = self.words {
            self.words = Words::Prepared(Arc::new(Prepared::new(problem)));
        }
        self
    }

    #[inline]
    fn map_problem(mut self, change: impl FnOnce(Problem) -> Problem) -> Self {
        self.words = Words::Own(change(match self.words {
            Words::Own(problem) => problem,
            Words::Prepared(prepared) => prepared.problem.clone(),
        }));
        self
    }

    /// Sets another gRPC code than the status's.
    pub const fn with_grpc_code(mut self, code: GrpcCode) -> Self {
        self.grpc = code;
        self
    }

    /// When to come back. In HTTP this is `Retry-After` in whole seconds, rounded up and at least
    /// 1 (RFC 9110 §10.2.3); in gRPC `grpc-retry-pushback-ms`, rounded up, from 1 to the 2³¹ - 1
    /// (25 days) that a client can read (gRFC A6).
    pub const fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds a header to the answer, in whatever protocol; the same name again adds a line.
    ///
    /// What the answer itself says stays: `content-type`, `grpc-status`, and in HTTP `retry-after`
    /// where [`with_retry_after`](Self::with_retry_after) is known. `content-length` is not sent.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Who refused and why.
    #[must_use]
    pub const fn rejected(&self) -> Rejected {
        self.rejected
    }

    /// The status in plain HTTP.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.problem().status()
    }

    /// The code in gRPC.
    #[must_use]
    pub const fn grpc_code(&self) -> GrpcCode {
        self.grpc
    }

    /// When to come back, if that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The headers that were added.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The problem document.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        match &self.words {
            Words::Own(problem) => problem,
            Words::Prepared(prepared) => &prepared.problem,
        }
    }

    /// The answer, in `responder`'s words, for a caller that speaks `protocol`.
    ///
    /// Whatever the responder writes, the answer says when to come back and has the headers that
    /// were added, as far as the responder did not write them, and [`Rejected`] is in its
    /// extensions.
    pub fn respond<R, B>(self, responder: &R, protocol: Protocol) -> Response<ResponseBody<B>>
    where
        R: Reject + ?Sized,
    {
        self.answer(responder, protocol, Extensions::new())
    }

    /// [`respond`](Self::respond)s to a request that is at hand, in the protocol that it speaks.
    ///
    /// Nothing of the request is in the answer, but its memory is put to use again: under an
    /// attack, a refusal should cost no more than need be.
    ///
    /// ```
    /// use buttress_core::{
    ///     body::ResponseBody,
    ///     reject::{DefaultResponder, Rejection},
    /// };
    /// use http::{Request, Response, StatusCode};
    ///
    /// let request = Request::post("/greeter").header("content-type", "application/grpc").body(())?;
    /// let no = Rejection::new("auth", "no_token", StatusCode::UNAUTHORIZED);
    /// let answer: Response<ResponseBody<()>> = no.respond_to(request, &DefaultResponder);
    /// assert_eq!(answer.headers()["grpc-status"], "16");
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn respond_to<R, Q, B>(
        self,
        mut request: Request<Q>,
        responder: &R,
    ) -> Response<ResponseBody<B>>
    where
        R: Reject + ?Sized,
    {
        let protocol = Protocol::of(request.headers());
        let mut extensions = std::mem::take(request.extensions_mut());
        extensions.clear();
        self.answer(responder, protocol, extensions)
    }

    /// `extensions` are empty, for an answer that has none.
    fn answer<R, B>(
        self,
        responder: &R,
        protocol: Protocol,
        extensions: Extensions,
    ) -> Response<ResponseBody<B>>
    where
        R: Reject + ?Sized,
    {
        let mut response = responder.reject(&self, protocol).map(ResponseBody::from_bytes);
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
        if response.extensions().is_empty() {
            *response.extensions_mut() = extensions;
        }
        response.extensions_mut().insert(self.rejected);
        response
    }
}

/// Adds the lines of every header of which there is none.
fn add_missing(headers: &mut HeaderMap, extra: HeaderMap) {
    let mut missing = None;
    for (name, value) in extra {
        // A name comes with its first line alone.
        if let Some(name) = name {
            // The length is the body's to say (and nobody's in gRPC).
            missing = (name != CONTENT_LENGTH && !headers.contains_key(&name)).then_some(name);
        }
        if let Some(name) = &missing {
            headers.append(name, value);
        }
    }
}

/// A number of up to three digits allocates nothing, any other once; `HeaderValue::from(u64)` does
/// so twice.
fn decimal(mut number: u64) -> HeaderValue {
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
        match protocol {
            Protocol::Http => http_answer(rejection),
            Protocol::Grpc => grpc::answer(rejection, "application/grpc"),
            Protocol::GrpcWeb => grpc::answer(rejection, "application/grpc-web"),
        }
    }
}

fn http_answer(rejection: &Rejection) -> Response<Bytes> {
    let context = context::current();
    let document = match &rejection.words {
        Words::Own(problem) => Bytes::from(problem.document(context.as_ref())),
        Words::Prepared(prepared) => prepared.document(context.as_ref()),
    };
    let mut response = Response::new(document);
    *response.status_mut() = rejection.status();
    // And `retry-after`, and what layers further out add: a map that grows is made anew.
    *response.headers_mut() = HeaderMap::with_capacity(rejection.headers.len() + 4);
    response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
    response
}

/// Rounded up: a client that came back earlier would be refused again.
fn whole_seconds(after: Duration) -> u64 {
    after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests;
