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

    /// The codes that are a server span's error (OpenTelemetry semantic conventions 1.38, gRPC),
    /// and those that gRPC does not know: to a client they are UNKNOWN.
    pub(super) const fn is_servers_fault(self) -> bool {
        const FAULTS: [GrpcCode; 6] = [
            GrpcCode::Unknown,
            GrpcCode::DeadlineExceeded,
            GrpcCode::Unimplemented,
            GrpcCode::Internal,
            GrpcCode::Unavailable,
            GrpcCode::DataLoss,
        ];
        let [a, b, c, d, e, f] = FAULTS;
        let Self(code) = self;
        code > GrpcCode::Unauthenticated as u8
            || code == a as u8
            || code == b as u8
            || code == c as u8
            || code == d as u8
            || code == e as u8
            || code == f as u8
    }
}
