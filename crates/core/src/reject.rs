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

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};

pub use self::{
    grpc::{GrpcCode, grpc_message},
    respond::{DefaultResponder, Reject},
};
use crate::{
    problem::{Prepared, Problem},
    value::Value,
};

mod grpc;
mod respond;

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
    // Most have none, and an empty map would still be moved, cloned and dropped with each.
    headers: Vec<(HeaderName, HeaderValue)>,
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
            headers: Vec::new(),
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
        self.headers.push((name, value));
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

    /// The headers that were added, line by line.
    #[must_use]
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
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
}

#[cfg(test)]
mod tests;
