//! The laws of a correct layer.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use buttress_conformance::{Law, Laws, assert_any_body, assert_auto_traits, assert_error_type};
use buttress_shutdown::{Connection, Drain, Listener, Plan, Report, Shutdown};
use http::{Request, Response};
use http_body_util::Empty;
use tower::{Layer, ServiceExt, service_fn};

#[tokio::test]
async fn the_layer_keeps_the_laws_and_allocates_nothing() {
    let shutdown = Shutdown::embedded(Plan::docker()).unwrap();
    let layer = shutdown.layer();
    assert_auto_traits(&layer);
    assert_any_body(&layer);
    assert_error_type(&layer);
    let in_flight = move || shutdown.requests_in_flight() as u64;
    Laws::of(layer).gauges_in_flight(in_flight).allocates(0).check();
}

/// It says `Connection: close` then: that is what it is for.
#[tokio::test]
async fn while_draining_the_layer_keeps_the_laws() {
    let shutdown = Shutdown::embedded(Plan::docker()).unwrap();
    shutdown.trigger();
    Laws::of(shutdown.layer()).except(Law::Response).check();
}

#[tokio::test]
async fn an_error_of_the_service_passes_and_is_in_flight_no_more() {
    let shutdown = Shutdown::embedded(Plan::docker()).unwrap();
    let fails = service_fn(|_: Request<()>| async { Err::<Response<Empty<&[u8]>>, _>("reset") });
    let answer = shutdown.layer().layer(fails).oneshot(Request::new(())).await;
    assert_eq!(answer.unwrap_err(), "reset");
    assert_eq!(shutdown.requests_in_flight(), 0);
}

#[tokio::test]
async fn a_service_of_what_is_no_debug_and_no_clone_can_be_made() {
    struct Plain;
    let _: Drain<Plain> = Shutdown::embedded(Plan::docker()).unwrap().layer().layer(Plain);
}

#[test]
fn what_is_public_can_be_sent_and_shared() {
    const fn sent_and_shared<T: Send + Sync + 'static>() {}
    sent_and_shared::<Shutdown>();
    sent_and_shared::<Plan>();
    sent_and_shared::<Report>();
    sent_and_shared::<Listener>();
    sent_and_shared::<Connection<tokio::net::TcpStream>>();
}
