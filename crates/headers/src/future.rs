//! The answer, on its way out.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use buttress_core::reject::Protocol;
use http::Response;
use pin_project_lite::pin_project;

use crate::{nonce::CspNonce, policy::Policy, route::HeadersOverride};

pin_project! {
    /// The future of [`SecurityHeaders`](crate::SecurityHeaders). Dropped, it has done nothing.
    ///
    /// ```
    /// use buttress_headers::{ResponseFuture, SecurityHeadersLayer};
    /// # use http::{Request, Response};
    /// # use tower::{Layer, Service, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), std::convert::Infallible> {
    /// # let service = service_fn(|_: Request<()>| async {
    /// #     Ok::<_, std::convert::Infallible>(Response::new("hello"))
    /// # });
    /// let mut service = SecurityHeadersLayer::api().layer(service);
    /// let future: ResponseFuture<_> = service.call(Request::new(()));
    /// assert_eq!(future.await?.headers()["x-content-type-options"], "nosniff");
    /// # Ok(())
    /// # }
    /// ```
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        policy: Arc<Policy>,
        secure: bool,
        nonce: Option<CspNonce>,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) const fn new(
        inner: F,
        policy: Arc<Policy>,
        secure: bool,
        nonce: Option<CspNonce>,
    ) -> Self {
        Self { inner, policy, secure, nonce }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        finish(&mut response, this.policy, *this.secure, this.nonce.as_ref());
        Poll::Ready(Ok(response))
    }
}

fn finish<B>(response: &mut Response<B>, policy: &Policy, secure: bool, nonce: Option<&CspNonce>) {
    // No browser renders a gRPC answer, and its clients judge headers that they do not expect.
    if Protocol::of(response.headers()) != Protocol::Http {
        return;
    }
    let route = response.extensions().get::<HeadersOverride>().cloned();
    let policy = match &route {
        None => policy,
        Some(route) => match route.policy() {
            Some(policy) => policy,
            None => return,
        },
    };
    policy.apply(response, secure, nonce.and_then(CspNonce::close));
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("secure", &self.secure)
            .field("nonce", &self.nonce)
            .finish_non_exhaustive()
    }
}
