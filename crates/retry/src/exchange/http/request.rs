//! What is kept of a request, and how it is sent again.

use std::{fmt, sync::Arc, time::Duration};

use buttress_core::outbound::Attempt;
use http::{Extensions, HeaderMap, HeaderName, Method, Request, Uri, Version, header::HOST};
use http_body::Body;

use super::Http;
use crate::{
    deadline::Deadline,
    exchange::Keep,
    idempotency::{Repeat, RequestHead},
    replay::{ReplayBody, Tape},
    stop::StopReason,
};

/// How often a call was sent before (gRFC A6).
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
/// A host's name is at most 253 characters long (RFC 1035 §2.3.4), and a port 5.
const MAX_HOST: usize = 253 + 1 + 5;

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
        let body = request.body();
        let is_large = !body.is_end_stream() && body.size_hint().lower() > self.replay as u64;
        // Of a large one, whether it may be repeated is why it is not; there is no other use.
        if (is_large || !self.idempotency.is_after_unsent())
            && !self.idempotency.allows(&RequestHead::of_request(request))
        {
            return Err(StopReason::NotRepeatable);
        }
        if is_large {
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
        left: Option<Duration>,
    ) -> Self::Sent {
        self.stamp(request.headers_mut(), left);
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
        request.extensions_mut().insert(Attempt::after(attempts));
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
            None => request.headers().get(HOST)?.to_str().ok()?,
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

impl<B> fmt::Debug for KeptRequest<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No header of it: some are secrets.
        f.debug_struct("KeptRequest")
            .field("has_body", &self.tape.is_some())
            .finish_non_exhaustive()
    }
}
