use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_http::compression::CompressionBody;

type BoxError = Box<dyn Error + Send + Sync>;

pin_project! {
    /// The body of a stack that may compress.
    #[project = MaybeCompressedProj]
    pub enum MaybeCompressed<B: Body> {
        Compressed { #[pin] body: CompressionBody<B> },
        Plain { #[pin] body: B },
    }
}

impl<B: Body> fmt::Debug for MaybeCompressed<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaybeCompressed").finish_non_exhaustive()
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
