//! A body that holds a seat to its end.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::seats::Seat;

pin_project! {
    /// The inner's body, which holds its seat to its end.
    pub struct BulkheadBody<B> {
        #[pin]
        body: B,
        seat: Option<Seat>,
    }
}

impl<B> BulkheadBody<B> {
    #[inline]
    pub(super) const fn new(body: B, seat: Option<Seat>) -> Self {
        Self { body, seat }
    }
}

impl<B: Body> Body for BulkheadBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        if this.seat.is_some() {
            let goes_on = matches!(&frame, Some(Ok(frame)) if !frame.is_trailers());
            if !goes_on || this.body.is_end_stream() {
                *this.seat = None;
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: fmt::Debug> fmt::Debug for BulkheadBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkheadBody").field("body", &self.body).finish_non_exhaustive()
    }
}
