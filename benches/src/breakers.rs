//! One window for ours and for the peers' breakers, and those breakers.

use std::{convert::Infallible, time::Duration};

use buttress::breaker::{BreakerLayer, Circuit, Policy, Window};
use failsafe::{Config, StateMachine, backoff, failure_policy};
use http::Response;
use recloser::Recloser;
use tower_resilience_circuitbreaker::{
    CircuitBreakerConfigError, CircuitBreakerLayer, FailureClassifier, SlidingWindowType,
};

use crate::Failure;

/// What a breaker remembers; it opens when half of that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// The last 100 calls.
    Count,
    /// The calls of the last 30 s.
    Time,
    /// Failures with no success between them.
    Consecutive,
    /// As the first one, and which calls took longer than 2 s.
    Slow,
}

const CALLS: u8 = 100;
const PERIOD: Duration = Duration::from_secs(30);
const FAILURES: u8 = 5;
const SLOW: Duration = Duration::from_secs(2);
const OPEN: Duration = Duration::from_secs(5);
const HALF: f64 = 0.5;

impl Memory {
    fn policy(self) -> Policy {
        let policy = Policy::new().failure_rate(HALF);
        match self {
            Self::Count => policy.window(Window::count(CALLS.into())),
            Self::Time => policy.window(Window::time(PERIOD)),
            Self::Consecutive => policy.window(Window::consecutive(FAILURES.into())),
            Self::Slow => policy.window(Window::count(CALLS.into())).slow_calls(SLOW, HALF),
        }
    }

    pub(crate) fn ours(self) -> Result<BreakerLayer, Failure> {
        Ok(BreakerLayer::new("upstream", self.policy())?)
    }

    pub(crate) fn circuit(self) -> Result<Circuit, Failure> {
        Ok(Circuit::new("upstream", self.policy())?)
    }

    pub(crate) fn tower_resilience(
        self,
    ) -> Result<CircuitBreakerLayer<ServerErrors>, CircuitBreakerConfigError> {
        let builder = CircuitBreakerLayer::builder()
            .failure_classifier_type(ServerErrors)
            .failure_rate_threshold(HALF)
            .wait_duration_in_open(OPEN);
        match self {
            Self::Count => builder.sliding_window_size(CALLS.into()),
            Self::Time => builder
                .sliding_window_type(SlidingWindowType::TimeBased)
                .sliding_window_duration(PERIOD)
                .minimum_number_of_calls(20),
            Self::Consecutive => builder.consecutive_failures(FAILURES.into()),
            Self::Slow => builder
                .sliding_window_size(CALLS.into())
                .slow_call_duration_threshold(SLOW)
                .slow_call_rate_threshold(HALF),
        }
        .build()
    }
}

/// Ours takes these for failures by default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerErrors;

impl<B> FailureClassifier<Response<B>, Infallible> for ServerErrors {
    fn classify(&self, result: &Result<Response<B>, Infallible>) -> bool {
        result.as_ref().is_ok_and(|response| response.status().is_server_error())
    }
}

/// It knows windows of a count alone.
pub(crate) fn recloser() -> Recloser {
    Recloser::custom()
        .error_rate(0.5)
        .closed_len(CALLS.into())
        .half_open_len(3)
        .open_wait(OPEN)
        .build()
}

/// It has no window of a count.
pub(crate) fn failsafe_time()
-> StateMachine<failure_policy::SuccessRateOverTimeWindow<backoff::Constant>, ()> {
    let open = backoff::constant(OPEN);
    let policy = failure_policy::success_rate_over_time_window(HALF, 20, PERIOD, open);
    Config::new().failure_policy(policy).build()
}

pub(crate) fn failsafe_consecutive()
-> StateMachine<failure_policy::ConsecutiveFailures<backoff::Constant>, ()> {
    let policy = failure_policy::consecutive_failures(FAILURES.into(), backoff::constant(OPEN));
    Config::new().failure_policy(policy).build()
}
