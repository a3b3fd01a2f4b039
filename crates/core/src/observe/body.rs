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
    ///
    /// ```
    /// use buttress_core::observe::{ObserveBody, ObserveLayer};
    /// # use http::{Request, Response};
    /// # use http_body_util::BodyExt;
    /// # use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), std::convert::Infallible> {
    /// # let service = service_fn(|_: Request<()>| async {
    /// #     Ok::<_, std::convert::Infallible>(Response::new("hello".to_owned()))
    /// # });
    /// # let observer = ();
    /// let service = ObserveLayer::new(observer).layer(service);
    /// let answer: Response<ObserveBody<String, _>> = service.oneshot(Request::new(())).await?;
    /// assert_eq!(answer.into_body().collect().await?.to_bytes(), "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub struct ObserveBody<B, O>
    where
        O: Observer,
    {
        #[pin]
        body: InRequest<B>,
        // After the body, as in the future.
        guard: Guard<O>,
    }
}

impl<B: Body, O: Observer> ObserveBody<B, O> {
    pub(super) fn new(mut guard: Guard<O>, body: InRequest<B>) -> Self {
        let (ended, left) = guard.run(|| (body.is_end_stream(), body.size_hint().exact()));
        if ended {
            guard.end_with_head();
        } else {
            guard.data(0, left);
        }
        Self { body, guard }
    }
}

impl<B: Default, O: Observer> Default for ObserveBody<B, O> {
    fn default() -> Self {
        Self { body: InRequest::default(), guard: Guard::empty() }
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
        let guard = this.guard;
        let frame = ready!(guard.run(|| this.body.as_mut().poll_frame(cx)));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    guard.data(data.remaining() as u64, this.body.size_hint().exact());
                    if this.body.is_end_stream() {
                        guard.end(Outcome::Complete);
                    }
                } else if let Some(trailers) = frame.trailers_ref() {
                    guard.trailers(trailers);
                }
            }
            Some(Err(_)) => guard.end(Outcome::BodyError),
            None => guard.end(Outcome::Complete),
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
