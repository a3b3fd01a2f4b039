//! An answer's body of which the beginning has been looked at.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// How many frames are read ahead at most, whatever their size.
const MAX_FRAMES: usize = 64;

pin_project! {
    /// The inner service's body; what was read of it ahead comes first.
    ///
    /// A body that was never looked at is passed on as it is. What was read of a failed answer, to
    /// leave its connection usable, is not lost when that answer is returned after all.
    pub struct PeekedBody<B>
    where
        B: Body,
    {
        // In use only while nothing was read.
        #[pin]
        inner: Option<B>,
        ended: bool,
        // Boxed: most bodies are never looked at, and each is moved a few times.
        peeked: Option<Box<Peeked<B>>>,
    }
}

type Item<B> = Result<Frame<<B as Body>::Data>, <B as Body>::Error>;

struct Peeked<B: Body> {
    frames: VecDeque<Item<B>>,
    bytes: usize,
    /// Boxed, since it is polled before it has found its place.
    body: Pin<Box<B>>,
    ended: bool,
}

impl<B: Body> PeekedBody<B> {
    pub(crate) const fn new(body: B) -> Self {
        Self { inner: Some(body), ended: false, peeked: None }
    }

    /// Reads ahead to the end, or until there are so many bytes. Dropped, it loses nothing.
    pub(crate) async fn read(&mut self, bytes: usize) {
        if let Some(body) = self.inner.take() {
            let (frames, ended) = (VecDeque::new(), self.ended || body.is_end_stream());
            let body = Box::pin(body);
            self.peeked = Some(Box::new(Peeked { frames, bytes: 0, body, ended }));
        }
        let Some(peeked) = &mut self.peeked else { return };
        poll_fn(|cx| peeked.poll_read(bytes, cx)).await;
    }

    /// The trailers, if they are among what was read.
    pub(crate) fn trailers(&self) -> Option<&HeaderMap> {
        let last = self.peeked.as_ref()?.frames.back()?;
        last.as_ref().ok()?.trailers_ref()
    }
}

impl<B: Body> Peeked<B> {
    fn poll_read(&mut self, bytes: usize, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.ended || self.bytes >= bytes || self.frames.len() >= MAX_FRAMES {
                return Poll::Ready(());
            }
            let Some(frame) = ready!(self.body.as_mut().poll_frame(cx)) else {
                self.ended = true;
                continue;
            };
            self.ended = match &frame {
                Ok(frame) => frame.is_trailers() || self.body.is_end_stream(),
                Err(_) => true,
            };
            let data = frame.as_ref().ok().and_then(Frame::data_ref);
            self.bytes = self.bytes.saturating_add(data.map_or(0, Buf::remaining));
            self.frames.push_back(frame);
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<B>>> {
        if let Some(frame) = self.frames.pop_front() {
            let data = frame.as_ref().ok().and_then(Frame::data_ref);
            self.bytes = self.bytes.saturating_sub(data.map_or(0, Buf::remaining));
            return Poll::Ready(Some(frame));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(self.body.as_mut().poll_frame(cx));
        self.ended = is_last(frame.as_ref());
        Poll::Ready(frame)
    }

    fn size_hint(&self) -> SizeHint {
        let peeked = self.bytes as u64;
        let mut hint = SizeHint::new();
        let is_all_data = self.frames.iter().all(|frame| frame.as_ref().is_ok_and(Frame::is_data));
        if self.ended {
            hint.set_lower(peeked);
            // With an exact size, HTTP/1 would leave the trailers out; and before an error, there
            // should have been more.
            if is_all_data {
                hint.set_upper(peeked);
            }
            return hint;
        }
        let rest = self.body.size_hint();
        hint.set_lower(rest.lower().saturating_add(peeked));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(peeked));
        }
        hint
    }
}

impl<B: Body> Body for PeekedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        if let Some(peeked) = this.peeked {
            return peeked.poll_frame(cx);
        }
        let (Some(inner), false) = (this.inner.as_pin_mut(), *this.ended) else {
            return Poll::Ready(None);
        };
        let frame = ready!(inner.poll_frame(cx));
        *this.ended = is_last(frame.as_ref());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match (&self.peeked, &self.inner) {
            (Some(peeked), _) => {
                peeked.frames.is_empty() && (peeked.ended || peeked.body.is_end_stream())
            }
            (None, Some(inner)) => inner.is_end_stream(),
            (None, None) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.peeked, &self.inner) {
            (Some(peeked), _) => peeked.size_hint(),
            (None, Some(inner)) => inner.size_hint(),
            (None, None) => SizeHint::with_exact(0),
        }
    }
}

/// Whether a body may not be polled again after this.
fn is_last<D, E>(frame: Option<&Result<Frame<D>, E>>) -> bool {
    !matches!(frame, Some(Ok(frame)) if !frame.is_trailers())
}

impl<B: Body> fmt::Debug for PeekedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = self.peeked.as_ref().map_or(0, |peeked| peeked.bytes);
        f.debug_struct("PeekedBody").field("read_ahead", &read).finish_non_exhaustive()
    }
}
