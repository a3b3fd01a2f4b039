//! The status of a gRPC call.

use buttress_core::reject::GrpcCode;
use http::{HeaderMap, HeaderName};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The number in `grpc-status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GrpcStatus(pub(super) u8);

/// What these headers or trailers say. What cannot be read is UNKNOWN, as it is to a client
/// (`doc/http-grpc-status-mapping.md` of grpc/grpc).
pub(super) fn status(headers: &HeaderMap) -> Option<GrpcStatus> {
    let value = headers.get(GRPC_STATUS)?;
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    Some(GrpcStatus(number.unwrap_or(GrpcCode::Unknown as u8)))
}

impl GrpcStatus {
    pub(super) const fn is_ok(self) -> bool {
        self.0 == GrpcCode::Ok as u8
    }

    /// UNKNOWN, `DEADLINE_EXCEEDED`, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and `DATA_LOSS` are a
    /// server span's error (OpenTelemetry semantic conventions 1.38, gRPC); a number that gRPC
    /// does not know is UNKNOWN to a client.
    pub(super) const fn is_servers_fault(self) -> bool {
        matches!(self.0, 2 | 4 | 12..=15 | 17..)
    }
}
