//! HTTP, and gRPC over it.

use std::{fmt, sync::Arc, time::Duration};

use buttress_core::{
    body::ResponseBody,
    reject::{DefaultResponder, GrpcCode, Protocol, Rejected, Rejection},
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::Body;
use tokio::time::timeout;

use self::statuses::Statuses;
use super::Read;
use crate::{
    deadline::DeadlineHeader,
    error::ConfigError,
    idempotency::Idempotency,
    peek::PeekedBody,
    retry_after::{Pushback, RetryAfter, pushback},
    stop::RetryInfo,
    unsent::Unsent,
    verdict::Verdict,
};

mod request;
mod statuses;

type Classify = Arc<dyn Fn(StatusCode, &HeaderMap) -> Option<Verdict> + Send + Sync>;

const GRPC_STATUS: &str = "grpc-status";
/// Of a body, where nothing else was said.
const DEFAULT_REPLAY: usize = 64 * 1024;
/// What is read of a failed answer, so that its connection can be used again.
const DRAIN_BYTES: usize = 4 * 1024;
const DRAIN_TIME: Duration = Duration::from_millis(50);
/// How long the head of a gRPC answer waits for what follows it. Trailers of a call that has failed
/// come together with the head; a stream that waits for its first message must not be held up.
const PEEK_TIME: Duration = Duration::from_millis(10);

/// HTTP, or gRPC over it; made by [`RetryLayer::http`](crate::RetryLayer::http) and
/// [`RetryLayer::grpc`](crate::RetryLayer::grpc).
#[derive(Clone)]
pub struct Http {
    is_grpc: bool,
    pub(crate) statuses: Statuses,
    pub(crate) classify: Option<Classify>,
    pub(crate) retry_after: RetryAfter,
    pub(crate) idempotency: Idempotency,
    pub(crate) replay: usize,
    pub(crate) unsent: Unsent,
    pub(crate) deadline_header: Option<DeadlineHeader>,
}

/// There was no answer in time.
#[derive(Debug)]
pub struct Expiry;

impl Http {
    pub(crate) fn new(is_grpc: bool) -> Self {
        Self {
            is_grpc,
            statuses: Statuses::default(),
            classify: None,
            retry_after: RetryAfter::honor(),
            idempotency: Idempotency::default(),
            replay: DEFAULT_REPLAY,
            unsent: Unsent::default(),
            deadline_header: is_grpc.then_some(DeadlineHeader::grpc()),
        }
    }

    pub(crate) fn retry_status(&mut self, status: StatusCode) -> Result<(), ConfigError> {
        self.statuses.add(status)
    }

    fn judge_head(&self, status: StatusCode, headers: &HeaderMap) -> Option<Verdict> {
        if let Some(verdict) = self.classify.as_ref().and_then(|classify| classify(status, headers))
        {
            return Some(verdict);
        }
        if !self.is_grpc || status != StatusCode::OK {
            return Some(self.by_status(status, headers));
        }
        headers.get(GRPC_STATUS).map(|code| self.by_code(code, headers))
    }

    fn by_status(&self, status: StatusCode, headers: &HeaderMap) -> Verdict {
        if !status.is_server_error() && !status.is_client_error() {
            return Verdict::Done;
        }
        if !self.statuses.has(status) {
            return if status.is_server_error() { Verdict::Failed } else { Verdict::Done };
        }
        match self.retry_after.asked(headers) {
            Some(hint) if hint > self.retry_after.longest() => Verdict::RetryAfter(Duration::MAX),
            Some(hint) => Verdict::RetryAfter(hint),
            None => Verdict::Retry,
        }
    }

    /// By the status among the trailers, or among the headers where there is nothing else
    /// ("Trailers-Only").
    fn by_code(&self, code: &HeaderValue, trailers: &HeaderMap) -> Verdict {
        let code = code.to_str().ok().and_then(|code| code.parse::<u8>().ok());
        let is = |other: GrpcCode| code == Some(other as u8);
        if is(GrpcCode::Ok) {
            return Verdict::Done;
        }
        let pushback = pushback(trailers);
        let is_ignored = self.retry_after.is_ignored();
        let may_mend =
            is(GrpcCode::Unavailable) || is(GrpcCode::ResourceExhausted) && pushback.is_some();
        match pushback {
            _ if !may_mend => Verdict::Failed,
            None => Verdict::Retry,
            Some(Pushback::Never) => Verdict::Pushback,
            Some(Pushback::In(_)) if is_ignored => Verdict::Retry,
            Some(Pushback::In(time)) if time > self.retry_after.longest() => {
                Verdict::RetryIn(Duration::MAX)
            }
            Some(Pushback::In(time)) => Verdict::RetryIn(time),
        }
    }

    fn stamp(&self, headers: &mut HeaderMap, left: Option<Duration>) {
        if let (Some(header), Some(left)) = (&self.deadline_header, left) {
            header.write(headers, left);
        }
    }
}

impl<B, E> Read<Response<B>, E> for Http
where
    B: Body<Data: Send, Error: Send> + Send + 'static,
    E: 'static,
{
    type Held = Response<PeekedBody<B>>;
    type Response = Response<ResponseBody<PeekedBody<B>>>;
    type Expiry = Expiry;

    #[inline]
    fn hold(response: Response<B>) -> Self::Held {
        response.map(PeekedBody::new)
    }

    #[inline]
    fn is_good(&self, response: &Response<B>) -> bool {
        // What a layer further in has refused is no success either, and needs a longer look.
        !self.is_grpc && self.classify.is_none() && response.status().as_u16() < 400
    }

    fn judge(&self, outcome: Result<&Self::Held, &E>) -> Option<Verdict> {
        let Ok(answer) = outcome else { return Some(Verdict::Retry) };
        if answer.extensions().get::<Rejected>().is_some_and(|by| by.layer() == "breaker") {
            return Some(Verdict::Rejected);
        }
        self.judge_head(answer.status(), answer.headers())
    }

    /// A gRPC answer without a status among its headers: it may follow at once.
    async fn look(&self, answer: &mut Self::Held, waits: bool) -> Verdict {
        let longest = if waits { PEEK_TIME } else { Duration::ZERO };
        let _ = timeout(longest, answer.body_mut().read(1)).await;
        // With a message before them they were not read: the caller may act upon it, and the call
        // is "committed" (gRFC A6).
        let trailers = answer.body().trailers();
        match trailers.and_then(|trailers| Some((trailers, trailers.get(GRPC_STATUS)?))) {
            Some((trailers, code)) => self.by_code(code, trailers),
            None => Verdict::Done,
        }
    }

    async fn drain(answer: &mut Self::Held, longest: Duration) {
        if answer.body().size_hint().lower() <= DRAIN_BYTES as u64 {
            let _ = timeout(longest.min(DRAIN_TIME), answer.body_mut().read(DRAIN_BYTES)).await;
        }
    }

    fn is_unsent(&self, error: &E) -> bool {
        self.unsent.is_proof(error)
    }

    #[inline]
    fn finish(mut answer: Self::Held, info: Option<RetryInfo>) -> Self::Response {
        if let Some(info) = info {
            answer.extensions_mut().insert(info);
        }
        answer.map(ResponseBody::inner)
    }

    fn expiry(&self) -> Option<Expiry> {
        Some(Expiry)
    }

    fn expired(&self, _: Expiry, reason: &'static str, info: RetryInfo) -> Self::Response {
        let protocol = if self.is_grpc { Protocol::Grpc } else { Protocol::Http };
        let mut answer = Rejection::new("retry", reason, StatusCode::GATEWAY_TIMEOUT)
            .with_detail("there was no answer in time")
            .respond(&DefaultResponder, protocol);
        answer.extensions_mut().insert(info);
        answer
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("is_grpc", &self.is_grpc)
            .field("statuses", &self.statuses)
            .field("retry_after", &self.retry_after)
            .field("idempotency", &self.idempotency)
            .field("replay", &self.replay)
            .field("unsent", &self.unsent)
            .finish_non_exhaustive()
    }
}
