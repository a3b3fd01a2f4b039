use std::{
    convert::Infallible,
    fmt,
    future::{Future, Ready, ready},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use buttress_core::{
    body::ResponseBody,
    reject::{DefaultResponder, Protocol, Rejection},
};
use http::{Method, Request, Response, StatusCode, header::COOKIE};
use pin_project_lite::pin_project;
use tower_http::csrf::{self, CsrfLayer, ProtectionError, ResponseForProtectionError};
use tower_layer::Layer;
use tower_service::Service;

/// tower-http's rule, over nothing but itself: what comes out is the request, or none.
type Rule = csrf::Csrf<Pass, Refuse>;

/// Whether a request is let in.
#[derive(Clone)]
pub(crate) struct Judge {
    rule: Rule,
    /// For requests without cookies, where it is another one.
    bare: Option<Rule>,
}

impl Judge {
    pub(crate) fn new(rule: CsrfLayer, bare: Option<CsrfLayer>) -> Self {
        let rule_of = |layer: CsrfLayer| layer.with_rejection_response(Refuse).layer(Pass);
        Self { rule: rule_of(rule), bare: bare.map(rule_of) }
    }

    fn pass<B>(&mut self, request: Request<B>) -> Option<Request<B>> {
        // What the rule passes whatever else it is told to, and what most requests are: they need
        // not move through it.
        if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            return Some(request);
        }
        let rule = match &mut self.bare {
            Some(bare) if !request.headers().contains_key(COOKIE) => bare,
            _ => &mut self.rule,
        };
        // Both `Pass` and a refusal are there at once.
        match pin!(rule.call(request)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(verdict)) => verdict.into_body(),
            Poll::Pending => None,
        }
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").field("rule", &self.rule).field("bare", &self.bare).finish()
    }
}

#[derive(Clone, Copy, Debug)]
struct Pass;

impl<B> Service<Request<B>> for Pass {
    type Response = Response<Option<Request<B>>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(Response::new(Some(request))))
    }
}

#[derive(Clone, Copy, Debug)]
struct Refuse;

impl<B> ResponseForProtectionError<Option<Request<B>>> for Refuse {
    fn response_for_protection_error(
        &mut self,
        _: ProtectionError,
    ) -> Response<Option<Request<B>>> {
        Response::new(None)
    }
}

/// Turns cross-site requests away in the family's words and the caller's protocol: what builds
/// the answer in tower-http is not shown the request.
#[derive(Clone, Debug)]
pub(super) struct CsrfCheck<S> {
    pub(super) inner: S,
    pub(super) judge: Option<Judge>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for CsrfCheck<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResponseBody<ResBody>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = CsrfFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let Some(judge) = &mut self.judge else {
            return CsrfFuture::Inner { future: self.inner.call(request) };
        };
        let protocol = Protocol::of(request.headers());
        match judge.pass(request) {
            Some(request) => CsrfFuture::Inner { future: self.inner.call(request) },
            None => CsrfFuture::CrossOrigin { protocol },
        }
    }
}

pin_project! {
    #[project = CsrfFutureProj]
    pub(super) enum CsrfFuture<F> {
        Inner { #[pin] future: F },
        CrossOrigin { protocol: Protocol },
    }
}

impl<F, B, E> Future for CsrfFuture<F>
where
    F: Future<Output = Result<Response<ResponseBody<B>>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            CsrfFutureProj::Inner { future } => future.poll(cx),
            CsrfFutureProj::CrossOrigin { protocol } => {
                let no = Rejection::new("csrf", "cross_origin", StatusCode::FORBIDDEN)
                    .with_detail("this request came from a page of another origin");
                Poll::Ready(Ok(no.respond(&DefaultResponder, *protocol)))
            }
        }
    }
}
