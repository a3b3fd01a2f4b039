//! Layers that break a law of what passes through them, one each.

mod support;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use buttress_conformance::{BoxError, Law, Laws, ProbeBody, ProbeError, ProbeService};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use support::bodies::{Fault, FaultyLayer};
use support::{breaks, call, odd, ready};
use tower_layer::layer_fn;
use tower_service::Service;

#[test]
fn an_error_is_replaced() {
    let layer = odd(ready, |inner, request| {
        let future = call(inner, request);
        async move { future.await.map_err(|_| ProbeError::new("another")) }
    });
    breaks(&Laws::of(layer), &[Law::Error]);
}

#[test]
fn an_error_becomes_a_response() {
    let layer = odd(ready, |inner, request| {
        let future = call(inner, request);
        async move {
            Ok(future.await.unwrap_or_else(|_| {
                let mut response = Response::new(ProbeBody::new());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }))
        }
    });
    breaks(&Laws::of(layer), &[Law::Error]);
}

/// Boxes its errors.
#[derive(Clone, Debug)]
struct Boxing(ProbeService);

impl Service<Request<ProbeBody>> for Boxing {
    type Response = Response<ProbeBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ProbeBody>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        ready(&mut self.0, cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<ProbeBody>) -> Self::Future {
        let future = call(&mut self.0, request);
        Box::pin(async move { future.await.map_err(Into::into) })
    }
}

#[test]
fn the_error_type_is_erased() {
    breaks(&Laws::of(layer_fn(Boxing)), &[Law::ErrorType]);
}

#[test]
fn a_header_an_extension_or_the_target_is_lost_on_the_way_in() {
    let faults: [fn(&mut Request<ProbeBody>); 5] = [
        |request| {
            request.headers_mut().remove("x-probe-kept");
        },
        |request| {
            // `insert` for `append`: of two lines, one is left.
            request.headers_mut().insert("x-probe-kept", "two".parse().unwrap());
        },
        |request| request.extensions_mut().clear(),
        |request| *request.uri_mut() = "/elsewhere".parse().unwrap(),
        |request| *request.version_mut() = http::Version::HTTP_10,
    ];
    for fault in faults {
        let layer = odd(ready, move |inner, mut request| {
            fault(&mut request);
            call(inner, request)
        });
        breaks(&Laws::of(layer), &[Law::Request]);
    }
}

#[test]
fn the_inner_is_not_called() {
    let layer = odd(ready, |_, _| async { Ok(Response::new(ProbeBody::new())) });
    let laws = Laws::of(layer);
    breaks(&laws, &[Law::Request]);
    assert!(laws.findings()[0].seen().contains("`Laws::request`"));
    // Nor is any law seen to be kept.
    let laws = laws.except(Law::Request).except(Law::RequestBody);
    breaks(&laws, &[Law::Request]);
    breaks(&laws.only(Law::Frames), &[Law::Request]);
}

#[test]
fn the_inner_is_called_a_few_times_only() {
    let calls = Arc::new(AtomicUsize::new(0));
    let layer = odd(ready, move |inner, request| {
        let passes = calls.fetch_add(1, Ordering::Relaxed) < 10;
        let future = passes.then(|| call(inner, request));
        async move {
            match future {
                Some(future) => future.await,
                None => Ok(Response::new(ProbeBody::new())),
            }
        }
    });
    breaks(&Laws::of(layer).only(Law::Frames), &[Law::Request]);
}

#[test]
fn a_law_that_was_left_out_and_stands_in_the_way_is_told_as_such() {
    let layer = odd(ready, |inner, request| {
        let future = call(inner, request);
        async move { future.await.and(Err::<Response<ProbeBody>, _>(ProbeError::new("own"))) }
    });
    let laws = Laws::of(layer).except(Law::Error).only(Law::Response);
    let found = laws.findings();
    assert_eq!(found[0].law(), Law::Error);
    assert!(
        found[0].seen().ends_with(
            "own (it was left out, but as it is the law of responses cannot be checked)"
        ),
        "{}",
        found[0]
    );
}

#[test]
fn an_answer_is_not_waited_for() {
    let layer = odd(ready, |inner, request| {
        let mut future = Box::pin(call(inner, request));
        poll_fn(move |cx| {
            let polled = future.as_mut().poll(cx);
            Poll::Ready(match polled {
                Poll::Ready(answered) => answered,
                Poll::Pending => Ok(Response::new(ProbeBody::new())),
            })
        })
    });
    breaks(&Laws::of(layer), &[Law::Response]);
}

/// Its calls work for as long as it lives.
#[derive(Clone, Debug)]
struct Owner {
    inner: ProbeService,
    alive: Arc<()>,
}

impl Service<Request<ProbeBody>> for Owner {
    type Response = Response<ProbeBody>;
    type Error = ProbeError;
    type Future = support::Boxed<ProbeBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> support::Readiness {
        ready(&mut self.inner, cx)
    }

    fn call(&mut self, request: Request<ProbeBody>) -> Self::Future {
        let owner = Arc::downgrade(&self.alive);
        let future = call(&mut self.inner, request);
        Box::pin(async move {
            let answer = future.await?;
            let owner = owner.upgrade();
            owner.map(|_| answer).ok_or_else(|| ProbeError::new("the service is gone"))
        })
    }
}

#[test]
fn a_call_fails_with_its_service_gone() {
    let laws = Laws::of(layer_fn(|inner| Owner { inner, alive: Arc::default() }));
    breaks(&laws.only(Law::Response), &[Law::Error]);
}

/// A request body of another type.
#[derive(Debug)]
struct Wrapped(ProbeBody);

impl Body for Wrapped {
    type Data = Bytes;
    type Error = ProbeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProbeError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }
}

#[test]
fn the_request_body_changes_its_type() {
    let layer = odd(ready, |inner, request: Request<ProbeBody>| {
        // The inner was made ready for one type of body and is called with another.
        inner.call(request.map(Wrapped))
    });
    breaks(&Laws::of(layer), &[Law::RequestBody]);
}

#[test]
fn the_request_body_is_emptied() {
    let layer = odd(ready, |inner, request: Request<ProbeBody>| {
        call(inner, request.map(|_| ProbeBody::new()))
    });
    let laws = Laws::of(layer).request(|| Request::new(ProbeBody::new().data("hello").exact()));
    breaks(&laws, &[Law::RequestBody]);
}

#[test]
fn the_response_is_built_anew() {
    let layer = odd(ready, |inner, request| {
        let future = call(inner, request);
        async move { Ok(Response::new(future.await?.into_body())) }
    });
    breaks(&Laws::of(layer), &[Law::Response]);
}

#[test]
fn faults_of_a_body() {
    for (fault, laws) in [
        (Fault::DropsTrailers, &[Law::Frames][..]),
        (Fault::SkipsEmptyFrames, &[Law::Frames]),
        (Fault::SwallowsErrors, &[Law::Frames]),
        (Fault::ForgetsSize, &[Law::Sizes]),
        (Fault::ForgetsEnd, &[Law::Sizes]),
        (Fault::ClaimsFiveBytes, &[Law::Sizes, Law::HonestSize]),
        (Fault::ClaimsTheEnd, &[Law::Sizes, Law::HonestSize]),
        (Fault::AddsTrailers, &[Law::Frames, Law::Sizes, Law::HonestSize]),
        (Fault::AddsBytes, &[Law::Frames, Law::Sizes, Law::HonestSize]),
        (Fault::EndsWhenPending, &[Law::Frames]),
        (Fault::KeepsOneBack, &[Law::Frames, Law::Sizes]),
        (Fault::ForwardsAfterEnd, &[Law::AfterEnd]),
    ] {
        breaks(&Laws::of(FaultyLayer(fault)), laws);
    }
}

#[test]
fn a_layer_that_changes_bytes_must_still_be_honest() {
    let changes = |fault| Laws::of(FaultyLayer(fault)).except(Law::Frames).except(Law::Sizes);
    changes(Fault::ForgetsSize).check();
    breaks(&changes(Fault::ClaimsFiveBytes), &[Law::HonestSize]);
    breaks(&changes(Fault::AddsTrailers), &[Law::HonestSize]);
    // Its `size_hint` is honest, and the inner's content-length is left as it was.
    let laws = changes(Fault::AddsBytes);
    breaks(&laws, &[Law::HonestSize]);
    assert!(laws.findings()[0].seen().ends_with("content-length said 0, and the bytes were 1"));
}
