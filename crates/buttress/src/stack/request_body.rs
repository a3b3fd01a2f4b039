use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use buttress_sanitize::GuardedBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::LengthLimitError;
use pin_project_lite::pin_project;

use super::bounded::Bounded;

type BoxError = Box<dyn Error + Send + Sync>;

pin_project! {
    /// The request body that a service inside a [`Stack`](crate::Stack) is given.
    ///
    /// It is the server's body, judged by the stack while it is read. Past the body limit it ends
    /// with an error, of which [`body_too_large`](crate::body_too_large) knows; where it breaks a
    /// rule of the slot [`sanitize`](crate::Stack::sanitize), with a
    /// [`BodyError`](crate::sanitize::BodyError).
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
        Judged { #[pin] body: GuardedBody<Bounded<B>> },
        Plain { #[pin] body: Bounded<B> },
    }
}

impl<B> From<GuardedBody<Bounded<B>>> for RequestBody<B> {
    fn from(body: GuardedBody<Bounded<B>>) -> Self {
        Self { kind: Kind::Judged { body } }
    }
}

impl<B> From<Bounded<B>> for RequestBody<B> {
    fn from(body: Bounded<B>) -> Self {
        Self { kind: Kind::Plain { body } }
    }
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProj::Judged { body } => {
                body.poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            KindProj::Plain { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Judged { body } => body.is_end_stream(),
            Kind::Plain { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Judged { body } => body.size_hint(),
            Kind::Plain { body } => body.size_hint(),
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
