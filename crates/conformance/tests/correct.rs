//! Layers that keep every law pass, also with every word given.

mod support;

use std::convert::identity;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use buttress_conformance::{
    End, Law, Laws, ProbeBody, ProbeError, assert_any_body, assert_auto_traits, assert_error_type,
};
use http::header::SERVER;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use support::account::AccountLayer;
use support::bodies::{Fault, FaultyLayer};
use support::{call, odd, ready};
use tokio::sync::Semaphore;
use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::util::{MapRequestLayer, MapResponseLayer, MapResultLayer, ThenLayer};
use tower_http::cors::CorsLayer;
use tower_http::set_header::{SetRequestHeaderLayer, SetResponseHeaderLayer};
use tower_http::trace::TraceLayer;
use tower_layer::Identity;

#[test]
fn a_layer_that_does_nothing() {
    Laws::of(Identity::new()).check();
    assert_auto_traits(&Identity::new());
    assert_any_body(&Identity::new());
    assert_error_type(&Identity::new());
}

#[test]
fn a_service_that_forwards() {
    Laws::of(odd(ready, call)).check();
}

#[test]
fn a_body_that_forwards() {
    Laws::of(FaultyLayer(Fault::Nothing)).check();
}

#[test]
fn a_layer_that_keeps_account_to_the_end_of_the_body() {
    let layer = AccountLayer::default();
    assert_any_body(&layer);
    assert_error_type(&layer);
    let [calls, ends, in_flight] = std::array::from_fn(|_| Arc::clone(&layer.account));
    let laws = Laws::of(layer)
        .counts_calls(move || calls.calls())
        .counts_ends(End::ALL, move || ends.ends())
        .gauges_in_flight(move || in_flight.in_flight())
        .passes_time(|| {});
    #[cfg(feature = "allocations")]
    let laws = laws.allocates(0);
    laws.check();
}

#[test]
fn limiters_with_room_for_one_call() {
    Laws::of(GlobalConcurrencyLimitLayer::new(1)).check();
    Laws::of(ConcurrencyLimitLayer::new(1)).check();
}

/// Sheds with an error of its own, by design.
#[test]
fn a_layer_that_sheds_load() {
    Laws::of(LoadShedLayer::new()).except(Law::ErrorType).check();
}

#[test]
fn layers_out_of_a_function() {
    type Answer = Result<Response<ProbeBody>, ProbeError>;
    let same: fn(Request<ProbeBody>) -> _ = identity;
    Laws::of(MapRequestLayer::new(same)).check();
    let same: fn(Response<ProbeBody>) -> _ = identity;
    Laws::of(MapResponseLayer::new(same)).check();
    let same: fn(Answer) -> _ = identity;
    Laws::of(MapResultLayer::new(same)).check();
    let same: fn(Answer) -> _ = std::future::ready;
    Laws::of(ThenLayer::new(same)).check();
}

#[test]
fn layers_of_tower_http_around_a_head() {
    let server = || HeaderValue::from_static("probe");
    Laws::of(SetRequestHeaderLayer::overriding(SERVER, server())).check();
    Laws::of(SetResponseHeaderLayer::overriding(SERVER, server())).check();
    Laws::of(CorsLayer::permissive()).check();
    // Its body forwards whatever is polled after the end.
    Laws::of(TraceLayer::new_for_http()).except(Law::AfterEnd).check();
}

/// Answers by itself what is not found, and passes on the rest.
#[test]
fn a_layer_that_answers_some_requests_by_itself() {
    let layer = odd(ready, |inner, request: Request<ProbeBody>| {
        let future = (request.uri().path() == "/found").then(|| call(inner, request));
        async move {
            match future {
                Some(future) => future.await,
                None => Ok(Response::new(ProbeBody::new())),
            }
        }
    });
    Laws::of(layer)
        .request(|| Request::get("/found").body(ProbeBody::new()).unwrap_or_default())
        .check();
}

#[test]
fn a_layer_that_waits_for_readiness_in_its_future() {
    let layer = odd(
        |_, _| Poll::Ready(Ok(())),
        |inner, request| {
            let mut inner = inner.clone();
            async move {
                poll_fn(|cx| ready(&mut inner, cx)).await?;
                call(&mut inner, request).await
            }
        },
    );
    Laws::of(layer).check();
}

/// What reads the body before it answers changes what comes out and when, and keeps all else.
#[test]
fn a_layer_that_reads_the_body_before_it_answers() {
    let layer = odd(ready, |inner, request| {
        let future = call(inner, request);
        async move {
            let (parts, body) = future.await?.into_parts();
            let mut body = Box::pin(body);
            let mut read = ProbeBody::new();
            while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
                read = match frame?.into_data() {
                    Ok(data) => read.data(data),
                    Err(frame) => read.trailers(frame.into_trailers().unwrap_or_default()),
                };
            }
            Ok(Response::from_parts(parts, read))
        }
    });
    Laws::of(layer).except(Law::Frames).except(Law::Sizes).passes_time(|| {}).check();
}

/// A limiter whose calls queue in their futures.
#[test]
fn a_layer_that_queues() {
    let room = Arc::new(Semaphore::new(3));
    let layer = odd(ready, move |inner, request| {
        let room = Arc::clone(&room);
        let future = call(inner, request);
        async move {
            let _place = room.acquire().await;
            future.await
        }
    });
    Laws::of(layer).check();
}

#[test]
fn a_service_that_moves_into_its_future_after_a_swap() {
    use support::Boxed;
    use tower_service::Service;

    Laws::of(odd(ready, |inner, request| {
        let not_ready_inner = inner.clone();
        let mut ready_inner = std::mem::replace(inner, not_ready_inner);
        Box::pin(async move { ready_inner.call(request).await }) as Boxed<_>
    }))
    .check();
}
