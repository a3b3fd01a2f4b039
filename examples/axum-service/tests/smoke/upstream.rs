//! How the service calls one that fails at times.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{Response, StatusCode},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Service, assert_problem, id, json_of, only, text};

/// The breaker judges the last twenty attempts, from ten on; each of these calls has three.
const FAILING: &str = "/upstream?fail=9";

impl Service {
    async fn state(&self) -> Value {
        json_of(&self.get("/upstream/state").await)
    }

    async fn access(&self, answer: &Response<Bytes>) -> Value {
        self.access_line("/upstream", id(answer)).await
    }
}

#[tokio::test]
async fn failures_are_mended_by_as_many_attempts_as_it_takes_and_three_at_most() {
    let service = Service::start().await;
    for (query, ours, status, attempts, stop) in [
        ("", 200, 200, 1, "done"),
        ("?fail=1", 200, 200, 2, "done"),
        ("?fail=2&status=504", 200, 200, 3, "done"),
        ("?fail=3&status=429", 502, 429, 3, "attempts"),
        ("?fail=1&status=404", 502, 404, 1, "done"),
        ("?fail=1&status=501", 502, 501, 1, "not_retryable"),
    ] {
        let answer = service.get(&format!("/upstream{query}")).await;
        assert_eq!(answer.status(), ours, "{query}");
        let called = json!({
            "status": status, "attempts": attempts, "stop": stop, "breaker": "closed",
            "upstream": { "attempt": attempts },
        });
        assert_eq!(json_of(&answer), called, "{query}");
        let line = service.access(&answer).await;
        assert_eq!(line["breaker_state"], "closed", "{query}");
        assert_eq!(line["http_count"], 1, "{query}");
        // Where the first attempt is kept there is nothing to say.
        let plain = attempts == 1 && stop == "done";
        let said = if plain { json!([null, null]) } else { json!([attempts, stop]) };
        assert_eq!(json!([line["retry_attempts"], line["retry_stop"]]), said, "{query}");
    }
}

#[tokio::test]
async fn a_post_is_repeated_if_it_has_a_key() {
    let service = Service::start().await;
    let post = || service.request("POST", "/upstream?fail=1");
    let answer = service.send(post().body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    let called = json_of(&answer);
    assert_eq!((&called["attempts"], &called["stop"]), (&json!(1), &json!("not_repeatable")));
    assert_eq!(service.access(&answer).await["retry_stop"], "not_repeatable");

    let keyed = post().header("idempotency-key", "order-4711").body(Body::empty()).unwrap();
    let answer = service.send(keyed).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(json_of(&answer)["attempts"], 2);
}

#[tokio::test]
async fn what_hangs_is_given_up_in_time_and_said_to_be_slow() {
    let service = Service::start().await;
    let answer = service.get("/upstream?slow=5000").await;
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_problem(&answer, "a call that hangs");
    let line = service.access(&answer).await;
    assert_eq!(line["rejected_by"], "retry");
    assert_eq!(line["retry_attempts"], 3);
    // Three seconds, and not fifteen.
    let ms = line["duration_ms"].as_f64().unwrap();
    assert!((2_000.0..10_000.0).contains(&ms), "{ms}");
    let state = service.state().await;
    assert_eq!(state["breaker"]["window"]["slow"], 3, "{state}");
    assert_eq!(state["bulkhead"]["in_flight"], 0, "{state}");
}

#[tokio::test]
async fn what_does_not_work_is_left_alone_until_it_works() {
    let service = Service::start().await;
    for status in [502, 502, 502, 503] {
        assert_eq!(service.get(FAILING).await.status(), status);
    }
    let open = service.state().await;
    assert_eq!(open["breaker"]["state"], "open", "{open}");
    let requests = open["upstream"]["requests"].clone();
    assert_eq!(requests, 10);

    let refused = join_all((0..5).map(|_| service.get("/upstream"))).await;
    for answer in &refused {
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_problem(answer, "refused");
        let seconds: u64 = only(answer.headers(), "retry-after").parse().unwrap();
        assert!((1..=5).contains(&seconds), "{seconds}");
        let line = service.access(answer).await;
        assert_eq!(line["rejected_by"], "breaker");
        assert_eq!(line["reason"], "open");
        assert_eq!(line["retry_stop"], "rejected");
        assert_eq!(line["breaker_state"], "open");
    }
    assert_eq!(service.state().await["upstream"]["requests"], requests);
    let line = service.line(&["upstream: closed -> open"]).await;
    assert_eq!((&line["level"], &line["target"]), (&json!("WARN"), &json!("breaker")));

    let wait = only(refused[0].headers(), "retry-after").parse().unwrap();
    sleep(Duration::from_secs(wait)).await;
    for state in ["half_open", "closed"] {
        let answer = service.get("/upstream").await;
        assert_eq!(json_of(&answer)["breaker"], state);
    }
    let closed = service.state().await;
    assert_eq!(closed["breaker"]["state"], "closed", "{closed}");
    assert_eq!(closed["breaker"]["refused"], 6, "{closed}");
    service.line(&["upstream: half_open -> closed"]).await;
}

#[tokio::test]
async fn calls_are_counted_by_how_they_ended() {
    let service = Service::start().await;
    for (path, status) in
        [("/upstream?fail=1", 200), (FAILING, 502), (FAILING, 502), (FAILING, 503), (FAILING, 503)]
    {
        assert_eq!(service.get(path).await.status(), status);
    }
    let page = service.get("/metrics").await;
    for sample in [
        r#"retry_calls_total{retry="upstream",stop="done"} 1"#,
        // The third of these: its last attempt was refused.
        r#"retry_calls_total{retry="upstream",stop="attempts"} 3"#,
        r#"retry_calls_total{retry="upstream",stop="rejected"} 1"#,
        r#"breaker_calls_total{breaker="upstream",outcome="success"} 1"#,
        r#"breaker_refusals_total{breaker="upstream",reason="open"} 2"#,
        r#"breaker_opened_total{breaker="upstream",shadow="false"} 1"#,
        r#"breaker_circuits{breaker="upstream",state="open"} 1"#,
        r#"bulkhead_limit_calls{bulkhead="upstream"} 64"#,
    ] {
        assert!(text(&page).lines().any(|line| line == sample), "no {sample}: {}", text(&page));
    }
}

#[tokio::test]
async fn each_attempt_is_one_of_the_calls_in_the_numbers() {
    let service = Service::start().await;
    service.get("/upstream?fail=2").await;
    let page = service.get("/metrics").await;
    let counts = text(&page).lines().filter_map(|line| {
        let (labels, count) = line.rsplit_once(' ')?;
        let is_one = labels.starts_with("http_client_request_duration_seconds_count{");
        is_one.then(|| count.parse::<u64>().unwrap())
    });
    assert_eq!(counts.sum::<u64>(), 3);
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_before_anybody_is_called() {
    let service = Service::start().await;
    for (query, detail) in [
        ("fail=11", "fail is at most 10"),
        ("slow=5001", "slow is at most 5000"),
        ("status=200", "status is one of a failure, 400 to 599"),
        ("status=399", "status is one of a failure, 400 to 599"),
        ("status=600", "status is one of a failure, 400 to 599"),
        ("status=65536", "status: number too large to fit in target type"),
        ("fail=-1", "fail: invalid digit found in string"),
    ] {
        let answer = service.get(&format!("/upstream?{query}")).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
        assert_problem(&answer, query);
        let said = json_of(&answer)["detail"].as_str().unwrap().to_owned();
        assert!(said.contains(detail), "{query}: {said}");
    }
    assert_eq!(service.state().await["upstream"]["requests"], 0);
}
