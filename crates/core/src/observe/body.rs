use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Observer, Outcome, guard::Guard};
use crate::context::InRequest;

pin_project! {
    /// A response body that is watched to its end.
    pub struct ObserveBody<B, O>
    where
        O: Observer,
    {
        guard: Option<Guard<O>>,
        #[pin]
        body: InRequest<B>,
    }
}

impl<B: Body, O: Observer> ObserveBody<B, O> {
    pub(super) fn new(mut guard: Option<Guard<O>>, body: InRequest<B>) -> Self {
        if let Some(guard) = &mut guard {
            if body.is_end_stream() {
                guard.end(Outcome::Complete);
            } else {
                guard.data(0, body.size_hint().exact());
            }
        }
        Self { guard, body }
    }
}

impl<B: Default, O: Observer> Default for ObserveBody<B, O> {
    fn default() -> Self {
        Self { guard: None, body: InRequest::default() }
    }
}

impl<B: fmt::Debug, O: Observer> fmt::Debug for ObserveBody<B, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserveBody").field("body", &self.body).finish_non_exhaustive()
    }
}

impl<B: Body, O: Observer> Body for ObserveBody<B, O> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        let end = match &frame {
            Some(Ok(frame)) => match frame.data_ref() {
                Some(data) => {
                    let (bytes, left) = (data.remaining() as u64, this.body.size_hint().exact());
                    if let Some(guard) = this.guard {
                        guard.data(bytes, left);
                    }
                    this.body.is_end_stream().then_some(Outcome::Complete)
                }
                None => frame.is_trailers().then_some(Outcome::Complete),
            },
            Some(Err(_)) => Some(Outcome::BodyError),
            None => Some(Outcome::Complete),
        };
        if let (Some(guard), Some(outcome)) = (this.guard, end) {
            guard.end(outcome);
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
