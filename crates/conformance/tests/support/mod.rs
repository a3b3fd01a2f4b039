//! What the tests of broken layers have in common: a layer out of two functions, and what must be
//! said of it.

#![allow(
    dead_code,
    clippy::expect_used,
    reason = "each test uses a part of it; a test is meant to panic"
)]

pub(crate) mod account;
pub(crate) mod bodies;

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use buttress_conformance::{Finding, Law, Laws, ProbeBody, ProbeError, ProbeService, Sound};
use http::{Request, Response};
use tower_layer::{LayerFn, layer_fn};
use tower_service::Service;

pub(crate) type Readiness = Poll<Result<(), ProbeError>>;
pub(crate) type Boxed<B> = Pin<Box<dyn Future<Output = Result<Response<B>, ProbeError>> + Send>>;

/// A service that is its inner but for these two functions.
#[derive(Clone)]
pub(crate) struct Odd<R, C> {
    inner: ProbeService,
    ready: R,
    call: C,
}

impl<R, C> fmt::Debug for Odd<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Odd")
    }
}

impl<R, C, F, B> Service<Request<ProbeBody>> for Odd<R, C>
where
    R: FnMut(&mut ProbeService, &mut Context<'_>) -> Readiness,
    C: FnMut(&mut ProbeService, Request<ProbeBody>) -> F,
    F: Future<Output = Result<Response<B>, ProbeError>>,
{
    type Response = Response<B>;
    type Error = ProbeError;
    type Future = F;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Readiness {
        (self.ready)(&mut self.inner, cx)
    }

    fn call(&mut self, request: Request<ProbeBody>) -> F {
        (self.call)(&mut self.inner, request)
    }
}

pub(crate) fn odd<R, C, F, B>(
    ready: R,
    call: C,
) -> LayerFn<impl Fn(ProbeService) -> Odd<R, C> + Clone + Send + Sync>
where
    R: FnMut(&mut ProbeService, &mut Context<'_>) -> Readiness + Clone + Send + Sync,
    C: FnMut(&mut ProbeService, Request<ProbeBody>) -> F + Clone + Send + Sync,
    F: Future<Output = Result<Response<B>, ProbeError>>,
{
    layer_fn(move |inner| Odd { inner, ready: ready.clone(), call: call.clone() })
}

pub(crate) fn ready(inner: &mut ProbeService, cx: &mut Context<'_>) -> Readiness {
    Service::<Request<ProbeBody>>::poll_ready(inner, cx)
}

pub(crate) fn call(
    inner: &mut ProbeService,
    request: Request<ProbeBody>,
) -> impl Future<Output = Result<Response<ProbeBody>, ProbeError>> + Send + 'static + use<> {
    inner.call(request)
}

/// Asserts that exactly these laws are found broken, and that `check` panics naming each.
#[track_caller]
pub(crate) fn breaks<L: Sound>(laws: &Laws<L>, expected: &[Law]) {
    let found: Vec<_> = laws.findings().iter().map(Finding::law).collect();
    assert_eq!(found, expected, "{:#?}", laws.findings());

    let panic = catch_unwind(AssertUnwindSafe(|| laws.check())).expect_err("`check` must panic");
    let message = panic.downcast_ref::<String>().expect("a message");
    for law in expected {
        assert!(
            message.contains(&format!("the law of {law} is broken: {}", law.statement())),
            "{message}"
        );
        assert!(message.contains(law.remedy()), "{message}");
    }
}
