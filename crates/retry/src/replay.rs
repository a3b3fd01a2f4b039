//! A request body that can be sent again.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use self::tape::Reader;
pub(crate) use self::tape::Tape;

mod tape;
#[cfg(test)]
mod tests;

type BoxError = Box<dyn Error + Send + Sync>;

pin_project! {
    /// The body of a request that may be sent again: its frames are kept as they stream through.
    ///
    /// It is what the inner service of [`Retry`](crate::Retry) takes. Data is kept without a copy
    /// where the body's own is [`Bytes`]. A body that turns out larger than what is kept passes on
    /// as it is, and is not sent again; trailers are sent again with the rest. One that an attempt
    /// has not read to its end is read on by the next; the attempt before, should it still ask,
    /// gets an error, never a body that looks complete.
    pub struct ReplayBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        Empty,
        Plain { #[pin] body: B, ended: bool },
        Kept { reader: Reader<B> },
    }
}

impl<B> ReplayBody<B> {
    /// A body of which nothing is kept.
    pub(crate) const fn plain(body: B) -> Self {
        Self { kind: Kind::Plain { body, ended: false } }
    }

    pub(crate) const fn empty() -> Self {
        Self { kind: Kind::Empty }
    }

    pub(crate) const fn kept(reader: Reader<B>) -> Self {
        Self { kind: Kind::Kept { reader } }
    }
}

impl<B> Body for ReplayBody<B>
where
    B: Body<Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProj::Empty => Poll::Ready(None),
            KindProj::Plain { ended: true, .. } => Poll::Ready(None),
            KindProj::Plain { body, ended } => {
                let frame = ready!(body.poll_frame(cx)).map(|frame| into_bytes::<B>(frame));
                *ended = !matches!(&frame, Some(Ok(frame)) if !frame.is_trailers());
                Poll::Ready(frame)
            }
            KindProj::Kept { reader } => reader.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Plain { body, ended } => *ended || body.is_end_stream(),
            Kind::Kept { reader } => reader.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Plain { body, .. } => body.size_hint(),
            Kind::Kept { reader } => reader.size_hint(),
        }
    }
}

/// Without a copy where the data is [`Bytes`] already.
fn into_bytes<B>(frame: Result<Frame<B::Data>, B::Error>) -> Result<Frame<Bytes>, BoxError>
where
    B: Body<Error: Into<BoxError>>,
{
    let into_bytes = |mut data: B::Data| data.copy_to_bytes(data.remaining());
    frame.map(|frame| frame.map_data(into_bytes)).map_err(Into::into)
}

impl<B> fmt::Debug for ReplayBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::Empty => "ReplayBody(empty)",
            Kind::Plain { .. } => "ReplayBody(plain)",
            Kind::Kept { .. } => "ReplayBody(kept)",
        })
    }
}

/// An attempt reads a body that a later one has taken over.
#[derive(Debug)]
struct TakenOver;

impl fmt::Display for TakenOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request's body is read on by a later attempt")
    }
}

impl Error for TakenOver {}
