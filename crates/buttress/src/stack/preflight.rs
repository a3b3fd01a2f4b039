use std::{
    fmt,
    task::{Context, Poll},
};

use http::{
    Method, Request, Response,
    header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN},
};
use tower_http::cors::{self, Cors};
use tower_service::Service;

use super::slot::SlotFuture;

/// Leaves to CORS what is CORS. tower-http's answers every OPTIONS by itself; a preflight is one
/// with `Origin` and `Access-Control-Request-Method` (Fetch, "CORS-preflight request"), and any
/// other is the service's to answer (RFC 9110 §9.3.7).
#[derive(Clone)]
pub(super) struct Preflight<S>(pub(super) Cors<S>);

impl<S> fmt::Debug for Preflight<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preflight").finish_non_exhaustive()
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Preflight<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = PreflightFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let asks = |name| request.headers().contains_key(name);
        let preflight = asks(ORIGIN) && asks(ACCESS_CONTROL_REQUEST_METHOD);
        if request.method() == Method::OPTIONS && !preflight {
            SlotFuture::Empty { future: self.0.get_mut().call(request) }
        } else {
            SlotFuture::Filled { future: self.0.call(request) }
        }
    }
}

pub(super) type PreflightFuture<F> = SlotFuture<cors::ResponseFuture<F>, F>;
