//! What the layer does with requests and answers.

#![cfg(not(loom))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

use std::{
    convert::Infallible,
    future::{Future, pending, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    task::Context,
    time::{Duration, Instant},
};

use buttress_breaker::{
    BreakerLayer, BulkheadLayer, Class, OpenFor, OutcomeAt, Policy, Probes, State, Window,
};
use buttress_conformance::{ProbeBody, ProbeError};
use buttress_core::{
    outbound::Attempt,
    reject::{Protocol, Rejected, Rejection},
    source::{Check, Metrics},
};
use bytes::Bytes;
use futures_util::{FutureExt, task::noop_waker};
use http::{Request, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn, timeout::TimeoutLayer};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Opens at the first failure, for 5 s.
fn brittle() -> BreakerLayer {
    let policy = Policy::new().window(Window::consecutive(1)).open(OpenFor::constant(secs(5)));
    BreakerLayer::new("upstream", policy).unwrap()
}

fn state(layer: &BreakerLayer) -> State {
    layer.handle().circuit().unwrap().state()
}

/// Opens the circuit for requests to come.
fn open(layer: &BreakerLayer) {
    layer.handle().circuit().unwrap().acquire().unwrap().failure();
    assert_eq!(state(layer), State::Open);
}

fn answers<B: Clone>(
    response: Response<B>,
) -> impl Service<
    Request<()>,
    Response = Response<B>,
    Error = Infallible,
    Future: Future<Output = Result<Response<B>, Infallible>>,
> + Clone {
    service_fn(move |_: Request<()>| ready(Ok(response.clone())))
}

fn status(code: u16) -> Response<String> {
    Response::builder().status(code).body(String::new()).unwrap()
}

fn grpc(code: &str) -> Response<String> {
    Response::builder().header("grpc-status", code).body(String::new()).unwrap()
}

#[test]
fn a_failure_is_what_says_that_the_other_side_does_not_work() {
    for (response, state_after) in [
        (status(200), State::Closed),
        (status(404), State::Closed),
        (status(429), State::Closed),
        (status(500), State::Open),
        (status(501), State::Closed),
        (status(502), State::Open),
        (status(503), State::Open),
        (status(504), State::Open),
        (status(505), State::Closed),
        (grpc("0"), State::Closed),
        (grpc("2"), State::Open),
        (grpc("4"), State::Open),
        (grpc("5"), State::Closed),
        (grpc("8"), State::Closed),
        (grpc("13"), State::Open),
        (grpc("14"), State::Open),
        (grpc("15"), State::Open),
    ] {
        let layer = brittle();
        let service = layer.layer(answers(response.clone()));
        let _ = service.oneshot(Request::new(())).now_or_never().unwrap();
        assert_eq!(state(&layer), state_after, "{response:?}");
    }
}

#[test]
fn an_inner_error_is_a_failure_and_comes_out_as_it_is() {
    let layer = brittle();
    let service = layer.layer(service_fn(|_: Request<()>| ready(Err::<Response<String>, _>(7))));
    assert_eq!(service.oneshot(Request::new(())).now_or_never().unwrap().unwrap_err(), 7);
    assert_eq!(state(&layer), State::Open);
}

#[test]
fn what_a_failure_is_can_be_said() {
    let layer = brittle().classify(|status, _| match status.as_u16() {
        429 => Class::Failure,
        500 => Class::Ignore,
        _ => Class::Success,
    });
    for (code, state_after) in [(500, State::Closed), (503, State::Closed), (429, State::Open)] {
        let service = layer.layer(answers(status(code)));
        let _ = service.oneshot(Request::new(())).now_or_never().unwrap();
        assert_eq!(state(&layer), state_after, "{code}");
    }
}

#[test]
fn a_refusal_has_its_status_when_to_come_back_and_its_reason() {
    let layer = brittle();
    open(&layer);
    let service = layer.layer(answers(status(200)));
    let answer = service.clone().oneshot(Request::new(())).now_or_never().unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()[RETRY_AFTER], "5");
    let rejected = answer.extensions().get::<Rejected>().unwrap();
    assert_eq!((rejected.layer(), rejected.reason()), ("breaker", "open"));

    let call = Request::builder().header("content-type", "application/grpc").body(()).unwrap();
    let answer = service.oneshot(call).now_or_never().unwrap().unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["grpc-status"]),
        (StatusCode::OK, &"14".parse().unwrap())
    );
    let pushback: u64 =
        answer.headers()["grpc-retry-pushback-ms"].to_str().unwrap().parse().unwrap();
    assert!((4_000..=5_000).contains(&pushback));
}

#[test]
fn a_refusal_can_be_put_into_other_words() {
    let layer = brittle().responder(|rejection: &Rejection, _: Protocol| {
        let mut response = Response::new(Bytes::from_static(b"later\n"));
        *response.status_mut() = rejection.status();
        response
    });
    layer.handle().force_open();
    let service = layer.layer(answers(status(200)));
    let answer = service.oneshot(Request::new(())).now_or_never().unwrap().unwrap();
    assert!(!answer.headers().contains_key(RETRY_AFTER));
    assert_eq!(answer.extensions().get::<Rejected>().unwrap().reason(), "forced_open");
    let body = answer.into_body().collect().now_or_never().unwrap().unwrap();
    assert_eq!(body.to_bytes(), "later\n");
}

#[test]
fn what_a_bulkhead_further_in_refuses_says_nothing_about_the_other_side() {
    let layer = brittle();
    let bulkhead = BulkheadLayer::new("upstream", 1).unwrap();
    let service = layer.layer(
        bulkhead
            .layer(service_fn(|_: Request<()>| pending::<Result<Response<String>, Infallible>>())),
    );
    let held = service.clone().oneshot(Request::new(()));
    let mut held = Box::pin(held);
    assert!(held.as_mut().poll(&mut Context::from_waker(&noop_waker())).is_pending());
    let answer = service.oneshot(Request::new(())).now_or_never().unwrap().unwrap();
    assert_eq!(answer.extensions().get::<Rejected>().unwrap().reason(), "bulkhead_full");
    assert_eq!((state(&layer), layer.handle().totals().ignored), (State::Closed, 1));
}

#[test]
fn a_panic_is_a_failure_whoever_catches_it() {
    // In the call, and in the future, which is dropped when the panic has been caught already.
    let layer = brittle();
    let mut service = layer.layer(service_fn(
        |_: Request<()>| -> std::future::Ready<Result<Response<String>, ()>> {
            std::panic::resume_unwind(Box::new("the call panics"))
        },
    ));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(service.call(Request::new(()))))).is_err());
    assert_eq!(state(&layer), State::Open);

    let layer = brittle();
    let mut service = layer.layer(service_fn(|_: Request<()>| async {
        let panics = true;
        if panics {
            std::panic::resume_unwind(Box::new("the future panics"));
        }
        Ok::<_, ()>(Response::new(String::new()))
    }));
    let mut future = Box::pin(service.call(Request::new(())));
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let _ = future.as_mut().poll(&mut Context::from_waker(&noop_waker()));
    }));
    assert!(polled.is_err());
    drop(future);
    assert_eq!(state(&layer), State::Open);
}

#[test]
fn a_second_try_is_no_probe_and_nor_is_what_may_not_be_one() {
    let policy = Policy::new()
        .window(Window::consecutive(1))
        .open(OpenFor::constant(Duration::from_millis(1)))
        .half_open(Probes::new(1));
    let layer =
        BreakerLayer::new("upstream", policy).unwrap().probe_if(|head| head.method.is_safe());
    open(&layer);
    // A millisecond is over at once, or a few tries later.
    let service = layer.layer(answers(status(200)));
    let reason = |request: Request<()>| {
        let answer = service.clone().oneshot(request).now_or_never().unwrap().unwrap();
        answer.extensions().get::<Rejected>().map(|rejected| rejected.reason())
    };
    let mut again = Request::new(());
    again.extensions_mut().insert(Attempt::after(1));
    while reason(again.clone()) == Some("open") {}
    assert_eq!(reason(again), Some("half_open"));
    assert_eq!(reason(Request::post("/").body(()).unwrap()), Some("half_open"));
    assert_eq!(reason(Request::new(())), None);
    assert_eq!(state(&layer), State::Closed);
}

/// Of tokio's paused time.
fn by_paused_time(policy: Policy) -> BreakerLayer {
    BreakerLayer::new("upstream", policy).unwrap().clock(|| tokio::time::Instant::now().into_std())
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_hangs_behind_an_outer_timeout_trips_it_by_slow_calls() {
    let policy = Policy::new().window(Window::count(10)).min_calls(10).slow_calls(secs(2), 0.5);
    let layer = by_paused_time(policy);
    let hangs = service_fn(|_: Request<()>| pending::<Result<Response<String>, Infallible>>());
    let service = TimeoutLayer::new(secs(3)).layer(layer.layer(hangs));
    for call in 0..10 {
        assert_eq!(state(&layer), State::Closed, "after {call} calls");
        assert!(service.clone().oneshot(Request::new(())).await.is_err());
    }
    assert_eq!(state(&layer), State::Open);
    assert_eq!(layer.handle().totals().slow, 10);
}

#[tokio::test(start_paused = true)]
async fn clients_that_leave_early_do_not_trip_it() {
    let policy = Policy::new().window(Window::count(10)).min_calls(10).slow_calls(secs(2), 0.5);
    let layer = by_paused_time(policy);
    let hangs = service_fn(|_: Request<()>| pending::<Result<Response<String>, Infallible>>());
    let service = layer.layer(hangs);
    for _ in 0..100 {
        let call = service.clone().oneshot(Request::new(()));
        assert!(tokio::time::timeout(Duration::from_millis(1_900), call).await.is_err());
    }
    assert_eq!(state(&layer), State::Closed);
    assert_eq!(layer.handle().totals().ignored, 100);
}

#[test]
fn a_call_that_is_dropped_at_any_point_gives_its_probe_back() {
    let policy = Policy::new()
        .window(Window::consecutive(1))
        .open(OpenFor::constant(secs(5)))
        .half_open(Probes::new(1));
    let hands = Arc::new(AtomicU64::new(0));
    let (start, clock) = (Instant::now(), Arc::clone(&hands));
    let layer = BreakerLayer::new("upstream", policy)
        .unwrap()
        .outcome_at(OutcomeAt::EndOfBody)
        .clock(move || start + secs(clock.load(SeqCst)));
    open(&layer);
    hands.store(5, SeqCst);
    let circuit = layer.handle().circuit().unwrap();
    let hold = Arc::new(AtomicBool::new(true));
    let held = Arc::clone(&hold);
    let service = layer.layer(service_fn(move |_: Request<()>| {
        let held = Arc::clone(&held);
        async move {
            if held.load(SeqCst) {
                pending::<()>().await;
            }
            Ok::<_, Infallible>(Response::new(ProbeBody::new().data("one").data("two")))
        }
    }));
    let waker = noop_waker();
    let mut context = Context::from_waker(&waker);
    for polls in 0..3 {
        let mut call = Box::pin(service.clone().call(Request::new(())));
        for _ in 0..polls {
            assert!(call.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(circuit.snapshot().probes_in_flight, 1);
        drop(call);
        assert_eq!(circuit.snapshot().probes_in_flight, 0);
    }
    hold.store(false, SeqCst);
    for frames in 0..2 {
        let answer = service.clone().call(Request::new(())).now_or_never().unwrap().unwrap();
        let mut body = answer.into_body();
        for _ in 0..frames {
            let _ = body.frame().now_or_never().unwrap();
        }
        assert_eq!(circuit.snapshot().probes_in_flight, 1);
        drop(body);
        assert_eq!(circuit.snapshot().probes_in_flight, 0);
    }
    let answer = service.oneshot(Request::new(())).now_or_never().unwrap().unwrap();
    let _ = answer.into_body().collect().now_or_never().unwrap();
    assert_eq!(circuit.state(), State::Closed);
}

#[test]
fn at_the_end_of_the_body_a_break_and_a_bad_status_in_the_trailers_are_failures() {
    let trailers = |code: &'static str| {
        http::HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-status"),
            http::HeaderValue::from_static(code),
        )])
    };
    let error = ProbeError::new("reset");
    for (body, state_after) in [
        (ProbeBody::new().data("all"), State::Closed),
        (ProbeBody::new().data("half").error(error), State::Open),
        (ProbeBody::new().data("all").trailers(trailers("0")), State::Closed),
        (ProbeBody::new().data("all").trailers(trailers("14")), State::Open),
    ] {
        let layer = brittle().outcome_at(OutcomeAt::EndOfBody);
        let service = layer.layer(answers(Response::new(body)));
        let answer = service.oneshot(Request::new(())).now_or_never().unwrap().unwrap();
        assert_eq!(layer.handle().totals().successes, 0);
        let _ = answer.into_body().collect().now_or_never().unwrap();
        assert_eq!(state(&layer), state_after);
        let totals = layer.handle().totals();
        assert_eq!(totals.successes + totals.failures, 1);
    }
}

#[test]
fn an_answer_that_has_no_body_to_send_ends_with_its_head() {
    for (method, code) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let layer = brittle().outcome_at(OutcomeAt::EndOfBody);
        let body = ProbeBody::new().data("never sent");
        let response = Response::builder().status(code).body(body).unwrap();
        let request = Request::builder().method(method).body(()).unwrap();
        let service = layer.layer(answers(response));
        drop(service.oneshot(request).now_or_never().unwrap());
        assert_eq!(layer.handle().totals().successes, 1, "{method} {code}");
    }
}

#[test]
fn it_tells_its_health_and_its_numbers() {
    let layer = brittle();
    let handle = layer.handle();
    assert_eq!(Check::name(&handle), "upstream");
    assert!(handle.check().now_or_never().unwrap().is_ok());
    open(&layer);
    let error = handle.check().now_or_never().unwrap().unwrap_err();
    assert!(error.is_degraded());
    assert_eq!(error.public(), "circuit open");
    let _ = layer.layer(answers(status(200))).oneshot(Request::new(())).now_or_never();

    let (mut seen, mut names) = (Vec::new(), Vec::new());
    handle.collect(&mut |sample| {
        let labels: Vec<_> = sample.labels.iter().map(|(_, value)| *value).collect();
        if names.last() != Some(&sample.name.to_owned()) {
            names.push(sample.name.to_owned());
        }
        if sample.value > 0.0 {
            seen.push(format!("{} {} {}", sample.name, labels.join(","), sample.value));
        }
    });
    assert_eq!(
        seen,
        [
            "breaker_calls_total upstream,failure 1",
            "breaker_refusals_total upstream,open 1",
            "breaker_opened_total upstream,false 1",
            "breaker_circuits upstream,open 1",
        ]
    );
    // The lines of one name are together.
    let mut once = names.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), names.len());
}
