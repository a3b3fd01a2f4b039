use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::{body::ResponseBody, context::InRequest};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_http::compression::CompressionBody;

type BoxError = Box<dyn Error + Send + Sync>;
/// Its parts from the outside in: the context, the request id, CORS's own answers, compression.
pub(super) type Layered<B> = InRequest<InRequest<ResponseBody<MaybeCompressed<B>>>>;

pin_project! {
    /// The body of what a service inside a [`Stack`](crate::Stack) answers, as it leaves the
    /// stack: `B` is the body that leaves the joint.
    ///
    /// It is one type whatever is filled. Its data is [`Bytes`], and its error a boxed one, since
    /// compressing can fail too.
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
    pub struct AnswerBody<B>
    where
        B: Body,
    {
        #[pin]
        body: Layered<B>,
    }
}

impl<B: Body> AnswerBody<B> {
    pub(super) const fn new(body: Layered<B>) -> Self {
        Self { body }
    }
}

/// The empty body, whatever `B` is.
impl<B: Body> Default for AnswerBody<B> {
    fn default() -> Self {
        Self::new(InRequest::new(None, InRequest::new(None, ResponseBody::empty())))
    }
}

impl<B: Body> fmt::Debug for AnswerBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerBody").finish_non_exhaustive()
    }
}

impl<B> Body for AnswerBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
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
    pub(super) enum MaybeCompressed<B: Body> {
        Compressed { #[pin] body: CompressionBody<B> },
        Plain { #[pin] body: B },
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
            MaybeCompressedProj::Compressed { body } => body.poll_frame(cx),
            MaybeCompressedProj::Plain { body } => {
                body.poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Compressed { body } => body.is_end_stream(),
            Self::Plain { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Compressed { body } => body.size_hint(),
            Self::Plain { body } => body.size_hint(),
        }
    }
}
