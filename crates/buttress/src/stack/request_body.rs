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
    /// The request body that a service inside a [`Stack`](crate::Stack) is given.
    ///
    /// It is the server's body, judged by the stack while it is read. Past the body limit it ends
    /// with an error, of which [`body_too_large`](crate::body_too_large) knows.
    ///
    /// ```
    /// use buttress::RequestBody;
    /// use http::{Request, Response};
    /// use http_body_util::{BodyExt, Full};
    /// # use buttress::Stack;
    /// # use bytes::Bytes;
    /// # use http_body_util::StreamBody;
    /// # use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # type BoxError = Box<dyn std::error::Error + Send + Sync>;
    /// async fn echo<B>(request: Request<RequestBody<B>>) -> Result<Response<Full<Bytes>>, BoxError>
    /// where
    ///     B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
    /// {
    ///     let bytes = request.into_body().collect().await?.to_bytes();
    ///     Ok(Response::new(Full::new(bytes)))
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// # let service = Stack::new().body_limit(8).layer(service_fn(echo));
    /// # let answer = service.clone().oneshot(Request::new(Full::<Bytes>::from("hello"))).await?;
    /// # assert_eq!(answer.status(), 200);
    /// # let answer = service.oneshot(Request::new(Full::<Bytes>::from("too long a body"))).await?;
    /// # assert_eq!(answer.status(), 413);
    /// # Ok(())
    /// # }
    /// ```
    pub struct RequestBody<B> {
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

impl<B> RequestBody<B> {
    pub(super) const fn unlimited(body: B) -> Self {
        Self { kind: Kind::Unlimited { body } }
    }

    pub(super) fn limited(body: B, limit: u64, passed: Option<Passed>) -> Self {
        // Where a length has 32 bits, 4 GiB are the most that can be counted.
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { kind: Kind::Limited { body: Limited::new(body, limit), passed } }
    }
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}

impl<B> Body for RequestBody<B>
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

/// Whether reading a [`RequestBody`] failed because it is past the limit, however deep the error
/// lies. The stack answers for the service then; this is for what the service does besides, such
/// as its logs.
///
/// ```
/// let broken = std::io::Error::other("gone");
/// assert!(!buttress::body_too_large(&broken));
/// ```
#[must_use]
pub fn body_too_large(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source())
        .any(<dyn Error>::is::<LengthLimitError>)
}
