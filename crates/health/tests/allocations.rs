//! What a probe costs in allocations: its map of headers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

mod common;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll, Waker},
};

use buttress_conformance::allocations;
use buttress_health::{Entry, HealthLayer, HealthService, NotFound, Registry};
use common::{Script, after_runs};
use http::{Request, Response};
use tower::{Layer, Service};

fn now<F: Future>(future: F) -> F::Output {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a probe does not wait"),
    }
}

fn counted(service: &mut HealthService<NotFound>, path: &str, accept: Option<&str>) -> u64 {
    let mut request = Request::get(path).body(()).unwrap();
    if let Some(accept) = accept {
        request.headers_mut().insert("accept", accept.parse().unwrap());
    }
    let mut request = Some(request);
    allocations(|| {
        let response = now(service.call(request.take().unwrap())).unwrap();
        assert!(matches!(response.status().as_u16(), 200 | 503));
    })
}

/// `HeaderMap` has two: its table, and its entries.
const HEADER_MAP: u64 = 2;

#[tokio::test(start_paused = true)]
async fn a_probe_allocates_its_header_map_and_nothing_else() {
    for row in ["P", "D", "F"] {
        let (health, runner) = Registry::new()
            .check(Entry::critical(Script::new("db", row)))
            .unwrap()
            .check(Entry::optional(Script::new("cache", "F")))
            .unwrap()
            .split();
        tokio::spawn(runner.run());
        after_runs(&health, "cache", 1).await;
        let layer = HealthLayer::new(&health).prefix("/api").unwrap();
        let mut service = layer.into_service();
        for path in ["ping", "live", "livez", "startupz", "ready", "readyz", "health", "healthz"] {
            let path = format!("/api/{path}");
            for accept in [
                None,
                Some("*/*"),
                Some("text/plain;q=0.5, application/json"),
                Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            ] {
                let count = counted(&mut service, &path, accept);
                assert_eq!(count, HEADER_MAP, "{row} {path} {accept:?}");
            }
        }
    }
}

/// Also when the first finds it stale: nobody reads the log here.
#[tokio::test(start_paused = true)]
async fn a_probe_of_what_is_stale_allocates_no_more() {
    let (health, runner) =
        Registry::new().check(Entry::critical(Script::new("db", "P"))).unwrap().split();
    let runner = tokio::spawn(runner.run());
    after_runs(&health, "db", 1).await;
    runner.abort();
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let mut service = HealthLayer::new(&health).into_service();
    counted(&mut service, "/health", None);
    assert_eq!(counted(&mut service, "/health", None), HEADER_MAP);
}

#[test]
fn a_request_that_goes_on_allocates_nothing() {
    #[derive(Clone)]
    struct Inner;
    impl Service<Request<()>> for Inner {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = Ready<Result<Response<String>, Infallible>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: Request<()>) -> Self::Future {
            ready(Ok(Response::new(String::new())))
        }
    }
    let (health, _runner) = Registry::new().split();
    let mut service = HealthLayer::new(&health).layer(Inner);
    let mut request = Some(Request::get("/users/42").body(()).unwrap());
    let count = allocations(|| drop(now(service.call(request.take().unwrap()))));
    assert_eq!(count, 0);
}
