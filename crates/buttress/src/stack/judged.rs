use std::task::{Context, Poll};

use buttress_core::body::ResponseBody;
use buttress_sanitize::{GuardedBody, Sanitize, SanitizeLayer};
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    bounded::Bounded,
    rebody::{Convert, Rebody},
    request_body::RequestBody,
    slot::Slot,
};

/// The innermost slot: what the service reads is judged, or goes by.
pub(super) type Judged<S> = Slot<Sanitize<Named<S>>, Rebody<Named<S>, Unjudged>>;

pub(super) fn judged<S>(layer: Option<&SanitizeLayer>, inner: S) -> Judged<S> {
    match layer {
        Some(layer) => Slot::Filled(layer.layer(Named { inner })),
        None => Slot::Empty(Rebody::new(Named { inner })),
    }
}

/// Gives the service the one request body type of all stacks.
#[derive(Clone, Debug)]
pub(super) struct Named<S> {
    inner: S,
}

impl<S, B> Service<Request<GuardedBody<Bounded<B>>>> for Named<S>
where
    S: Service<Request<RequestBody<B>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<GuardedBody<Bounded<B>>>) -> S::Future {
        self.inner.call(request.map(RequestBody::from))
    }
}

impl<S, B> Service<Request<Bounded<B>>> for Named<S>
where
    S: Service<Request<RequestBody<B>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Bounded<B>>) -> S::Future {
        self.inner.call(request.map(RequestBody::from))
    }
}

/// The body of an answer where nothing was judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unjudged;

impl<B> Convert<B> for Unjudged {
    type Body = ResponseBody<B>;

    fn convert(response: Response<B>) -> Response<ResponseBody<B>> {
        response.map(ResponseBody::inner)
    }
}
