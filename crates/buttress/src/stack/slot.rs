use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// A service that stands behind a layer, or, where the slot is empty, does not.
#[derive(Clone)]
pub(super) enum Slot<T, S> {
    Filled(T),
    Empty(S),
}

// Not every service of tower-http is `Debug`.
impl<T, S> fmt::Debug for Slot<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Filled(_) => "Filled",
            Self::Empty(_) => "Empty",
        })
    }
}

/// Fills the slot if there is a layer for it.
pub(super) fn slot<L: Layer<S>, S>(layer: Option<&L>, inner: S) -> Slot<L::Service, S> {
    match layer {
        Some(layer) => Slot::Filled(layer.layer(inner)),
        None => Slot::Empty(inner),
    }
}

impl<T, S, Request> Service<Request> for Slot<T, S>
where
    T: Service<Request>,
    S: Service<Request, Response = T::Response, Error = T::Error>,
{
    type Response = T::Response;
    type Error = T::Error;
    type Future = SlotFuture<T::Future, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), T::Error>> {
        match self {
            Self::Filled(service) => service.poll_ready(cx),
            Self::Empty(service) => service.poll_ready(cx),
        }
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self {
            Self::Filled(service) => SlotFuture::Filled { future: service.call(request) },
            Self::Empty(service) => SlotFuture::Empty { future: service.call(request) },
        }
    }
}

pin_project! {
    #[project = SlotFutureProj]
    pub(super) enum SlotFuture<T, S> {
        Filled { #[pin] future: T },
        Empty { #[pin] future: S },
    }
}

impl<T, S> Future for SlotFuture<T, S>
where
    T: Future,
    S: Future<Output = T::Output>,
{
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        match self.project() {
            SlotFutureProj::Filled { future } => future.poll(cx),
            SlotFutureProj::Empty { future } => future.poll(cx),
        }
    }
}
