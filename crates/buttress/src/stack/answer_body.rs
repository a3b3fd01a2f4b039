use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::{
    body::ResponseBody,
    context::InRequest,
    observe::{ObserveBody, Observer},
};
use buttress_problem::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_http::compression::CompressionBody;

use super::{drain::DrainedBody, observers::Observers};

/// Its parts from the outside in: the context, the request id, the observers, compression.
pub(super) type Layered<B, O> = InRequest<InRequest<ObserveBody<MaybeCompressed<B>, Observers<O>>>>;
/// Of the probes, or what drains.
type Outermost<B, O> = ResponseBody<DrainedBody<Layered<B, O>>>;

pin_project! {
    /// The body of what a service inside a [`Stack`](crate::Stack) answers, as it leaves the
    /// stack: `B` is the body that leaves the joint, [`GuardedBody`](crate::GuardedBody) where the
    /// joint is empty, and `O` what [observes](crate::Stack::observe).
    ///
    /// It is one type whatever is filled. Its data is [`Bytes`], and its error a boxed one, since
    /// compressing can fail too, and a body may panic.
    ///
    /// ```
    /// use buttress::{AnswerBody, Stack};
    /// # use bytes::Bytes;
    /// # use http::{Request, Response};
    /// # use http_body_util::{BodyExt, Full};
    /// # use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// # let service = service_fn(|_| async {
    /// #     Ok::<_, std::convert::Infallible>(Response::new(Full::from("hello")))
    /// # });
    /// # let request = Request::new(Full::<Bytes>::default());
    /// let answer: Response<AnswerBody<_>> = Stack::new().layer(service).oneshot(request).await?;
    /// assert_eq!(answer.into_body().collect().await?.to_bytes(), "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub struct AnswerBody<B, O = ()>
    where
        B: Body,
        O: Observer,
    {
        #[pin]
        body: Outermost<B, O>,
    }
}

impl<B: Body, O: Observer> AnswerBody<B, O> {
    pub(super) const fn new(body: Outermost<B, O>) -> Self {
        Self { body }
    }
}

/// The empty body, whatever `B` is.
impl<B: Body, O: Observer> Default for AnswerBody<B, O> {
    fn default() -> Self {
        Self::new(ResponseBody::empty())
    }
}

impl<B: Body, O: Observer> fmt::Debug for AnswerBody<B, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerBody").finish_non_exhaustive()
    }
}

impl<B, O> Body for AnswerBody<B, O>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    O: Observer,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    #[project = MaybeCompressedProj]
    #[derive(Default)]
    pub(super) enum MaybeCompressed<B: Body> {
        // Boxed: of all that an answer's body consists of it is the largest, and most have none.
        Compressed { body: Pin<Box<CompressionBody<B>>> },
        Plain { #[pin] body: B },
        // CORS's own answers.
        #[default]
        Empty,
    }
}

impl<B> Body for MaybeCompressed<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project() {
            MaybeCompressedProj::Compressed { body } => body.as_mut().poll_frame(cx),
            MaybeCompressedProj::Plain { body } => {
                body.poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            MaybeCompressedProj::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Compressed { body } => body.is_end_stream(),
            Self::Plain { body } => body.is_end_stream(),
            Self::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Compressed { body } => body.size_hint(),
            Self::Plain { body } => body.size_hint(),
            Self::Empty => SizeHint::with_exact(0),
        }
    }
}
