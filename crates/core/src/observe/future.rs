use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::{ObserveBody, Observer, Outcome, guard::Guard};
use crate::context::InRequest;

pin_project! {
    /// The future of [`Observe`](super::Observe).
    ///
    /// ```
    /// use buttress_core::observe::{ObserveLayer, ResponseFuture};
    /// # use http::{Request, Response};
    /// # use tower::{Layer, Service, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), std::convert::Infallible> {
    /// # let service = service_fn(|_: Request<()>| async {
    /// #     Ok::<_, std::convert::Infallible>(Response::new("hello".to_owned()))
    /// # });
    /// # let observer = ();
    /// let mut service = ObserveLayer::new(observer).layer(service);
    /// let future: ResponseFuture<_, _> = service.call(Request::new(()));
    /// assert_eq!(future.await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub struct ResponseFuture<F, O>
    where
        O: Observer,
    {
        #[pin]
        future: InRequest<F>,
        // After the future, so that what a cancelled call was doing is dropped, and counted, first.
        guard: Guard<O>,
    }
}

impl<F, O: Observer> ResponseFuture<F, O> {
    pub(super) const fn new(guard: Guard<O>, future: InRequest<F>) -> Self {
        Self { future, guard }
    }
}

impl<F, O: Observer> fmt::Debug for ResponseFuture<F, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<F, O, B, E> Future for ResponseFuture<F, O>
where
    F: Future<Output = Result<Response<B>, E>>,
    O: Observer,
    B: Body,
{
    type Output = Result<Response<ObserveBody<B, O>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        match this.guard.run(|| this.future.as_mut().poll(cx)) {
            Poll::Ready(Ok(response)) => {
                let mut guard = std::mem::replace(this.guard, Guard::empty());
                guard.head(&response);
                let context = this.future.take_context();
                Poll::Ready(Ok(
                    response.map(|body| ObserveBody::new(guard, InRequest::new(context, body)))
                ))
            }
            Poll::Ready(Err(error)) => {
                this.guard.end(Outcome::ServiceError);
                Poll::Ready(Err(error))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
