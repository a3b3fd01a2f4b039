//! The laws of a correct layer, proved for the stack.

use std::{rc::Rc, time::Duration};

use buttress::{
    Compression, Cors, Csrf, Route, Stack,
    client_ip::ClientIp,
    headers::SecurityHeadersLayer,
    health::{HealthLayer, Registry},
    log::AccessLog,
    metrics::HttpMetrics,
    problem::ProblemLayer,
    sanitize::{Kind, Policy, SanitizeLayer},
    shutdown::{Plan, Shutdown},
    trace::Trace,
};
use buttress_conformance::{End, Law, Laws, assert_auto_traits};

#[test]
fn an_empty_stack_keeps_the_laws() {
    let stack = Stack::new();
    assert_auto_traits(&stack);
    Laws::of(stack)
        // By design: what the stack judges of a body, it judges while it is read.
        .except(Law::RequestBody)
        .allocates(0)
        .check();
}

/// The body limit tells the end of a body from its length, where it has one.
#[test]
fn what_refuses_requests_allocates_nothing_to_let_one_in() {
    let stack = Stack::new().csrf(Csrf::new()).body_limit(1 << 20);
    assert_auto_traits(&stack);
    Laws::of(stack).except(Law::RequestBody).allocates(0).check();
}

/// The memory of the context is the last request's, and so is the route's; nobody listens to the
/// log.
#[test]
fn what_watches_requests_allocates_nothing() {
    let metrics = HttpMetrics::server();
    let stack = Stack::new()
        .client_ip(ClientIp::peer())
        .route(Route::from_fn(|_, _| Some("/users/{id}")))
        .trace(Trace::propagate())
        .log(AccessLog::new())
        .metrics(metrics.clone())
        .problem(ProblemLayer::new());
    assert_auto_traits(&stack);
    let (ends, live) = (metrics.clone(), metrics);
    Laws::of(stack)
        .except(Law::RequestBody)
        .allocates(0)
        // A panic is an answer by then.
        .counts_ends(End::ALL, move || ends.report().since_start().requests())
        .gauges_in_flight(move || live.in_flight())
        .check();
}

/// A request that goes on waits in a clone of the stack, which has nothing of its own.
#[test]
fn the_probes_before_a_service_allocate_nothing_for_it() {
    let stack = Stack::new()
        .client_ip(ClientIp::peer())
        .log(AccessLog::new())
        .csrf(Csrf::new())
        .health(HealthLayer::new(&Registry::new().split().0));
    assert_auto_traits(&stack);
    Laws::of(stack).except(Law::RequestBody).allocates(0).check();
}

#[tokio::test]
async fn what_drains_counts_in_flight_and_allocates_nothing() {
    let shutdown = Shutdown::embedded(Plan::docker()).unwrap();
    let stack = Stack::new().drain(shutdown.layer());
    assert_auto_traits(&stack);
    Laws::of(stack)
        .except(Law::RequestBody)
        .allocates(0)
        .gauges_in_flight(move || shutdown.requests_in_flight().try_into().unwrap())
        .check();
}

#[test]
fn a_full_stack_keeps_the_laws() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let runtime = Rc::new(runtime);
    let clock = Rc::clone(&runtime);
    let _inside = runtime.enter();
    let shutdown = Shutdown::embedded(Plan::docker()).unwrap();
    let full = Stack::production(ClientIp::peer())
        .health(HealthLayer::new(&Registry::new().split().0))
        .drain(shutdown.layer())
        .headers(SecurityHeadersLayer::web())
        .cors(Cors::allow(["https://app.example.com"]).unwrap())
        .compression(Compression::new())
        .csrf(Csrf::new())
        .timeout(Duration::from_secs(30))
        .sanitize(SanitizeLayer::new(Policy::strict_json()).accept([Kind::Json, Kind::Other]));
    assert_auto_traits(&full);
    Laws::of(full)
        .except(Law::RequestBody)
        .passes_time(move || clock.block_on(tokio::time::advance(Duration::from_secs(60))))
        .check();
}
