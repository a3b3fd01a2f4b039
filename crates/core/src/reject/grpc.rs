//! Refusals in gRPC: an answer of trailers only.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};

use super::Rejection;
use crate::problem::Problem;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_RETRY_PUSHBACK_MS: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// The longest `grpc-message`, encoded. The specification names no limit; a client has one for all
/// headers together, such as 8 KiB in grpc-java (`GrpcUtil.DEFAULT_MAX_HEADER_LIST_SIZE`).
const MAX_MESSAGE: usize = 1024;

/// The status codes of gRPC (`doc/statuscodes.md` of grpc/grpc).
///
/// ```
/// use buttress_core::reject::GrpcCode;
/// use http::StatusCode;
///
/// let code = GrpcCode::from_status(StatusCode::TOO_MANY_REQUESTS);
/// assert_eq!(code, GrpcCode::ResourceExhausted);
/// assert_eq!(code as u8, 8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are gRPC's own")]
#[repr(u8)]
pub enum GrpcCode {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl GrpcCode {
    /// The code for a refusal that is `status` in HTTP: the table of `google/rpc/code.proto` read
    /// backwards, with what it leaves open filled in by class. A refusal is never `Ok`: what is no
    /// error in HTTP is `Unknown`.
    #[must_use]
    pub const fn from_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 | 410 => Self::NotFound,
            408 | 504 => Self::DeadlineExceeded,
            409 => Self::Aborted,
            // Too large is "exhausted" in gRPC, as its own message limits are.
            413 | 429 | 431 => Self::ResourceExhausted,
            412 => Self::FailedPrecondition,
            416 => Self::OutOfRange,
            499 => Self::Cancelled,
            405 | 501 => Self::Unimplemented,
            502 | 503 => Self::Unavailable,
            400..=499 => Self::InvalidArgument,
            500..=599 => Self::Internal,
            _ => Self::Unknown,
        }
    }

    const fn as_header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Ok => "0",
            Self::Cancelled => "1",
            Self::Unknown => "2",
            Self::InvalidArgument => "3",
            Self::DeadlineExceeded => "4",
            Self::NotFound => "5",
            Self::AlreadyExists => "6",
            Self::PermissionDenied => "7",
            Self::ResourceExhausted => "8",
            Self::FailedPrecondition => "9",
            Self::Aborted => "10",
            Self::OutOfRange => "11",
            Self::Unimplemented => "12",
            Self::Internal => "13",
            Self::Unavailable => "14",
            Self::DataLoss => "15",
            Self::Unauthenticated => "16",
        })
    }
}

/// The status goes among the headers of an answer that is 200 and has no body: "Trailers-Only" of
/// the gRPC over HTTP/2 specification.
pub(super) fn write(rejection: &Rejection, content_type: &'static str, headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(GRPC_STATUS, rejection.grpc.as_header());
    headers.insert(GRPC_MESSAGE, message(rejection.problem()));
}

/// Milliseconds, rounded up. A client reads them as a signed 32-bit number, and anything else or
/// less than zero as "do not retry" (gRFC A6); at zero it comes back at once.
pub(super) fn pushback(after: Duration) -> (HeaderName, u64) {
    let millis = after.as_nanos().div_ceil(1_000_000).max(1);
    let millis = i32::try_from(millis).unwrap_or(i32::MAX);
    (GRPC_RETRY_PUSHBACK_MS, u64::from(millis.unsigned_abs()))
}

/// The detail, or else the status in words; a constant is not copied.
fn message(problem: &Problem) -> HeaderValue {
    let constant: &'static str = match problem.kept_detail() {
        Some(Cow::Owned(detail)) => return grpc_message(detail),
        Some(Cow::Borrowed(detail)) => detail,
        None => problem.status().canonical_reason().unwrap_or("refused"),
    };
    if !is_plain(constant) {
        return grpc_message(constant);
    }
    HeaderValue::from_maybe_shared(Bytes::from_static(constant.as_bytes()))
        .unwrap_or(HeaderValue::from_static(""))
}

/// `text` as the value of `grpc-message`: bytes outside of space to `~`, and `%` itself, are
/// percent-encoded (`Percent-Encoded` in the gRPC over HTTP/2 specification).
///
/// So are spaces at either end, which no field value may have (RFC 9113 §8.2.1). The value is at
/// most 1 KiB; a longer text ends before the character that would not fit.
///
/// ```
/// use buttress_core::reject::grpc_message;
///
/// assert_eq!(grpc_message("100 % größer\n"), "100 %25 gr%C3%B6%C3%9Fer%0A");
/// assert_eq!(grpc_message(" "), "%20");
/// ```
#[must_use]
pub fn grpc_message(text: &str) -> HeaderValue {
    // Nothing but printable ASCII is left, which every header value may hold.
    let value = if is_plain(text) {
        HeaderValue::from_bytes(text.as_bytes())
    } else {
        HeaderValue::from_maybe_shared(Bytes::from(percent_encoded(text)))
    };
    value.unwrap_or(HeaderValue::from_static(""))
}

/// Whether `text` is sent as it is.
fn is_plain(text: &str) -> bool {
    let outer_space = text.starts_with(' ') || text.ends_with(' ');
    text.len() <= MAX_MESSAGE
        && !outer_space
        && text.bytes().fold(true, |plain, byte| plain & is_plain_byte(byte))
}

const fn is_plain_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'%'
}

fn percent_encoded(text: &str) -> Vec<u8> {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
    let start = text.len() - text.trim_start_matches(' ').len();
    let inner = start..text.trim_end_matches(' ').len();

    let mut out = Vec::with_capacity(text.len().min(MAX_MESSAGE));
    for (at, c) in text.char_indices() {
        let before = out.len();
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            if is_plain_byte(byte) && (byte != b' ' || inner.contains(&at)) {
                out.push(byte);
            } else {
                out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 0xf)]);
            }
        }
        if out.len() > MAX_MESSAGE {
            out.truncate(before);
            break;
        }
    }
    // Where the text was cut, a space may be the last.
    out.truncate(out.trim_ascii_end().len());
    out
}
