//! Refusals in gRPC: an answer of trailers only.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

use super::Rejection;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_RETRY_PUSHBACK_MS: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// The status codes of gRPC (`doc/statuscodes.md` of grpc/grpc).
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
    /// backwards, with what it leaves open filled in by class.
    #[must_use]
    pub const fn from_status(status: StatusCode) -> Self {
        match status.as_u16() {
            200..=299 => Self::Ok,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::NotFound,
            408 | 504 => Self::DeadlineExceeded,
            409 => Self::Aborted,
            // Too large is "exhausted" in gRPC, as its own message limits are.
            413 | 429 | 431 => Self::ResourceExhausted,
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

/// HTTP 200 with the status among the headers and no body: "Trailers-Only" of the gRPC over
/// HTTP/2 specification.
pub(super) fn answer(rejection: Rejection, content_type: &'static str) -> Response<Bytes> {
    let Rejection { problem, grpc, retry_after, headers, .. } = rejection;
    let reason = problem.status().canonical_reason().unwrap_or("refused");
    let message = grpc_message(problem.get_detail().unwrap_or(reason));

    let mut response = Response::new(Bytes::new());
    let out = response.headers_mut();
    *out = headers;
    out.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    out.insert(GRPC_STATUS, grpc.as_header());
    out.insert(GRPC_MESSAGE, message);
    if let Some(after) = retry_after {
        let millis = after.as_nanos().div_ceil(1_000_000);
        out.insert(GRPC_RETRY_PUSHBACK_MS, u64::try_from(millis).unwrap_or(u64::MAX).into());
    }
    response
}

/// `text` as the value of `grpc-message`: bytes outside of space to `~`, and `%` itself, are
/// percent-encoded (`Percent-Encoded` in the gRPC over HTTP/2 specification).
///
/// ```
/// use buttress_core::reject::grpc_message;
///
/// assert_eq!(grpc_message("100 % größer\n"), "100 %25 gr%C3%B6%C3%9Fer%0A");
/// ```
#[must_use]
pub fn grpc_message(text: &str) -> HeaderValue {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | ..b' ' | 0x7f.. => {
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 0xf)]);
            }
            _ => out.push(byte),
        }
    }
    // Nothing but printable ASCII is left, which every header value may hold.
    HeaderValue::from_maybe_shared(Bytes::from(out)).unwrap_or(HeaderValue::from_static(""))
}
