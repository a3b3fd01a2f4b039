use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use http_body_util::{LengthLimitError, Limited};
use pin_project_lite::pin_project;

use super::body_limit::Passed;

type BoxError = Box<dyn Error + Send + Sync>;

pin_project! {
    /// The server's body, of which no more is read than the body limit allows.
    pub(super) struct Bounded<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        Limited { #[pin] body: Limited<B>, passed: Option<Passed> },
        Unlimited { #[pin] body: B },
    }
}

impl<B> Bounded<B> {
    pub(super) const fn unlimited(body: B) -> Self {
        Self { kind: Kind::Unlimited { body } }
    }

    pub(super) fn limited(body: B, limit: u64, passed: Option<Passed>) -> Self {
        // Where a length has 32 bits, 4 GiB are the most that can be counted.
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { kind: Kind::Limited { body: Limited::new(body, limit), passed } }
    }
}

impl<B> fmt::Debug for Bounded<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded").finish_non_exhaustive()
    }
}

impl<B> Body for Bounded<B>
where
    B: Body<Error: Into<BoxError>>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        match self.project().kind.project() {
            KindProj::Unlimited { body } => {
                body.poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            KindProj::Limited { body, passed } => {
                let frame = body.poll_frame(cx);
                if let (Poll::Ready(Some(Err(error))), Some(passed)) = (&frame, passed)
                    && error.is::<LengthLimitError>()
                {
                    passed.tell();
                }
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Limited { body, .. } => body.is_end_stream(),
            Kind::Unlimited { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Limited { body, .. } => body.size_hint(),
            Kind::Unlimited { body } => body.size_hint(),
        }
    }
}
