//! The service: keep what may be sent again, and send it.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use tower_service::Service;

use crate::{
    call::{Call, ErrorOf, ResponseOf, Run},
    deadline::Deadline,
    exchange::{Http, Keep, Read},
    future::ResponseFuture,
    pursue::{First, pursue},
    shared::Shared,
    stop::StopReason,
};

/// Sends requests to `S` again when they fail; made by a [`RetryLayer`](crate::RetryLayer).
///
/// `S` is `Clone`, since an attempt needs an instance of its own, which is ready for it. It takes
/// a [`Request`](http::Request) of a [`ReplayBody`](crate::ReplayBody) for one of a body.
///
/// ```
/// use buttress_retry::{ReplayBody, Retry, RetryLayer};
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper_util::{
///     client::legacy::{Client, connect::HttpConnector},
///     rt::TokioExecutor,
/// };
/// use tower::Layer;
///
/// struct Upstream {
///     client: Retry<Client<HttpConnector, ReplayBody<Full<Bytes>>>>,
/// }
///
/// let client = Client::builder(TokioExecutor::new()).build_http();
/// let upstream = Upstream { client: RetryLayer::http().layer(client) };
/// ```
pub struct Retry<S, X = Http> {
    inner: S,
    shared: Arc<Shared<X>>,
}

impl<S, X> Retry<S, X> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared<X>>) -> Self {
        Self { inner, shared }
    }
}

impl<S, X, Req> Service<Req> for Retry<S, X>
where
    X: Keep<Req, Kept: Send + 'static> + Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>,
    <X as Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>>::Held: Send + 'static,
    <X as Read<ResponseOf<X, S, Req>, ErrorOf<X, S, Req>>>::Expiry: Send + 'static,
    S: Service<X::Sent, Future: Send + 'static, Error: Send + 'static> + Clone + Send + 'static,
    Req: 'static,
{
    type Response = X::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, X, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let shared = &self.shared;
        let deadline = shared.exchange.deadline(&request);
        let left = deadline.map(Deadline::left);
        if left.is_some_and(|left| left.is_zero())
            && let Some(expiry) = shared.exchange.expiry()
        {
            return ResponseFuture::late(Call::new(shared, None, deadline), expiry);
        }
        let call = Call::new(shared, shared.budgets.own(|| X::host(&request)), deadline);
        let left = call.time_told(left);
        if shared.max_attempts == 1 {
            let future = self.inner.call(shared.exchange.send(request, None, left));
            return ResponseFuture::first(future, call, Err(StopReason::Attempts));
        }
        let mut kept = match shared.exchange.keep(&request) {
            Ok(kept) => kept,
            Err(stop) => {
                let future = self.inner.call(shared.exchange.send(request, None, left));
                return ResponseFuture::first(future, call, Err(stop));
            }
        };
        let sent = shared.exchange.send(request, Some(&mut kept), left);
        let future = self.inner.call(sent);
        let inner = self.inner.clone();
        if shared.hedging.is_some() {
            let run = Run::new(call, inner, kept);
            return ResponseFuture::later(pursue::<S, X, Req>(run, First::Sent(Box::pin(future))));
        }
        ResponseFuture::first(future, call, Ok((inner, kept)))
    }
}

impl<S: Clone, X> Clone for Retry<S, X> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: fmt::Debug, X: fmt::Debug> fmt::Debug for Retry<S, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry").field("inner", &self.inner).field("policy", &self.shared).finish()
    }
}
