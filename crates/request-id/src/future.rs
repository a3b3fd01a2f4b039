use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::context::{InRequest, RequestContext};
use http::Response;
use pin_project_lite::pin_project;

use crate::layer::Shared;

pin_project! {
    /// The future of [`RequestId`](crate::RequestId).
    ///
    /// ```
    /// use buttress_request_id::{RequestIdLayer, ResponseFuture};
    /// # use http::{Request, Response};
    /// # use tower::{Layer, Service, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), std::convert::Infallible> {
    /// # let service = service_fn(|_: Request<()>| async {
    /// #     Ok::<_, std::convert::Infallible>(Response::new("hello"))
    /// # });
    /// let mut service = RequestIdLayer::new().layer(service);
    /// let future: ResponseFuture<_> = service.call(Request::new(()));
    /// assert!(future.await?.headers().contains_key("x-request-id"));
    /// # Ok(())
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: InRequest<F>,
        // Empty where the id is not echoed.
        echo: Option<(Arc<Shared>, RequestContext)>,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) const fn new(
        inner: InRequest<F>,
        echo: Option<(Arc<Shared>, RequestContext)>,
    ) -> Self {
        Self { inner, echo }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<InRequest<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        match this.inner.as_mut().poll(cx) {
            Poll::Ready(Ok(mut response)) => {
                if let Some((shared, context)) = this.echo {
                    shared.echo(context, &mut response);
                }
                let context = this.inner.take_context();
                Poll::Ready(Ok(response.map(|body| InRequest::new(context, body))))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}
