//! CSRF protection with answers of ours.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use buttress_core::{
    body::ResponseBody,
    reject::{DefaultResponder, Protocol, Rejection},
};
use http::{HeaderValue, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tower_service::Service;

use crate::origin::{self, ConfigError};

/// Turns cross-site requests away that a browser sends without its user wanting it.
///
/// The rule is tower-http's [`CsrfLayer`]: by `Sec-Fetch-Site` and `Origin`, without tokens. GET,
/// HEAD and OPTIONS pass, and so does whatever is no browser. Origins that [`Cors`](crate::Cors)
/// lets in are trusted here too: what one slot allows, the other does not refuse.
///
/// ```
/// use buttress::{Csrf, Stack};
///
/// let stack = Stack::new().csrf(Csrf::new().trust(["https://admin.example.com"])?);
/// # let _ = stack;
/// # Ok::<(), buttress::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Csrf {
    trusted: Vec<HeaderValue>,
}

impl Csrf {
    /// Trusts the service's own origin alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts these origins as well.
    ///
    /// # Errors
    ///
    /// As [`Cors::allow`](crate::Cors::allow).
    pub fn trust<I>(mut self, origins: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        self.trusted.extend(origin::parse_all(origins)?);
        Ok(self)
    }

    /// The layer that trusts `more` beside its own.
    pub(crate) fn layer(&self, more: &[HeaderValue]) -> CsrfLayer {
        self.trusted.iter().chain(more).filter_map(|origin| origin.to_str().ok()).fold(
            CsrfLayer::new(),
            |layer, origin| {
                // Each was judged by `origin::parse`, which is the stricter of the two.
                layer.clone().add_trusted_origin(origin).unwrap_or(layer)
            },
        )
    }
}

impl fmt::Display for Csrf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("own origin")?;
        for origin in &self.trusted {
            write!(f, ", {}", origin.to_str().unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Puts tower-http's refusal into the family's words, for the protocol that the caller speaks:
/// what builds the answer there is not shown the request.
#[derive(Clone, Debug)]
pub struct CsrfAnswer<S>(pub(crate) S);

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for CsrfAnswer<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResponseBody<ResBody>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = CsrfFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let protocol = Protocol::of(request.headers());
        CsrfFuture { future: self.0.call(request), protocol }
    }
}

pin_project! {
    #[derive(Debug)]
    pub struct CsrfFuture<F> {
        #[pin]
        future: F,
        protocol: Protocol,
    }
}

impl<F, B, E> Future for CsrfFuture<F>
where
    F: Future<Output = Result<Response<ResponseBody<B>>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let response = ready!(this.future.poll(cx))?;
        if response.extensions().get::<ProtectionError>().is_none() {
            return Poll::Ready(Ok(response));
        }
        let no = Rejection::new("csrf", "cross_origin", StatusCode::FORBIDDEN)
            .detail("this request came from a page of another origin");
        Poll::Ready(Ok(no.respond(&DefaultResponder, *this.protocol)))
    }
}
