//! Requests in flight, to the end of their bodies.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, Version, header::CONNECTION};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{gauge::Counted, shutdown::Shared};

/// Counts requests until their bodies have ended, and, once the shutdown has begun, says
/// `Connection: close` on HTTP/1, so that clients leave during the pre-stop. HTTP/2 has its own
/// word for it, GOAWAY, which the server sends.
///
/// It goes outside of everything that answers, so that rejections carry the header too. Made by
/// [`Shutdown::layer`](crate::Shutdown::layer).
///
/// ```
/// use buttress_shutdown::{Plan, Shutdown};
/// use http::{Request, Response, header::CONNECTION};
/// use http_body_util::Empty;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// # type Body = Empty<&'static [u8]>;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shutdown = Shutdown::embedded(Plan::docker())?;
/// let service = ServiceBuilder::new().layer(shutdown.layer()).service(service_fn(
///     |_: Request<()>| async { Ok::<_, std::io::Error>(Response::new(Body::new())) },
/// ));
/// shutdown.trigger();
/// let response = service.oneshot(Request::new(())).await?;
/// assert_eq!(response.headers()[CONNECTION], "close");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct DrainLayer(Arc<Shared>);

/// The service of [`DrainLayer`].
#[derive(Clone)]
pub struct Drain<S> {
    inner: S,
    shared: Option<Arc<Shared>>,
}

pin_project! {
    /// The future of [`Drain`]. Dropped, its request is in flight no more.
    pub struct DrainFuture<F> {
        #[pin]
        inner: F,
        version: Version,
        counted: Option<Counted>,
        shared: Option<Arc<Shared>>,
    }
}

pin_project! {
    /// The body of [`Drain`]: the inner one, whose end is the end of the request.
    #[derive(Default)]
    pub struct DrainBody<B> {
        #[pin]
        inner: B,
        ended: bool,
        counted: Option<Counted>,
    }
}

impl DrainLayer {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl<S> Layer<S> for DrainLayer {
    type Service = Drain<S>;

    fn layer(&self, inner: S) -> Drain<S> {
        Drain { inner, shared: Some(Arc::clone(&self.0)) }
    }
}

impl<S> Drain<S> {
    /// A service of the same type that counts nothing, for where a drain is a setting.
    pub const fn uncounted(inner: S) -> Self {
        Self { inner, shared: None }
    }
}

impl<S, Q, B> Service<Request<Q>> for Drain<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<DrainBody<B>>;
    type Error = S::Error;
    type Future = DrainFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let version = request.version();
        let counted = self.shared.as_ref().map(|shared| shared.requests.enter());
        let inner = self.inner.call(request);
        DrainFuture { inner, version, counted, shared: self.shared.clone() }
    }
}

impl<F, B, E> Future for DrainFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<DrainBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx));
        let counted = this.counted.take();
        let mut response = answer?;
        // An upgrade's own `Connection` says what it is; HTTP/2 has none (RFC 9113 §8.2.2).
        if *this.version <= Version::HTTP_11
            && response.status() != http::StatusCode::SWITCHING_PROTOCOLS
            && this.shared.as_ref().is_some_and(|shared| shared.has_begun())
        {
            // Beside what it says already, as `upgrade` on a 426; close wins (RFC 9112 §9.3).
            response.headers_mut().append(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response.map(|inner| DrainBody {
            // A server does not poll a body that is at its end.
            counted: counted.filter(|_| !inner.is_end_stream()),
            ended: false,
            inner,
        })))
    }
}

impl<B: Body> Body for DrainBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        let more = matches!(&frame, Some(Ok(frame)) if !frame.is_trailers());
        if !more || this.inner.is_end_stream() {
            *this.ended = true;
            *this.counted = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl fmt::Debug for DrainLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DrainLayer")
    }
}

impl<S: fmt::Debug> fmt::Debug for Drain<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for DrainFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DrainFuture")
    }
}

impl<B: fmt::Debug> fmt::Debug for DrainBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DrainBody").field("inner", &self.inner).finish_non_exhaustive()
    }
}
