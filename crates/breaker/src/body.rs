//! A body that tells how it ended.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{class::Class, permit::Permit};

pin_project! {
    /// The inner's body. Where the outcome is known [at its end](crate::OutcomeAt::EndOfBody), it is
    /// told there; dropped before, it is as a [`Permit`] that is dropped.
    pub struct BreakerBody<B> {
        // Before the permit, as in the future.
        #[pin]
        body: B,
        watched: Option<(Permit, StatusCode)>,
    }
}

impl<B> BreakerBody<B> {
    #[inline]
    pub(crate) const fn done(body: B) -> Self {
        Self { body, watched: None }
    }

    pub(crate) const fn watched(body: B, permit: Permit, status: StatusCode) -> Self {
        Self { body, watched: Some((permit, status)) }
    }
}

impl<B: Body> Body for BreakerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some((permit, status)) = this.watched.as_mut() else {
            return this.body.poll_frame(cx);
        };
        let frame = ready!(permit.run(|| this.body.as_mut().poll_frame(cx)));
        let class = match &frame {
            None => Some(Class::Success),
            Some(Err(_)) => Some(Class::Failure),
            Some(Ok(frame)) => match (frame.trailers_ref(), permit.core()) {
                (Some(trailers), Some(core)) => Some(core.settings.class(*status, trailers)),
                _ => this.body.is_end_stream().then_some(Class::Success),
            },
        };
        let Some(class) = class else { return Poll::Ready(frame) };
        if let Some((permit, _)) = this.watched.take() {
            permit.finish(class);
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

impl<B: fmt::Debug> fmt::Debug for BreakerBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerBody").field("body", &self.body).finish_non_exhaustive()
    }
}
