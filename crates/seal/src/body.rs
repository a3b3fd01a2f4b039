//! HTTP bodies, sealed or opened as they pass.

use std::{
    borrow::Borrow,
    error::Error,
    fmt,
    pin::Pin,
    task::{Context as TaskContext, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{
    chunked::claimed_len,
    context::Context,
    envelope::BinaryHead,
    error::SealError,
    ring::KeyRing,
    stream::{Opener, Sealer},
};

pin_project! {
    /// Seals the data of a body into a stream, as [`SealWriter`](crate::SealWriter) does.
    ///
    /// Trailers come behind the last chunk. A body that fails ends without that chunk, so that
    /// whoever opens what there was is told that it is cut short. Where the inner body knows its
    /// size, so does this one; a `content-length` that was written before has to be taken away.
    ///
    /// ```
    /// use buttress_seal::{Key, KeyRing, OpenBody, SealBody, context};
    /// use http_body_util::{BodyExt, Full};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let ring = KeyRing::new(Key::generate()?);
    /// let body = Full::new(bytes::Bytes::from("an upload"));
    /// let sealed = SealBody::new(&ring, context!("uploads", 7), body)?;
    /// let opened = OpenBody::new(&ring, context!("uploads", 7), sealed);
    /// assert_eq!(opened.collect().await?.to_bytes(), "an upload");
    /// # Ok(())
    /// # }
    /// ```
    pub struct SealBody<B: Body> {
        #[pin]
        inner: B,
        sealer: Sealer,
        data: Option<B::Data>,
        trailers: Option<Frame<Bytes>>,
        stage: Stage,
        // What is still to come, where the inner body knew.
        left: Option<u64>,
    }
}

pin_project! {
    /// Opens a sealed stream in a body, as [`SealReader`](crate::SealReader) does.
    ///
    /// What it gives out is authentic; only its end says that it was all. Trailers come when the
    /// last chunk has been opened. After an error it has ended.
    pub struct OpenBody<B: Body> {
        #[pin]
        inner: B,
        opener: Opener,
        data: Option<B::Data>,
        trailers: Option<Frame<Bytes>>,
        stage: Stage,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The inner body has more.
    Inner,
    /// The inner body has ended; what is left is ours.
    Last,
    Ended,
}

impl<B: Body> SealBody<B> {
    /// A sealed body under the ring's primary key, bound to its place.
    ///
    /// # Errors
    /// Where the operating system has no random bytes.
    pub fn new(ring: &KeyRing, context: impl Borrow<Context>, inner: B) -> Result<Self, SealError> {
        let head = BinaryHead::len(ring.primary_id()) as u64;
        // A `content-length` is what the client claims, up to the last of 64 bits.
        let left = inner.size_hint().exact();
        let left = left.and_then(claimed_len).and_then(|message| message.checked_add(head));
        Ok(Self {
            inner,
            sealer: Sealer::new(ring, context.borrow())?,
            data: None,
            trailers: None,
            stage: Stage::Inner,
            left,
        })
    }
}

impl<B: Body> OpenBody<B> {
    /// The plain text of a body that was sealed for this place.
    pub fn new(ring: &KeyRing, context: impl Borrow<Context>, inner: B) -> Self {
        Self {
            inner,
            opener: Opener::new(ring, context.borrow().clone()),
            data: None,
            trailers: None,
            stage: Stage::Inner,
        }
    }
}

/// A frame that is neither data nor trailers passes as it is.
enum Came<D> {
    Data(D),
    Trailers(Frame<Bytes>),
    Other(Frame<Bytes>),
}

fn sort<D>(frame: Frame<D>) -> Came<D> {
    if frame.is_trailers() {
        return Came::Trailers(frame.map_data(|_| Bytes::new()));
    }
    match frame.into_data() {
        Ok(data) => Came::Data(data),
        Err(frame) => Came::Other(frame.map_data(|_| Bytes::new())),
    }
}

type Polled<E> = Poll<Option<Result<Frame<Bytes>, BodyError<E>>>>;

impl<B: Body> Body for SealBody<B> {
    type Data = Bytes;
    type Error = BodyError<B::Error>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Polled<B::Error> {
        let mut this = self.project();
        if *this.stage == Stage::Ended {
            return Poll::Ready(None);
        }
        let fail = |stage: &mut Stage, error| {
            *stage = Stage::Ended;
            Poll::Ready(Some(Err(error)))
        };
        loop {
            let pending = this.sealer.pending();
            if !pending.is_empty() {
                let frame = Bytes::copy_from_slice(pending);
                this.sealer.take(frame.len());
                *this.left = this.left.map(|left| left.saturating_sub(frame.len() as u64));
                return Poll::Ready(Some(Ok(Frame::data(frame))));
            }
            if let Some(data) = this.data.as_mut().filter(|data| Buf::has_remaining(*data)) {
                match this.sealer.absorb(data.chunk()) {
                    Ok(taken) => data.advance(taken),
                    Err(error) => return fail(this.stage, BodyError::Seal(error)),
                }
                continue;
            }
            if *this.stage == Stage::Inner {
                match ready!(this.inner.as_mut().poll_frame(cx)).map(|came| came.map(sort)) {
                    Some(Ok(Came::Data(data))) => *this.data = Some(data),
                    Some(Ok(Came::Other(frame))) => return Poll::Ready(Some(Ok(frame))),
                    Some(Ok(Came::Trailers(frame))) => {
                        *this.trailers = Some(frame);
                        *this.stage = Stage::Last;
                    }
                    Some(Err(error)) => return fail(this.stage, BodyError::Inner(error)),
                    None => *this.stage = Stage::Last,
                }
                continue;
            }
            if !this.sealer.is_finished() {
                if let Err(error) = this.sealer.finish() {
                    return fail(this.stage, BodyError::Seal(error));
                }
                continue;
            }
            *this.stage = Stage::Ended;
            return Poll::Ready(this.trailers.take().map(Ok));
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_all = self.sealer.is_finished() && self.sealer.pending().is_empty();
        self.stage == Stage::Ended || self.stage == Stage::Last && is_all && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (self.stage, self.left) {
            (Stage::Ended, _) => SizeHint::with_exact(0),
            (_, Some(left)) => SizeHint::with_exact(left),
            _ => SizeHint::default(),
        }
    }
}

impl<B: Body> Body for OpenBody<B> {
    type Data = Bytes;
    type Error = BodyError<B::Error>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Polled<B::Error> {
        let mut this = self.project();
        if *this.stage == Stage::Ended {
            return Poll::Ready(None);
        }
        let fail = |stage: &mut Stage, error| {
            *stage = Stage::Ended;
            Poll::Ready(Some(Err(error)))
        };
        loop {
            let plain = this.opener.plain();
            if !plain.is_empty() {
                let frame = Bytes::copy_from_slice(plain);
                this.opener.read(frame.len());
                return Poll::Ready(Some(Ok(Frame::data(frame))));
            }
            if let Some(data) = this.data.as_mut().filter(|data| Buf::has_remaining(*data)) {
                let length = copy(data.chunk(), this.opener.space());
                data.advance(length);
                if let Err(error) = this.opener.fill(length) {
                    return fail(this.stage, BodyError::Seal(error));
                }
                continue;
            }
            if *this.stage == Stage::Inner {
                match ready!(this.inner.as_mut().poll_frame(cx)).map(|came| came.map(sort)) {
                    Some(Ok(Came::Data(data))) => *this.data = Some(data),
                    Some(Ok(Came::Other(frame))) => return Poll::Ready(Some(Ok(frame))),
                    Some(Ok(Came::Trailers(frame))) => {
                        *this.trailers = Some(frame);
                        *this.stage = Stage::Last;
                    }
                    Some(Err(error)) => return fail(this.stage, BodyError::Inner(error)),
                    None => *this.stage = Stage::Last,
                }
                continue;
            }
            if !this.opener.is_ended() {
                if let Err(error) = this.opener.end() {
                    return fail(this.stage, BodyError::Seal(error));
                }
                continue;
            }
            *this.stage = Stage::Ended;
            return Poll::Ready(this.trailers.take().map(Ok));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stage == Stage::Ended
            || self.stage == Stage::Last && self.opener.is_ended() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() {
            return SizeHint::with_exact(0);
        }
        // Plain text is shorter than what it was sealed as. But never is it known to be none
        // before the end is authentic: who is told so does not poll, and hears of no failure.
        let mut hint = SizeHint::new();
        let held = self.data.as_ref().map_or(0, Buf::remaining) + self.opener.held();
        if let Some(upper) = self.inner.size_hint().upper() {
            hint.set_upper(upper.saturating_add(held as u64).max(1));
        }
        hint
    }
}

/// As much as there is room for.
fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let length = from.len().min(to.len());
    if let (Some(to), Some(from)) = (to.get_mut(..length), from.get(..length)) {
        to.copy_from_slice(from);
    }
    length
}

/// A body that failed, or a stream in it that did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError<E> {
    /// The inner body's error.
    Inner(E),
    /// What is in it was not authentic, or cut short.
    Seal(SealError),
}

impl<E: fmt::Display> fmt::Display for BodyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inner(error) => error.fmt(f),
            Self::Seal(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for BodyError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Inner(error) => error.source(),
            Self::Seal(_) => None,
        }
    }
}

impl<B: Body> fmt::Debug for SealBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealBody").field("stage", &self.stage).finish_non_exhaustive()
    }
}

impl<B: Body> fmt::Debug for OpenBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenBody").field("stage", &self.stage).finish_non_exhaustive()
    }
}
