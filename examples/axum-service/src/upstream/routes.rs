//! `/upstream`: a call, and what became of it.

use axum::{
    Extension, Json,
    body::{self, Body},
    extract::{Query, State},
    http::{HeaderMap, Method, Response, StatusCode},
    response::IntoResponse,
};
use buttress::{
    context,
    problem::{Failure, Public},
    reject::Rejected,
    retry::RetryInfo,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    IDEMPOTENCY_KEY, MOST_BYTES,
    flaky::{Said, Whims},
};
use crate::routes::Service;

#[derive(Debug, Serialize)]
struct Called {
    /// Upstream's, of the last attempt.
    status: u16,
    attempts: u32,
    stop: &'static str,
    breaker: &'static str,
    upstream: Said,
}

/// Calls upstream by the same method. A POST may be repeated if it says so, by a key.
pub(crate) async fn call(
    State(Service { upstream, .. }): State<Service>,
    method: Method,
    headers: HeaderMap,
    Query(whims): Query<Whims>,
) -> Result<Response<Body>, Failure> {
    let whims = whims.check()?;
    // axum leaves the body of a HEAD's answer away: upstream is asked for it all the same.
    let method = if method == Method::HEAD { Method::GET } else { method };
    let answer = upstream.call(method, headers.get(IDEMPOTENCY_KEY), whims).await;
    let breaker = upstream.state().as_str();
    // Beside `retry_attempts` and `retry_stop`, which the retry says itself if there was one.
    if let Some(request) = context::current() {
        request.add("breaker_state", breaker);
    }
    let answer = answer.map_err(|error| Failure::new(StatusCode::BAD_GATEWAY).with_cause(error))?;
    // What is not upstream's, but says that the breaker is open or the time is over, is an answer
    // as it is: with the reason for the log, and with `Retry-After`.
    if answer.extensions().get::<Rejected>().is_some() {
        return Ok(answer);
    }
    let tried = RetryInfo::of(&answer);
    let status = answer.status();
    let said = body::to_bytes(answer.into_body(), MOST_BYTES).await.map_err(Failure::internal)?;
    let called = Called {
        status: status.as_u16(),
        attempts: tried.attempts(),
        stop: tried.stop().as_str(),
        breaker,
        upstream: serde_json::from_slice(&said).map_err(Failure::internal)?,
    };
    let ours = if status.is_success() { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
    // Nothing in it is secret: it is not masked, though it is a 502.
    Ok((ours, Extension(Public), Json(called)).into_response())
}

/// What is known of upstream.
pub(crate) async fn state(State(Service { upstream, .. }): State<Service>) -> Json<Value> {
    let breaker = upstream.breaker.snapshot().map(|circuit| {
        json!({
            "state": circuit.state.as_str(),
            "open_for_ms": circuit.open_for.map(|time| time.as_millis()),
            "window": {
                "calls": circuit.window.calls,
                "failures": circuit.window.failures,
                "slow": circuit.window.slow,
            },
            "good_probes": circuit.good_probes,
            "opened": circuit.totals.opened,
            "refused": circuit.totals.refused(),
        })
    });
    let (bulkhead, retry) = (&upstream.bulkhead, &upstream.retry);
    Json(json!({
        "breaker": breaker,
        "bulkhead": {
            "in_flight": bulkhead.in_flight(),
            "limit": bulkhead.limit(),
            "refused": bulkhead.refused(),
        },
        "retry": {
            "calls": retry.calls(),
            "retries": retry.retries(),
            "budget_left": retry.budget_left(),
        },
        "upstream": { "requests": upstream.flaky.requests() },
    }))
}
