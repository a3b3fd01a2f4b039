//! A response body that is either the inner service's or one of ours.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a layer that may answer in the inner service's place.
    ///
    /// It holds either the inner body, of which every frame and hint is forwarded, or bytes of
    /// our own. Nothing is asked of `B` to make one: `Default` is the empty body, whatever `B`
    /// is, so that layers which want `ResBody: Default` (tower-http's `Cors`, `Timeout`) can
    /// stand outside any layer of this family.
    ///
    /// ```
    /// use buttress_core::body::ResponseBody;
    /// use bytes::Bytes;
    /// use http_body::Body;
    ///
    /// struct NoDefault;
    /// let ours: ResponseBody<NoDefault> = ResponseBody::from_bytes("slow down");
    /// # let _ = ours;
    /// let empty = ResponseBody::<http_body_util::Full<Bytes>>::default();
    /// assert!(empty.is_end_stream());
    /// ```
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        Inner { #[pin] body: B, ended: bool },
        // Empty once its bytes are sent.
        Own { bytes: Bytes },
    }
}

/// Whether a body may not be polled again after this: at its end, after its trailers or an error.
pub(crate) fn is_last<D, E>(frame: Option<&Result<Frame<D>, E>>) -> bool {
    !matches!(frame, Some(Ok(frame)) if !frame.is_trailers())
}

impl<B> ResponseBody<B> {
    /// Passes the inner service's body through.
    #[must_use]
    pub const fn inner(body: B) -> Self {
        Self { kind: Kind::Inner { body, ended: false } }
    }

    /// A body of our own, of known size and without trailers.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Own { bytes: bytes.into() } }
    }

    /// No body at all.
    #[must_use]
    pub const fn empty() -> Self {
        Self { kind: Kind::Own { bytes: Bytes::new() } }
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<B: fmt::Debug> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Inner { body, .. } => f.debug_tuple("ResponseBody").field(body).finish(),
            Kind::Own { bytes } => f.debug_tuple("ResponseBody").field(bytes).finish(),
        }
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProj::Inner { ended: true, .. } => Poll::Ready(None),
            KindProj::Inner { body, ended } => {
                let frame = ready!(body.poll_frame(cx));
                *ended = is_last(frame.as_ref());
                Poll::Ready(frame)
            }
            KindProj::Own { bytes } if bytes.is_empty() => Poll::Ready(None),
            KindProj::Own { bytes } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body, .. } => body.is_end_stream(),
            Kind::Own { bytes } => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body, .. } => body.size_hint(),
            Kind::Own { bytes } => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}
