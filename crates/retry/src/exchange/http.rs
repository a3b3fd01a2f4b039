//! HTTP, and gRPC over it.

use std::{fmt, sync::Arc, time::Duration};

use buttress_core::{
    body::ResponseBody,
    reject::{DefaultResponder, GrpcCode, Protocol, Rejected, Rejection},
};
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri,
    Version,
};
use http_body::Body;
use tokio::time::timeout;

use self::statuses::Statuses;
use super::{Keep, Read};
use crate::{
    deadline::{Deadline, DeadlineHeader},
    error::ConfigError,
    idempotency::{Idempotency, Repeat, RequestHead},
    peek::PeekedBody,
    replay::{ReplayBody, Tape},
    retry_after::{Pushback, RetryAfter, pushback},
    stop::{RetryInfo, StopReason},
    unsent::Unsent,
    verdict::Verdict,
};

mod statuses;

type Classify = Arc<dyn Fn(StatusCode, &HeaderMap) -> Option<Verdict> + Send + Sync>;

const GRPC_STATUS: &str = "grpc-status";
/// How often a call was sent before (gRFC A6).
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
/// Of a body, where nothing else was said.
const DEFAULT_REPLAY: usize = 64 * 1024;
/// What is read of a failed answer, so that its connection can be used again.
const DRAIN_BYTES: usize = 4 * 1024;
const DRAIN_TIME: Duration = Duration::from_millis(50);
/// A host's name is at most 253 characters long (RFC 1035 §2.3.4), and a port 5.
const MAX_HOST: usize = 253 + 1 + 5;
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

/// What is kept of a request to send it again.
pub struct KeptRequest<B> {
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    extensions: Extensions,
    /// `None` for an empty body.
    tape: Option<Arc<Tape<B>>>,
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
        let may_mend =
            is(GrpcCode::Unavailable) || is(GrpcCode::ResourceExhausted) && pushback.is_some();
        match pushback {
            _ if !may_mend => Verdict::Failed,
            None => Verdict::Retry,
            Some(Pushback::Never) => Verdict::Pushback,
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

impl<B> Keep<Request<B>> for Http
where
    B: Body + Send + 'static,
{
    type Sent = Request<ReplayBody<B>>;
    type Kept = KeptRequest<B>;

    /// By reference: a request is large, and each move of it costs.
    #[inline]
    fn keep(&self, request: &Request<B>) -> Result<KeptRequest<B>, StopReason> {
        if request.extensions().get() == Some(&Repeat::Never) {
            return Err(StopReason::NotRepeatable);
        }
        if !self.idempotency.is_after_unsent()
            && !self.idempotency.allows(&RequestHead::of_request(request))
        {
            return Err(StopReason::NotRepeatable);
        }
        let body = request.body();
        if !body.is_end_stream() && body.size_hint().lower() > self.replay as u64 {
            return Err(StopReason::Body);
        }
        Ok(KeptRequest {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: request.headers().clone(),
            extensions: request.extensions().clone(),
            tape: None,
        })
    }

    #[inline]
    fn send(
        &self,
        mut request: Request<B>,
        kept: Option<&mut KeptRequest<B>>,
        deadline: Option<Deadline>,
    ) -> Self::Sent {
        if let Some(deadline) = deadline {
            self.stamp(request.headers_mut(), Some(deadline.left()));
        }
        match kept {
            Some(kept) if !request.body().is_end_stream() => request.map(|body| {
                let tape = kept.tape.insert(Tape::new(body, self.replay));
                ReplayBody::kept(tape.reader())
            }),
            _ => request.map(ReplayBody::plain),
        }
    }

    fn again(
        &self,
        kept: &KeptRequest<B>,
        attempts: u32,
        left: Option<Duration>,
    ) -> Option<Self::Sent> {
        let body = match &kept.tape {
            Some(tape) => ReplayBody::kept(tape.reader()),
            None => ReplayBody::empty(),
        };
        let mut request = Request::new(body);
        *request.method_mut() = kept.method.clone();
        *request.uri_mut() = kept.uri.clone();
        *request.version_mut() = kept.version;
        *request.headers_mut() = kept.headers.clone();
        *request.extensions_mut() = kept.extensions.clone();
        self.stamp(request.headers_mut(), left);
        if self.is_grpc {
            request.headers_mut().insert(PREVIOUS_ATTEMPTS, attempts.into());
        }
        Some(request)
    }

    fn is_repeatable(&self, kept: &KeptRequest<B>) -> bool {
        self.idempotency.allows(&RequestHead {
            method: &kept.method,
            uri: &kept.uri,
            headers: &kept.headers,
            extensions: &kept.extensions,
        })
    }

    fn is_replayable(&self, kept: &KeptRequest<B>) -> bool {
        kept.tape.as_ref().is_none_or(|tape| tape.is_replayable())
    }

    fn is_complete(&self, kept: &KeptRequest<B>) -> bool {
        kept.tape.as_ref().is_none_or(|tape| tape.is_complete())
    }

    fn host(request: &Request<B>) -> Option<&str> {
        let host = match request.uri().authority() {
            // Without the name and password that may stand before it.
            Some(authority) => authority.as_str().rsplit('@').next()?,
            None => request.headers().get(http::header::HOST)?.to_str().ok()?,
        };
        (host.len() <= MAX_HOST).then_some(host)
    }

    #[inline]
    fn deadline(&self, request: &Request<B>) -> Option<Deadline> {
        let own = request.extensions().get::<Deadline>().copied();
        let told = match &self.deadline_header {
            Some(header) => header.read(request.headers()).map(Deadline::within),
            None => None,
        };
        Deadline::earliest([own, told, Deadline::current()])
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
    async fn look(&self, answer: &mut Self::Held) -> Verdict {
        let _ = timeout(PEEK_TIME, answer.body_mut().read(1)).await;
        let trailers = answer.body().trailers();
        match trailers.and_then(|trailers| Some((trailers, trailers.get(GRPC_STATUS)?))) {
            Some((trailers, code)) if answer.body().is_only_trailers() => {
                self.by_code(code, trailers)
            }
            // A message has come: the caller may act upon it (gRFC A6, "committed").
            Some(_) | None => Verdict::Done,
        }
    }

    async fn drain(answer: &mut Self::Held) {
        if answer.body().size_hint().lower() <= DRAIN_BYTES as u64 {
            let _ = timeout(DRAIN_TIME, answer.body_mut().read(DRAIN_BYTES)).await;
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

impl<B> fmt::Debug for KeptRequest<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No header of it: some are secrets.
        f.debug_struct("KeptRequest")
            .field("has_body", &self.tape.is_some())
            .finish_non_exhaustive()
    }
}
