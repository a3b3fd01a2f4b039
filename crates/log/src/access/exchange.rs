//! What is kept of a request until its line is written.

use std::cell::Cell;

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

thread_local! {
    static SPARE: Cell<Option<Box<Option<Captured>>>> = const { Cell::new(None) };
}

/// What is kept of one exchange until its end; nothing, where nobody listens.
#[derive(Debug)]
pub struct Exchange {
    // Behind a pointer: it is moved from the call to its future and on to its body. The memory is
    // that of the thread's last exchange.
    captured: Option<Box<Option<Captured>>>,
}

impl Exchange {
    pub(super) const NONE: Self = Self { captured: None };

    pub(super) fn new(captured: Captured) -> Self {
        let mut memory = SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default();
        *memory = Some(captured);
        Self { captured: Some(memory) }
    }

    pub(super) fn get(&self) -> Option<&Captured> {
        self.captured.as_deref()?.as_ref()
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut Captured> {
        self.captured.as_deref_mut()?.as_mut()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Some(mut memory) = self.captured.take() else { return };
        // A spare holds nothing of a request.
        *memory = None;
        // A thread that is being torn down needs none.
        let _ = SPARE.try_with(|spare| spare.set(Some(memory)));
    }
}

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
