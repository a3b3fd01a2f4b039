//! Calls to a service that fails: made again, and not made at all.

use axum::{
    body::{Body, Bytes},
    http::Response,
};
use serde_json::{Value, json};

use super::{Service, assert_problem, id, json_of, only, text};

impl Service {
    async fn post(&self, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        let request = self.request("POST", path);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn state(&self) -> Value {
        json_of(&self.get("/upstream/state").await)
    }

    /// Calls what fails until the breaker refuses, and gives that refusal.
    async fn open_the_breaker(&self) -> Response<Bytes> {
        for _ in 0..12 {
            let answer = self.get("/upstream?fail=10").await;
            if answer.status() == 503 {
                return answer;
            }
            assert_eq!(answer.status(), 502, "{}", text(&answer));
        }
        panic!("it never opened: {}", self.state().await);
    }
}

#[tokio::test]
async fn two_failures_are_mended_and_told_on_the_line_and_in_the_metrics() {
    let service = Service::start().await;
    let answer = service.get("/upstream?fail=2").await;
    assert_eq!(answer.status(), 200);
    let expected = json!({
        "status": 200,
        "attempts": 3,
        "stop": "done",
        "breaker": "closed",
        "upstream": { "attempt": 3 },
    });
    assert_eq!(json_of(&answer), expected);
    let line = service.access_line("/upstream", id(&answer)).await;
    assert_eq!(line["retry_attempts"], 3);
    assert_eq!(line["retry_stop"], "done");
    assert_eq!(line["breaker_state"], "closed");
    let page = service.get("/metrics").await;
    for sample in [
        r#"retry_attempts_total{retry="upstream",kind="retry"} 2"#,
        r#"breaker_calls_total{breaker="upstream",outcome="failure"} 2"#,
        r#"breaker_circuits{breaker="upstream",state="closed"} 1"#,
        r#"bulkhead_in_flight_calls{bulkhead="upstream"} 0"#,
    ] {
        assert!(text(&page).lines().any(|line| line == sample), "{sample}: {}", text(&page));
    }
    let state = service.state().await;
    assert_eq!(state["retry"]["retries"], 2);
    assert_eq!(state["upstream"]["requests"], 3);
}

#[tokio::test]
async fn only_what_may_be_repeated_is_and_only_what_a_retry_may_mend() {
    let service = Service::start().await;
    let attempts = async |answer: Response<Bytes>| {
        let called = json_of(&answer);
        (called["attempts"].as_u64().unwrap(), called["stop"].as_str().unwrap().to_owned())
    };
    let key = [("idempotency-key", "7f")];
    let post = service.post("/upstream?fail=1", &[]).await;
    assert_eq!(attempts(post).await, (1, "not_repeatable".to_owned()));
    let post = service.post("/upstream?fail=1", &key).await;
    assert_eq!(attempts(post).await, (2, "done".to_owned()));
    let broken = service.get("/upstream?fail=1&status=501").await;
    assert_eq!(attempts(broken).await, (1, "not_retryable".to_owned()));
    let never = service.get("/upstream?fail=9").await;
    assert_eq!(never.status(), 502);
    assert_eq!(attempts(never).await, (3, "attempts".to_owned()));
}

#[tokio::test]
async fn a_service_that_does_not_work_is_left_alone_and_asked_again_later() {
    let service = Service::start().await;
    let refused = service.open_the_breaker().await;
    assert_problem(&refused, "the refusal");
    let wait: u64 = only(refused.headers(), "retry-after").parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
    let line = service.access_line("/upstream", id(&refused)).await;
    assert_eq!((&line["rejected_by"], &line["reason"]), (&json!("breaker"), &json!("open")));
    assert_eq!(line["breaker_state"], "open");

    let before = service.state().await;
    assert_eq!(before["breaker"]["state"], "open");
    assert_eq!(service.get("/upstream").await.status(), 503);
    assert_eq!(service.state().await["upstream"], before["upstream"]);

    tokio::time::sleep(std::time::Duration::from_secs(wait)).await;
    for _ in 0..4 {
        assert_eq!(service.get("/upstream").await.status(), 200);
    }
    assert_eq!(service.state().await["breaker"]["state"], "closed");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_given_up_on() {
    let service = Service::start().await;
    let answer = service.get("/upstream?slow=5000").await;
    assert_eq!(answer.status(), 504, "{}", text(&answer));
    assert_problem(&answer, "the deadline");
    let line = service.access_line("/upstream", id(&answer)).await;
    assert_eq!(line["retry_attempts"], 3);
}

#[tokio::test]
async fn a_wish_that_cannot_be_is_refused_with_what_can() {
    let service = Service::start().await;
    for (path, detail) in [
        ("/upstream?fail=11", "fail is at most 10"),
        ("/upstream?slow=5001", "slow is at most 5000"),
        ("/upstream?status=200", "status is one of a failure, 400 to 599"),
        ("/upstream?status=999", "status is one of a failure, 400 to 599"),
    ] {
        let answer = service.get(path).await;
        assert_eq!(answer.status(), 400, "{path}");
        assert_eq!(json_of(&answer)["detail"], detail);
    }
}
