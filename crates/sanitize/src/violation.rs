//! What was wrong, and where. Never what was sent.

use std::{error::Error, fmt};

use buttress_core::{
    problem::Problem,
    reject::{GrpcCode, Rejection},
    value::Value,
};
use http::{
    HeaderValue, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING},
};

use crate::rule::Rule;

/// The part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// The body.
    Body,
    /// The query of the URI.
    Query,
    /// The path of the URI.
    Path,
    /// A header.
    Header,
}

impl Place {
    /// Its name in logs and problem documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
            Self::Path => "path",
            Self::Header => "header",
        }
    }
}

/// A broken rule: which, and where. It never has a value that was sent; keys stand in the pointer,
/// cut to 64 characters and with their unprintable characters replaced.
///
/// ```
/// use buttress_sanitize::{JsonGuard, Place, Policy, Rule};
///
/// let mut guard = JsonGuard::new(&Policy::strict_json());
/// let violation = guard.push(br#"{"a/b":[0,{"__proto__":"secret"}]}"#).unwrap_err();
/// assert_eq!(violation.rule(), Rule::PrototypeKey);
/// assert_eq!(violation.pointer(), "/a~1b/1/__proto__");
/// assert_eq!((violation.place(), violation.offset()), (Place::Body, Some(21)));
/// assert_eq!(violation.status(), 400);
/// assert_eq!(violation.to_string(), "body /a~1b/1/__proto__: names an object's prototype");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    rule: Rule,
    place: Place,
    pointer: Box<str>,
    offset: Option<u64>,
}

impl Violation {
    pub(crate) fn new(rule: Rule, place: Place, pointer: String, offset: Option<u64>) -> Self {
        Self { rule, place, pointer: pointer.into(), offset }
    }

    /// The rule that was broken.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// The part of the request.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// The JSON pointer (RFC 6901) of the value or member, as far as it was read; empty for the
    /// whole. A parameter `a[b]` is `/a/b`, a header `/content-type`.
    #[must_use]
    pub const fn pointer(&self) -> &str {
        &self.pointer
    }

    /// The first byte that is wrong, counted from 0. What ends too early is wrong where it ends.
    /// `None` where that is not known, as inside a parse of `serde_json`.
    #[must_use]
    pub const fn offset(&self) -> Option<u64> {
        self.offset
    }

    /// The status of a refusal.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.rule.status()
    }

    /// The problem document (RFC 9457) of a refusal.
    ///
    /// ```
    /// use buttress_sanitize::Policy;
    ///
    /// let violation = Policy::strict_json().check_json(br#"{"a":{"__proto__":1}}"#).unwrap_err();
    /// assert_eq!(
    ///     violation.to_problem().to_json(),
    ///     r#"{"title":"Bad Request","status":400,"errors":[{"detail":"names an object's prototype","pointer":"/a/__proto__","in":"body","rule":"prototype_key"}]}"#
    /// );
    /// ```
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        Problem::new(self.status()).with_member("errors", vec![self.to_value()])
    }

    /// The refusal, and what would have been taken, where that is known (RFC 9110 §15.5.16).
    pub(crate) fn to_rejection(&self, accept: Option<&HeaderValue>) -> Rejection {
        let rejection = Rejection::new("sanitize", self.rule.name(), self.status())
            .with_member("errors", vec![self.to_value()]);
        let taken = match self.rule {
            Rule::ContentType | Rule::Charset => accept.map(|accept| (ACCEPT, accept.clone())),
            Rule::ContentEncoding => Some((ACCEPT_ENCODING, HeaderValue::from_static("identity"))),
            _ => return rejection,
        };
        // To a gRPC client it is something that the service does not do.
        let rejection = rejection.with_grpc_code(GrpcCode::Unimplemented);
        match taken {
            Some((name, value)) => rejection.with_header(name, value),
            None => rejection,
        }
    }

    /// A member of `errors`.
    pub(crate) fn to_value(&self) -> Value {
        error(self.rule.detail(), &self.pointer, self.place, self.rule.name())
    }
}

/// A member of a problem document's `errors`.
pub(crate) fn error(
    detail: impl Into<Value>,
    pointer: &str,
    place: Place,
    rule: impl Into<Value>,
) -> Value {
    Value::object([
        ("detail", detail.into()),
        ("pointer", Value::from(pointer.to_owned())),
        ("in", Value::from(place.name())),
        ("rule", rule.into()),
    ])
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.place, self.pointer(), self.rule.detail())
    }
}

/// A thing that is wrong, in a line.
pub(crate) fn write(
    f: &mut fmt::Formatter<'_>,
    place: Place,
    pointer: &str,
    detail: &str,
) -> fmt::Result {
    match pointer {
        "" => write!(f, "{}: {detail}", place.name()),
        _ => write!(f, "{} {pointer}: {detail}", place.name()),
    }
}

impl Error for Violation {}
