//! What is kept of a request until its line is written.

use buttress_core::reject::Rejected;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, Version,
    header::{CONTENT_LENGTH, USER_AGENT},
    uri::PathAndQuery,
};

use super::{
    AccessLog,
    grpc::{self, GrpcStatus},
};

/// What is kept of one exchange until its end; nothing, where nobody listens.
#[derive(Debug)]
pub struct Exchange(pub(super) Option<Captured>);

/// Handles to what the request holds, not copies.
#[derive(Debug)]
pub(super) struct Captured {
    pub(super) method: Method,
    target: Option<PathAndQuery>,
    pub(super) user_agent: Option<HeaderValue>,
    /// The headers that are shown: their place on the list, and their value.
    pub(super) headers: Vec<(usize, HeaderValue)>,
    pub(super) bytes_in: Option<u64>,
    pub(super) rejected: Option<Rejected>,
    pub(super) grpc_status: Option<GrpcStatus>,
    version: Version,
}

impl Captured {
    pub(super) fn of<B>(request: &Request<B>, log: &AccessLog) -> Self {
        let headers = request.headers();
        let user_agent = log.parts.user_agent.then(|| headers.get(USER_AGENT)).flatten();
        let length = headers.get(CONTENT_LENGTH);
        Self {
            method: request.method().clone(),
            target: request.uri().path_and_query().cloned(),
            user_agent: user_agent.cloned(),
            headers: log.shown.captured(headers),
            bytes_in: length.and_then(|length| length.to_str().ok()?.parse().ok()),
            rejected: None,
            grpc_status: None,
            version: request.version(),
        }
    }

    pub(super) fn head<B>(&mut self, response: &Response<B>) {
        self.rejected = response.extensions().get().copied();
        // An answer without a body has its status here ("Trailers-Only").
        self.grpc_status = grpc::status(response.headers());
    }

    pub(super) fn trailers(&mut self, trailers: &HeaderMap) {
        self.grpc_status = grpc::status(trailers).or(self.grpc_status);
    }

    /// Absent where the request names an authority alone (`CONNECT`).
    pub(super) fn path(&self) -> Option<&str> {
        self.target.as_ref().map(PathAndQuery::path)
    }

    pub(super) fn query(&self) -> Option<&str> {
        self.target.as_ref().and_then(PathAndQuery::query)
    }

    pub(super) const fn protocol(&self) -> Option<&'static str> {
        Some(match self.version {
            Version::HTTP_10 => "1.0",
            Version::HTTP_11 => "1.1",
            Version::HTTP_2 => "2",
            Version::HTTP_3 => "3",
            _ => return None,
        })
    }
}
