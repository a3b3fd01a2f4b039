use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_core::{
    body::ResponseBody,
    context::{InRequest, RequestContext},
};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{
    BoxError,
    layer::Settings,
    panic::{catch, contain},
    report,
};

pin_project! {
    /// The body of an answer: the service's, of which every frame and hint is forwarded, or a
    /// document.
    ///
    /// Where the service's panics, this one fails with [`BodyPanicked`], upon which a server
    /// breaks off: the head is sent, and no other way is left to tell that the rest is missing. Its
    /// error is boxed for that; one of the service's own can be found in it by `downcast`.
    pub struct ProblemBody<B> {
        #[pin]
        body: InRequest<Answer<B>>,
    }
}

/// The body in the request's context.
pub(crate) type Answer<B> = ResponseBody<Guarded<B>>;

impl<B> ProblemBody<B> {
    pub(crate) const fn new(context: Option<RequestContext>, body: Answer<B>) -> Self {
        Self { body: InRequest::new(context, body) }
    }
}

/// The empty body, whatever `B` is.
impl<B> Default for ProblemBody<B> {
    fn default() -> Self {
        Self::new(None, ResponseBody::empty())
    }
}

impl<B: fmt::Debug> fmt::Debug for ProblemBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProblemBody").field("body", &self.body).finish()
    }
}

impl<B> Body for ProblemBody<B>
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
    /// The service's body; empty once it has panicked. It is not watched where there are no
    /// settings.
    #[derive(Debug)]
    pub(crate) struct Guarded<B> {
        #[pin]
        body: Option<B>,
        settings: Option<Settings>,
    }
}

impl<B> Guarded<B> {
    pub(crate) const fn new(body: B, settings: Option<Settings>) -> Self {
        Self { body: Some(body), settings }
    }
}

impl<B> Body for Guarded<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(settings) = *this.settings else {
            return body.poll_frame(cx).map_err(Into::into);
        };
        match catch(settings, || body.poll_frame(cx).map_err(Into::into)) {
            Ok(frame) => frame,
            Err(panic) => {
                contain(|| this.body.set(None));
                report::caught(&panic);
                Poll::Ready(Some(Err(Box::new(BodyPanicked(())))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// The error of a response body that panicked. What it said is in the log.
#[derive(Debug)]
pub struct BodyPanicked(());

impl fmt::Display for BodyPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the response body panicked")
    }
}

impl Error for BodyPanicked {}
