//! The slot for what counts requests to the end of their bodies. Without the feature `shutdown`
//! there is nothing to fill it with.

#[cfg(feature = "shutdown")]
pub(super) use self::either::*;
#[cfg(not(feature = "shutdown"))]
pub(super) use self::empty::*;

#[cfg(not(feature = "shutdown"))]
mod empty {
    #[derive(Clone, Debug)]
    pub(crate) enum Filling {}
    pub(crate) type Drained<S> = S;
    pub(crate) type DrainedFuture<F> = F;
    pub(crate) type DrainedBody<B> = B;

    pub(crate) fn drained<S>(_: Option<&Filling>, inner: S) -> Drained<S> {
        inner
    }
}

#[cfg(feature = "shutdown")]
mod either {
    use std::{
        fmt,
        pin::Pin,
        task::{Context, Poll},
    };

    use buttress_shutdown::{Drain, DrainBody, DrainFuture, DrainLayer};
    use http::{Request, Response};
    use http_body::{Body, Frame, SizeHint};
    use pin_project_lite::pin_project;
    use tower_layer::Layer;
    use tower_service::Service;

    pub(crate) type Filling = DrainLayer;

    #[derive(Clone)]
    pub(crate) enum Drained<S> {
        Counted(Drain<S>),
        Plain(S),
    }

    pub(crate) fn drained<S>(layer: Option<&Filling>, inner: S) -> Drained<S> {
        match layer {
            Some(layer) => Drained::Counted(layer.layer(inner)),
            None => Drained::Plain(inner),
        }
    }

    impl<S> fmt::Debug for Drained<S> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(match self {
                Self::Counted(_) => "Counted",
                Self::Plain(_) => "Plain",
            })
        }
    }

    impl<S, Q, B> Service<Request<Q>> for Drained<S>
    where
        S: Service<Request<Q>, Response = Response<B>>,
        B: Body,
    {
        type Response = Response<DrainedBody<B>>;
        type Error = S::Error;
        type Future = DrainedFuture<S::Future>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
            match self {
                Self::Counted(service) => service.poll_ready(cx),
                Self::Plain(service) => service.poll_ready(cx),
            }
        }

        fn call(&mut self, request: Request<Q>) -> Self::Future {
            match self {
                Self::Counted(service) => DrainedFuture::Counted { future: service.call(request) },
                Self::Plain(service) => DrainedFuture::Plain { future: service.call(request) },
            }
        }
    }

    pin_project! {
        #[project = DrainedFutureProj]
        pub(crate) enum DrainedFuture<F> {
            Counted { #[pin] future: DrainFuture<F> },
            Plain { #[pin] future: F },
        }
    }

    impl<F, B, E> Future for DrainedFuture<F>
    where
        F: Future<Output = Result<Response<B>, E>>,
        B: Body,
    {
        type Output = Result<Response<DrainedBody<B>>, E>;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            match self.project() {
                DrainedFutureProj::Counted { future } => future
                    .poll(cx)
                    .map_ok(|response| response.map(|body| DrainedBody::Counted { body })),
                DrainedFutureProj::Plain { future } => future
                    .poll(cx)
                    .map_ok(|response| response.map(|body| DrainedBody::Plain { body })),
            }
        }
    }

    pin_project! {
        #[project = DrainedBodyProj]
        pub(crate) enum DrainedBody<B> {
            Counted { #[pin] body: DrainBody<B> },
            Plain { #[pin] body: B },
        }
    }

    impl<B: Body> Body for DrainedBody<B> {
        type Data = B::Data;
        type Error = B::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
            match self.project() {
                DrainedBodyProj::Counted { body } => body.poll_frame(cx),
                DrainedBodyProj::Plain { body } => body.poll_frame(cx),
            }
        }

        fn is_end_stream(&self) -> bool {
            match self {
                Self::Counted { body } => body.is_end_stream(),
                Self::Plain { body } => body.is_end_stream(),
            }
        }

        fn size_hint(&self) -> SizeHint {
            match self {
                Self::Counted { body } => body.size_hint(),
                Self::Plain { body } => body.size_hint(),
            }
        }
    }
}
