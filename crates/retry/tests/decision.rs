//! Each step of the decision, by itself; time stands still but for what is slept.

#![cfg(not(loom))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

mod support;

use std::{io, time::Duration};

use buttress_core::{
    context::RequestContext,
    reject::{DefaultResponder, Protocol, Rejected, Rejection},
    source::Metrics,
};
use buttress_retry::{
    Backoff, Budget, Deadline, Idempotency, Jitter, Repeat, RetryAfter, RetryHandle, RetryInfo,
    RetryLayer, StopReason, Verdict,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use support::{Step, Upstream, answer, every, ms, request, status, statuses, upstream};
use tokio::time::Instant;
use tower::{Layer, ServiceExt};

/// Three attempts 100 ms apart, and five retries in the budget.
fn layer() -> RetryLayer {
    RetryLayer::http()
        .backoff(every(ms(100)))
        .unwrap()
        .budget(Budget::ratio(0.0).reserve(5))
        .unwrap()
}

struct Told {
    status: u16,
    info: RetryInfo,
    body: Bytes,
    headers: http::HeaderMap,
    took: Duration,
}

async fn ask(layer: &RetryLayer, upstream: &Upstream, request: Request<Full<Bytes>>) -> Told {
    let began = Instant::now();
    let response = layer.layer(upstream.clone()).oneshot(request).await.unwrap();
    let took = began.elapsed();
    let info = RetryInfo::of(&response);
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Told { status: parts.status.as_u16(), info, body, headers: parts.headers, took }
}

/// What was decided, and what is left of the five retries.
fn check(told: &Told, handle: &RetryHandle, attempts: u32, stop: StopReason, left: u64) {
    assert_eq!((told.info.attempts(), told.info.stop()), (attempts, stop));
    assert_eq!(handle.budget_left(), Some(left));
    assert_eq!(handle.stopped(stop), 1);
    assert_eq!(handle.calls(), 1);
    assert_eq!(handle.retries(), u64::from(attempts) - 1);
}

// 1. The verdict.

#[tokio::test(start_paused = true)]
async fn step_1_a_good_answer_goes_back_and_says_nothing() {
    for code in [200, 204, 301, 400, 404, 409] {
        let (layer, upstream) = (layer(), upstream(move |_| status(code)));
        let response = layer.layer(upstream).oneshot(request("GET")).await.unwrap();
        assert_eq!(response.status(), code);
        assert!(response.extensions().get::<RetryInfo>().is_none());
        assert_eq!(layer.handle().stopped(StopReason::Done), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn step_1_a_request_pays_when_its_first_attempt_has_ended_however_it_did() {
    let budget = Budget::ratio(1.0).reserve(0);
    for codes in [&[200_u16], &[404], &[500], &[501]] {
        let layer = RetryLayer::http().budget(budget).unwrap();
        ask(&layer, &statuses(codes), request("GET")).await;
        assert_eq!(layer.handle().budget_left(), Some(1), "{codes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn step_1_the_failures_that_a_retry_may_mend() {
    for (code, retried) in [
        (408, true),
        (425, true),
        (429, true),
        (502, true),
        (503, true),
        (504, true),
        (500, false),
        (501, false),
        (505, false),
        (507, false),
        (404, false),
    ] {
        let upstream = upstream(move |_| status(code));
        let told = ask(&layer(), &upstream, request("GET")).await;
        assert_eq!(upstream.calls(), if retried { 3 } else { 1 }, "{code}");
        assert_eq!(told.status, code);
    }
}

#[tokio::test(start_paused = true)]
async fn step_1_500_is_retried_by_choice_and_503_is_kept_by_choice() {
    let layer = layer()
        .retry_status(StatusCode::INTERNAL_SERVER_ERROR)
        .unwrap()
        .keep_status(StatusCode::SERVICE_UNAVAILABLE);
    for (code, calls) in [(500, 3), (503, 1)] {
        let upstream = upstream(move |_| status(code));
        ask(&layer, &upstream, request("GET")).await;
        assert_eq!(upstream.calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn step_1_a_classifier_goes_before_the_statuses() {
    let layer = layer().classify(|status, _| (status == 200).then_some(Verdict::Retry));
    let upstream = statuses(&[200, 201]);
    assert_eq!(ask(&layer, &upstream, request("GET")).await.status, 201);
}

// 2. The attempts.

#[tokio::test(start_paused = true)]
async fn step_2_there_are_as_many_attempts_as_were_said() {
    for attempts in [1, 2, 5] {
        let layer = layer().max_attempts(attempts).unwrap();
        let upstream = statuses(&[503]);
        let told = ask(&layer, &upstream, request("GET")).await;
        assert_eq!(told.took, ms(100) * (attempts - 1));
        assert_eq!(told.info.slept(), told.took);
        check(&told, &layer.handle(), attempts, StopReason::Attempts, 6 - u64::from(attempts));
        assert_eq!((told.status, &told.body[..]), (503, &b"answer 503"[..]));
    }
}

#[tokio::test(start_paused = true)]
async fn step_2_the_answer_that_is_good_ends_it() {
    let (layer, upstream) = (layer(), statuses(&[503, 200]));
    let told = ask(&layer, &upstream, request("GET")).await;
    assert_eq!(told.status, 200);
    check(&told, &layer.handle(), 2, StopReason::Done, 4);
}

// 3. May it be repeated?

#[tokio::test(start_paused = true)]
async fn step_3_post_with_503_is_not_retried() {
    let (layer, upstream) = (layer(), statuses(&[503, 200]));
    let told = ask(&layer, &upstream, request("POST")).await;
    assert_eq!((told.status, told.took), (503, Duration::ZERO));
    check(&told, &layer.handle(), 1, StopReason::NotRepeatable, 5);
}

#[tokio::test(start_paused = true)]
async fn step_3_what_may_be_repeated_is() {
    let mut with_key = request("POST");
    with_key.headers_mut().insert("idempotency-key", "8e03978e".parse().unwrap());
    let mut with_extension = request("POST");
    with_extension.extensions_mut().insert(Repeat::Allowed);
    for request in [with_key, with_extension, request("PUT"), request("DELETE")] {
        let (layer, upstream) = (layer(), statuses(&[503, 200]));
        let told = ask(&layer, &upstream, request).await;
        check(&told, &layer.handle(), 2, StopReason::Done, 4);
    }
}

#[tokio::test(start_paused = true)]
async fn step_3_what_was_never_sent_is_repeated_whatever_it_is() {
    let script =
        |n| if n == 1 { Step::Error(io::ErrorKind::ConnectionRefused) } else { status(200) };
    let (layer, upstream) = (layer(), upstream(script));
    let told = ask(&layer, &upstream, request("POST")).await;
    check(&told, &layer.handle(), 2, StopReason::Done, 4);
}

#[tokio::test(start_paused = true)]
async fn step_3_what_may_have_been_sent_is_not() {
    let reset = || upstream(|_| Step::Error(io::ErrorKind::ConnectionReset));
    for (method, calls) in [("POST", 1), ("GET", 3)] {
        let upstream = reset();
        let error = layer().layer(upstream.clone()).oneshot(request(method)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "as it is");
        assert_eq!(upstream.calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn step_3_a_request_that_is_sent_once_is() {
    let mut once = request("GET");
    once.extensions_mut().insert(Repeat::Never);
    let (layer, upstream) = (layer(), statuses(&[503]));
    let told = ask(&layer, &upstream, once).await;
    check(&told, &layer.handle(), 1, StopReason::NotRepeatable, 5);

    let refused = || upstream_of(io::ErrorKind::ConnectionRefused);
    let strict = layer.idempotency(Idempotency::default().strict());
    let upstream = refused();
    strict.layer(upstream.clone()).oneshot(request("POST")).await.unwrap_err();
    assert_eq!(upstream.calls(), 1);
}

fn upstream_of(kind: io::ErrorKind) -> Upstream {
    upstream(move |_| Step::Error(kind))
}

// 4. The body.

#[tokio::test(start_paused = true)]
async fn step_4_a_body_above_the_cap_is_sent_once_and_whole() {
    let (layer, upstream) = (layer().replay_body(9), statuses(&[503]));
    let put = request("PUT").map(|_| Full::new(Bytes::from_static(b"0123456789")));
    let told = ask(&layer, &upstream, put).await;
    assert_eq!(upstream.seen()[0].body, "0123456789");
    check(&told, &layer.handle(), 1, StopReason::Body, 5);
}

#[tokio::test(start_paused = true)]
async fn step_3_comes_before_step_4() {
    for (method, stop) in [("PUT", StopReason::Body), ("POST", StopReason::NotRepeatable)] {
        let layer = layer().replay_body(10);
        let large = request(method).map(|_| Full::from("eleven bytes"));
        let told = ask(&layer, &upstream(|_| status(503)), large).await;
        check(&told, &layer.handle(), 1, stop, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn step_4_a_body_at_the_cap_is_sent_again() {
    let (layer, upstream) = (layer().replay_body(10), statuses(&[503, 200]));
    let put = request("PUT").map(|_| Full::new(Bytes::from_static(b"0123456789")));
    let told = ask(&layer, &upstream, put).await;
    assert_eq!(upstream.seen()[1].body, "0123456789");
    check(&told, &layer.handle(), 2, StopReason::Done, 4);
}

// 5. A breaker.

#[tokio::test(start_paused = true)]
async fn step_5_what_a_breaker_refuses_is_not_retried_and_costs_nothing() {
    let open = |_| {
        let no = Rejection::new("breaker", "open", StatusCode::SERVICE_UNAVAILABLE);
        let answer = no
            .with_retry_after(ms(10))
            .respond::<_, Full<Bytes>>(&DefaultResponder, Protocol::Http);
        let rejected = *answer.extensions().get::<Rejected>().unwrap();
        let mut plain = self::answer(503);
        plain.extensions_mut().insert(rejected);
        Step::Answer(plain)
    };
    let (layer, upstream) = (layer(), upstream(open));
    let told = ask(&layer, &upstream, request("GET")).await;
    assert_eq!(told.took, Duration::ZERO);
    check(&told, &layer.handle(), 1, StopReason::Rejected, 5);
}

// 6. How long?

fn with_header(code: u16, name: &'static str, value: &'static str) -> Step {
    let mut answer = answer(code);
    answer.headers_mut().insert(name, value.parse().unwrap());
    answer.headers_mut().insert("date", "Sat, 21 Nov 2026 12:00:00 GMT".parse().unwrap());
    Step::Answer(answer)
}

#[tokio::test(start_paused = true)]
async fn step_6_retry_after_is_the_least_that_is_waited() {
    for (value, waited) in [
        ("7", ms(7_000)),
        ("0", ms(100)),
        ("Sat, 21 Nov 2026 12:00:09 GMT", ms(9_000)),
        ("Sat, 21 Nov 2026 11:00:00 GMT", ms(100)),
        ("60", ms(60_000)),
        ("soon", ms(100)),
    ] {
        let script =
            move |n| if n == 1 { with_header(503, "retry-after", value) } else { status(200) };
        let (layer, upstream) = (layer(), upstream(script));
        let told = ask(&layer, &upstream, request("GET")).await;
        assert_eq!((told.took, told.info.slept()), (waited, waited), "{value}");
        check(&told, &layer.handle(), 2, StopReason::Done, 4);
    }
}

#[tokio::test(start_paused = true)]
async fn step_6_what_is_asked_above_the_cap_goes_back_with_its_header() {
    for value in ["61", "99999999999999999999", "Sat, 21 Nov 2026 12:01:01 GMT"] {
        let (layer, upstream) =
            (layer(), upstream(move |_| with_header(429, "retry-after", value)));
        let told = ask(&layer, &upstream, request("GET")).await;
        assert_eq!((told.took, told.status), (Duration::ZERO, 429));
        assert_eq!(told.headers["retry-after"], value);
        check(&told, &layer.handle(), 1, StopReason::HintTooLong, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn step_6_retry_after_can_be_ignored() {
    let layer = layer().retry_after(RetryAfter::ignore());
    let upstream = upstream(|_| with_header(503, "retry-after", "3600"));
    assert_eq!(ask(&layer, &upstream, request("GET")).await.took, ms(200));
}

// 7. The deadline.

#[tokio::test(start_paused = true)]
async fn step_6_a_hint_that_no_clock_can_count_is_waited_for() {
    let layer = layer().retry_after(RetryAfter::honor().max(Duration::MAX));
    let upstream = upstream(|_| with_header(503, "retry-after", "99999999999999999999"));
    let call = ask(&layer, &upstream, request("GET"));
    assert!(tokio::time::timeout(Duration::from_secs(86_400), call).await.is_err());
    assert_eq!((upstream.calls(), layer.handle().budget_left()), (1, Some(5)));
}

#[tokio::test(start_paused = true)]
async fn step_7_there_is_no_sleep_past_the_deadline() {
    let layer = layer().total_timeout(ms(250)).unwrap().max_attempts(9).unwrap();
    let upstream = statuses(&[503]);
    let told = ask(&layer, &upstream, request("GET")).await;
    assert_eq!(told.took, ms(200));
    check(&told, &layer.handle(), 3, StopReason::Deadline, 3);
}

#[tokio::test(start_paused = true)]
async fn step_7_the_current_deadline_counts_and_that_of_the_request() {
    let (layer, upstream) = (layer(), statuses(&[503]));
    let told = Deadline::within(ms(150)).scope(ask(&layer, &upstream, request("GET"))).await;
    check(&told, &layer.handle(), 2, StopReason::Deadline, 4);

    let layer = self::layer();
    let mut request = request("GET");
    request.extensions_mut().insert(Deadline::within(ms(100)));
    let told = ask(&layer, &upstream, request).await;
    assert_eq!(told.took, Duration::ZERO, "an attempt at the deadline would have no time");
    check(&told, &layer.handle(), 1, StopReason::Deadline, 5);
}

#[tokio::test(start_paused = true)]
async fn step_7_a_request_that_comes_after_its_deadline_is_not_sent() {
    let upstream = upstream(|_| status(200));
    let layer = layer();
    let mut late = request("GET");
    late.extensions_mut().insert(Deadline::within(Duration::ZERO));
    let told = ask(&layer, &upstream, late).await;
    assert_eq!((told.status, upstream.calls()), (504, 0));
    check_none(&told, &layer.handle());

    let mut late = request("POST");
    late.headers_mut().insert("grpc-timeout", "0n".parse().unwrap());
    let layer = grpc_layer();
    let told = ask(&layer, &upstream, late).await;
    assert_eq!((told.status, upstream.calls()), (200, 0));
    assert_eq!(told.headers["grpc-status"], "4");
    check_none(&told, &layer.handle());
}

/// Nothing was sent, and nothing paid.
fn check_none(told: &Told, handle: &RetryHandle) {
    assert_eq!((told.info.attempts(), told.info.stop()), (0, StopReason::Deadline));
    assert_eq!((handle.calls(), handle.stopped(StopReason::Deadline)), (1, 1));
    assert_eq!((handle.retries(), handle.budget_left()), (0, Some(5)));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_by_the_deadline_is_called_so_whatever_else_stops_it() {
    for (layer, method) in [(layer().max_attempts(1).unwrap(), "GET"), (layer(), "POST")] {
        let layer = layer.total_timeout(ms(30)).unwrap().attempt_timeout(ms(40)).unwrap();
        let upstream = upstream(|_| Step::Hang);
        let response = layer.layer(upstream).oneshot(request(method)).await.unwrap();
        let rejected = response.extensions().get::<Rejected>().unwrap();
        assert_eq!(rejected.reason(), "deadline_exceeded", "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn step_7_an_attempt_that_reaches_the_deadline_is_ended() {
    let layer = layer().total_timeout(ms(250)).unwrap();
    let upstream = upstream(|n| if n == 1 { status(503) } else { Step::Hang });
    let told = ask(&layer, &upstream, request("GET")).await;
    assert_eq!((told.status, told.took), (504, ms(250)));
    check(&told, &layer.handle(), 2, StopReason::Deadline, 4);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_a_failure() {
    let layer = layer().attempt_timeout(ms(30)).unwrap();
    let upstream = upstream(|n| if n < 3 { Step::Hang } else { status(200) });
    let told = ask(&layer, &upstream, request("GET")).await;
    assert_eq!((told.status, told.took), (200, ms(30 + 100 + 30 + 100)));
    check(&told, &layer.handle(), 3, StopReason::Done, 3);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_what_may_not_be_repeated_is_504() {
    let layer = layer().attempt_timeout(ms(30)).unwrap();
    let upstream = upstream(|_| Step::Hang);
    let response = layer.layer(upstream.clone()).oneshot(request("POST")).await.unwrap();
    assert_eq!(response.status(), 504);
    let rejected = response.extensions().get::<Rejected>().unwrap();
    assert_eq!((rejected.layer(), rejected.reason()), ("retry", "attempt_timeout"));
    assert_eq!(RetryInfo::of(&response).stop(), StopReason::NotRepeatable);
    assert_eq!(upstream.under_way.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_ready_at_the_limit_wins() {
    let layer = layer().attempt_timeout(ms(30)).unwrap();
    let upstream = upstream(|_| Step::After(ms(30), Box::new(status(200))));
    assert_eq!(ask(&layer, &upstream, request("GET")).await.status, 200);
}

// 8. The budget.

#[tokio::test(start_paused = true)]
async fn step_8_without_a_token_the_outcome_goes_back() {
    let layer = layer().budget(Budget::ratio(0.0).reserve(1)).unwrap();
    let upstream = statuses(&[503]);
    let told = ask(&layer, &upstream, request("GET")).await;
    assert_eq!(told.took, ms(100));
    check(&told, &layer.handle(), 2, StopReason::Budget, 0);
}

// 9. The sleep.

#[tokio::test(start_paused = true)]
async fn step_9_a_drop_in_the_sleep_gives_the_token_back() {
    let (layer, upstream) = (layer(), statuses(&[503]));
    let call = layer.layer(upstream.clone()).oneshot(request("GET"));
    let mut call = std::pin::pin!(call);
    assert!(tokio::time::timeout(ms(50), &mut call).await.is_err());
    assert_eq!((layer.handle().budget_left(), upstream.calls()), (Some(4), 1));
    // What `pin!` has pinned is dropped with this block; the other is dropped here.
    let other = Box::pin(layer.layer(upstream.clone()).oneshot(request("GET")));
    assert!(tokio::time::timeout(ms(30), other).await.is_err());
    assert_eq!(layer.handle().budget_left(), Some(4));
}

#[tokio::test(start_paused = true)]
async fn step_9_a_drop_after_it_does_not() {
    let layer = layer();
    let upstream = upstream(|n| if n == 1 { status(503) } else { Step::Hang });
    let call = Box::pin(layer.layer(upstream.clone()).oneshot(request("GET")));
    assert!(tokio::time::timeout(ms(150), call).await.is_err());
    assert_eq!((layer.handle().budget_left(), upstream.calls()), (Some(4), 2));
    assert_eq!(upstream.under_way.load(std::sync::atomic::Ordering::SeqCst), 0);
}

// 10. The inner service.

#[tokio::test(start_paused = true)]
async fn step_10_where_there_is_no_room_the_outcome_goes_back_whole() {
    let (layer, upstream) = (layer(), statuses(&[503, 200]));
    upstream.room.store(1, std::sync::atomic::Ordering::SeqCst);
    let told = ask(&layer, &upstream, request("GET")).await;
    assert_eq!((told.status, told.took), (503, ms(100)));
    assert_eq!(told.body, "answer 503", "what was read of it ahead is not lost");
    check(&told, &layer.handle(), 1, StopReason::NotReady, 5);
}

// What is told.

#[tokio::test(start_paused = true)]
async fn the_request_that_is_served_has_the_attempts_and_the_reason_on_its_line() {
    let serve = |codes: &'static [u16]| async move {
        let request = RequestContext::new();
        let (layer, upstream) = (layer(), statuses(codes));
        let call = layer.layer(upstream).oneshot(self::request("GET"));
        let _ = buttress_core::context::InRequest::new(Some(request.clone()), call).await.unwrap();
        request.take_fields()
    };
    let fields = serve(&[503, 502, 200]).await;
    assert_eq!(
        fields,
        [("retry_attempts".into(), 3_u64.into()), ("retry_stop".into(), "done".into())]
    );
    assert_eq!(serve(&[200]).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_request_says_which_attempt_it_is() {
    let (layer, upstream) = (layer(), statuses(&[503, 502, 200]));
    ask(&layer, &upstream, request("GET")).await;
    let attempts: Vec<u32> = upstream.seen().iter().map(|seen| seen.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn the_numbers_are_there_for_a_metrics_page() {
    let (layer, upstream) = (layer(), statuses(&[503, 200]));
    ask(&layer, &upstream, request("GET")).await;
    let mut lines = Vec::new();
    layer.handle().collect(&mut |sample| {
        let label = sample.labels.get(1).map_or("", |(_, value)| value);
        lines.push(format!("{} {label} {}", sample.name, sample.value));
    });
    for line in [
        "retry_calls_total done 1",
        "retry_calls_total budget 0",
        "retry_attempts_total retry 1",
        "retry_attempts_total hedge 0",
        "retry_budget_left  4",
        "retry_budget_hosts  0",
    ] {
        assert!(lines.iter().any(|other| other == line), "{line} in {lines:?}");
    }
}

// gRPC.

fn grpc(code: &'static str, pushback: Option<&'static str>) -> Step {
    let mut answer = Response::new(Full::default());
    answer.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    answer.headers_mut().insert("grpc-status", code.parse().unwrap());
    if let Some(pushback) = pushback {
        answer.headers_mut().insert("grpc-retry-pushback-ms", pushback.parse().unwrap());
    }
    Step::Answer(answer)
}

fn grpc_layer() -> RetryLayer {
    RetryLayer::grpc()
        .idempotency(Idempotency::all())
        .backoff(every(ms(100)))
        .unwrap()
        .budget(Budget::ratio(0.0).reserve(5))
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn grpc_codes_and_pushback() {
    let cases = [
        ("14", None, 2, ms(100), StopReason::Done),
        ("14", Some("1500"), 2, ms(1_500), StopReason::Done),
        ("14", Some("0"), 2, ms(0), StopReason::Done),
        ("14", Some("-1"), 1, ms(0), StopReason::Pushback),
        ("14", Some("soon"), 1, ms(0), StopReason::Pushback),
        ("14", Some("60001"), 1, ms(0), StopReason::HintTooLong),
        ("8", None, 1, ms(0), StopReason::NotRetryable),
        ("8", Some("20"), 2, ms(20), StopReason::Done),
        ("13", None, 1, ms(0), StopReason::NotRetryable),
        ("0", None, 1, ms(0), StopReason::Done),
    ];
    for (code, pushback, attempts, took, stop) in cases {
        let layer = grpc_layer();
        let upstream = upstream(move |n| grpc(if n == 1 { code } else { "0" }, pushback));
        let told = ask(&layer, &upstream, request("POST")).await;
        assert_eq!(told.took, took, "{code} {pushback:?}");
        check(&told, &layer.handle(), attempts, stop, 6 - u64::from(attempts));
        if attempts == 2 {
            assert_eq!(upstream.seen()[1].headers["grpc-previous-rpc-attempts"], "1");
        }
    }
}

/// gRFC A6.
#[tokio::test(start_paused = true)]
async fn after_pushback_the_back_off_begins_anew() {
    let backoff = Backoff::exponential(ms(100)).jitter(Jitter::None);
    let layer = grpc_layer().backoff(backoff).unwrap().max_attempts(5).unwrap();
    let upstream = upstream(|n| grpc("14", (n == 3).then_some("7")));
    let told = ask(&layer, &upstream, request("POST")).await;
    assert_eq!(told.took, ms(100 + 200 + 7 + 100));
    check(&told, &layer.handle(), 5, StopReason::Attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_grpc_call_is_a_post_and_is_not_repeated_unless_it_is_said_to_be() {
    let layer = grpc_layer().idempotency(Idempotency::default());
    let upstream = upstream(|_| grpc("14", None));
    let told = ask(&layer, &upstream, request("POST")).await;
    check(&told, &layer.handle(), 1, StopReason::NotRepeatable, 5);
}

#[tokio::test(start_paused = true)]
async fn grpc_tells_each_attempt_what_time_is_left() {
    let upstream = upstream(|n| grpc(if n < 3 { "14" } else { "0" }, None));
    let mut request = request("POST");
    request.headers_mut().insert("grpc-timeout", "1S".parse().unwrap());
    ask(&grpc_layer(), &upstream, request).await;
    let told: Vec<_> =
        upstream.seen().iter().map(|seen| seen.headers["grpc-timeout"].clone()).collect();
    assert_eq!(told, ["1000000u", "900000u", "800000u"]);
}

#[tokio::test(start_paused = true)]
async fn grpc_tells_the_first_attempt_of_the_total_timeout_too() {
    let upstream = upstream(|n| grpc(if n < 2 { "14" } else { "0" }, None));
    let layer = grpc_layer().total_timeout(ms(800)).unwrap();
    ask(&layer, &upstream, request("POST")).await;
    let mut longer = request("POST");
    longer.headers_mut().insert("grpc-timeout", "1S".parse().unwrap());
    ask(&layer, &upstream, longer).await;
    let told: Vec<_> =
        upstream.seen().iter().map(|seen| seen.headers["grpc-timeout"].clone()).collect();
    assert_eq!(told, ["800000u", "700000u", "800000u"]);
}

#[tokio::test(start_paused = true)]
async fn pushback_is_ignored_by_choice_but_for_never() {
    for (code, pushback, attempts, took) in
        [("14", "1500", 2, 100), ("8", "2147483647", 2, 100), ("14", "-1", 1, 0)]
    {
        let layer = grpc_layer().retry_after(RetryAfter::ignore());
        let upstream = upstream(move |n| grpc(if n == 1 { code } else { "0" }, Some(pushback)));
        let told = ask(&layer, &upstream, request("POST")).await;
        assert_eq!((told.info.attempts(), told.took), (attempts, ms(took)), "{code} {pushback}");
    }
}

#[tokio::test(start_paused = true)]
async fn grpc_methods_that_may_be_repeated_are_told_by_name() {
    let layer = RetryLayer::grpc()
        .idempotent_methods(["/helloworld.Greeter/SayHello", "store.Catalog"])
        .budget(Budget::unlimited())
        .unwrap();
    for (path, attempts) in [
        ("/helloworld.Greeter/SayHello", 3),
        ("/helloworld.Greeter/SayHelloOnce", 1),
        ("/helloworld.Greeter", 1),
        ("/store.Catalog/List", 3),
        ("/store.CatalogAdmin/List", 1),
        ("/", 1),
    ] {
        let mut request = request("POST");
        *request.uri_mut() = format!("http://upstream{path}").parse().unwrap();
        let told = ask(&layer, &upstream(|_| grpc("14", None)), request).await;
        assert_eq!(told.info.attempts(), attempts, "{path}");
    }
}
