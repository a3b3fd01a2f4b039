use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use buttress_core::{
    body::ResponseBody,
    reject::{DefaultResponder, Protocol, Rejection},
};
use http::{Request, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{LengthLimitError, Limited};
use pin_project_lite::pin_project;
use tower_service::Service;

/// The innermost slot: gives the service the one request body type of all stacks, and refuses
/// what declares itself too long.
#[derive(Clone, Debug)]
pub struct BodyLimit<S> {
    pub(super) inner: S,
    pub(super) limit: Option<usize>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for BodyLimit<S>
where
    S: Service<Request<RequestBody<ReqBody>>, Response = Response<ResBody>>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = BodyLimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let limit = self.limit.unwrap_or(usize::MAX);
        if declares_more(&request, limit) {
            return BodyLimitFuture::TooLarge { protocol: Protocol::of(request.headers()), limit };
        }
        let request = request.map(|body| RequestBody { body: Limited::new(body, limit) });
        BodyLimitFuture::Inner { future: self.inner.call(request) }
    }
}

fn declares_more<B>(request: &Request<B>, limit: usize) -> bool {
    // What is not a number here was refused by the server (RFC 9112 §6.3).
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).is_some_and(|length: u64| length > limit as u64)
}

pin_project! {
    #[project = BodyLimitFutureProj]
    #[derive(Debug)]
    pub enum BodyLimitFuture<F> {
        Inner { #[pin] future: F },
        TooLarge { protocol: Protocol, limit: usize },
    }
}

impl<F, B, E> Future for BodyLimitFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            BodyLimitFutureProj::Inner { future } => {
                let response = ready!(future.poll(cx))?;
                Poll::Ready(Ok(response.map(ResponseBody::inner)))
            }
            BodyLimitFutureProj::TooLarge { protocol, limit } => {
                let no = Rejection::new("body_limit", "too_large", StatusCode::PAYLOAD_TOO_LARGE)
                    .detail(format!("a body of at most {limit} bytes is taken"));
                Poll::Ready(Ok(no.respond(&DefaultResponder, *protocol)))
            }
        }
    }
}

pin_project! {
    /// The request body that a service inside a [`Stack`](crate::Stack) is given.
    ///
    /// It is the server's body, judged by the stack while it is read. Past the body limit it ends
    /// with an error, of which [`is_too_large`](Self::is_too_large) knows; axum's extractors
    /// answer it with 413 by themselves.
    pub struct RequestBody<B> {
        #[pin]
        body: Limited<B>,
    }
}

impl RequestBody<()> {
    /// Whether reading failed because the body is past the limit, however deep the error lies.
    ///
    /// ```
    /// use buttress::RequestBody;
    /// use http::StatusCode;
    ///
    /// fn status(error: &(dyn std::error::Error + 'static)) -> StatusCode {
    ///     if RequestBody::is_too_large(error) {
    ///         StatusCode::PAYLOAD_TOO_LARGE
    ///     } else {
    ///         StatusCode::BAD_REQUEST
    ///     }
    /// }
    /// # assert_eq!(status(&std::io::Error::other("gone")), StatusCode::BAD_REQUEST);
    /// ```
    #[must_use]
    pub fn is_too_large(error: &(dyn Error + 'static)) -> bool {
        std::iter::successors(Some(error), |error| (*error).source())
            .any(<dyn Error>::is::<LengthLimitError>)
    }
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
