//! The service: decide, then the inner one or a refusal.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::{
    body::ResponseBody,
    outbound::Attempt,
    reject::{DefaultResponder, Protocol},
};
use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    body::BreakerBody, core::Core, future::ResponseFuture, head::RequestHead, layer::Target,
    permit::Permit, refusal::Refused, settings::Settings,
};

/// Stops calling `S` while it fails; made by a [`BreakerLayer`](crate::BreakerLayer).
///
/// ```
/// use buttress_breaker::{Breaker, BreakerLayer, Policy};
/// use tower::Layer;
///
/// struct Gateway<C> {
///     client: Breaker<C>,
/// }
///
/// fn gateway<C>(client: C) -> Result<Gateway<C>, buttress_breaker::ConfigError> {
///     Ok(Gateway { client: BreakerLayer::new("upstream", Policy::new())?.layer(client) })
/// }
/// # let _ = gateway(());
/// ```
#[derive(Clone)]
pub struct Breaker<S> {
    inner: S,
    target: Option<Target>,
}

impl<S> Breaker<S> {
    pub(crate) const fn new(inner: S, target: Target) -> Self {
        Self { inner, target: Some(target) }
    }

    /// A service of the same type that breaks nothing, for where a circuit is a setting.
    pub const fn unbroken(inner: S) -> Self {
        Self { inner, target: None }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Breaker<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Response = Response<ResponseBody<BreakerBody<ResBody>>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let mut permit = match &self.target {
            None => Permit::UNTRACKED,
            Some(target) => match target.admit(&request) {
                Ok(permit) => permit,
                Err(refused) => {
                    let protocol = Protocol::of(request.headers());
                    return ResponseFuture::refused(answer(target.settings(), refused, protocol));
                }
            },
        };
        let is_head = *request.method() == Method::HEAD;
        let future = permit.run(|| self.inner.call(request));
        ResponseFuture::inner(future, permit, is_head)
    }
}

impl Target {
    #[inline]
    fn admit<B>(&self, request: &Request<B>) -> Result<Permit, Refused> {
        match self {
            Self::One(core) => enter(core, request),
            Self::Keyed { circuits, key, .. } => {
                let mut core = None;
                key(&RequestHead::of(request), &mut |key| core = circuits.get_or_make(key));
                core.map_or(Ok(Permit::UNTRACKED), |core| enter(&core, request))
            }
        }
    }
}

#[inline]
fn enter<B>(core: &Arc<Core>, request: &Request<B>) -> Result<Permit, Refused> {
    let may_probe = || {
        Attempt::of(request).is_first()
            && core.settings.may_probe.as_ref().is_none_or(|ask| ask(&RequestHead::of(request)))
    };
    let entry = core.admit(may_probe)?;
    Ok(Permit::new(core, entry))
}

#[cold]
fn answer<B>(
    settings: &Settings,
    refused: Refused,
    protocol: Protocol,
) -> Response<ResponseBody<B>> {
    match &settings.responder {
        Some(responder) => refused.rejection().respond(&**responder, protocol),
        None => refused.rejection().respond(&DefaultResponder, protocol),
    }
}

impl<S: fmt::Debug> fmt::Debug for Breaker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("inner", &self.inner).field("target", &self.target).finish()
    }
}
