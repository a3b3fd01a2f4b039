use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::Request;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_http::body::Limited;
use tower_service::Service;

pin_project! {
    /// The request body that a service inside a [`Stack`](crate::Stack) is given.
    ///
    /// It is the server's body, judged by the stack while it is read: past the body limit it ends
    /// with an error that holds `http_body_util::LengthLimitError`, which axum's extractors answer
    /// with 413.
    pub struct RequestBody<B> {
        #[pin]
        body: Limited<B>,
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

/// The innermost end of a stack: gives the service the one request body type of all stacks.
#[derive(Clone, Debug)]
pub struct Enter<S>(pub(super) S);

impl<S, B> Service<Request<Limited<B>>> for Enter<S>
where
    S: Service<Request<RequestBody<B>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Limited<B>>) -> S::Future {
        self.0.call(request.map(|body| RequestBody { body }))
    }
}
