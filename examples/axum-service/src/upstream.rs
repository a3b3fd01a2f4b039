//! Calls to a service that fails at times: made again where that may mend it, and not made at all
//! while it does not work.

use std::{
    error::Error,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Method, Request, Response},
};
use buttress::{
    breaker::{
        Breaker, BreakerHandle, BreakerLayer, Bulkhead, BulkheadHandle, BulkheadLayer, OpenFor,
        Policy, Probes, State, Window,
    },
    log::{Operation, operation},
    metrics::HttpMetrics,
    observe::Observe,
    request_id::{Propagate, PropagateLayer},
    retry::{
        Backoff, Budget, DeadlineLayer, DeadlineService, ReplayBody, Retry, RetryHandle, RetryLayer,
    },
    trace::{self, OutboundLayer},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{BoxError, ServiceBuilder, ServiceExt};

use self::flaky::{Flaky, Whims};

mod flaky;
pub(crate) mod routes;

/// How long a call may take, with all its attempts and the waits between them, and how long each
/// of the attempts.
const PATIENCE: Duration = Duration::from_secs(3);
const PATIENCE_EACH: Duration = Duration::from_secs(1);
const MOST_ATTEMPTS: u32 = 3;
const FIRST_DELAY: Duration = Duration::from_millis(50);
/// Retries are a fifth of the calls, and ten more for the start.
const RETRIES: f64 = 0.2;
const RESERVE: u32 = 10;

/// The breaker opens where half of the last twenty attempts failed, or took longer than this: those
/// that the retry gives up among them.
const WINDOW: u32 = 20;
const ENOUGH: u32 = 10;
const HALF: f64 = 0.5;
const SLOW: Duration = Duration::from_millis(800);
/// For so long at first; each time that follows twice as long, up to so many times.
pub(crate) const OPEN: Duration = Duration::from_secs(5);
const LONGEST: u32 = 12;
/// So many good calls close it again.
const PROBES: u32 = 2;

/// How many attempts are under way at once.
const SEATS: usize = 64;
/// How much of an answer is read.
const MOST_BYTES: usize = 64 * 1024;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The client alone: the trace, the id, the numbers, the connections. Each attempt has a span of
/// its own, and is counted.
type Plain =
    trace::Outbound<Propagate<Observe<Client<HttpConnector, ReplayBody<Body>>, HttpMetrics>>>;
/// Outermost first.
type Stacked = DeadlineService<Retry<Breaker<Bulkhead<Plain>>>>;

/// Upstream, and what stands before it. A clone shares all of it.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    client: Stacked,
    pub(crate) retry: RetryHandle,
    pub(crate) breaker: BreakerHandle,
    pub(crate) bulkhead: BulkheadHandle,
    calls: Arc<AtomicU64>,
    flaky: Flaky,
}

impl Upstream {
    /// Starts the service that is called, and opens for so long where it does not work.
    pub(crate) async fn start(
        numbers: &HttpMetrics,
        open: Duration,
    ) -> Result<Self, Box<dyn Error>> {
        let retry = RetryLayer::http()
            .name("upstream")
            .max_attempts(MOST_ATTEMPTS)?
            .backoff(Backoff::exponential(FIRST_DELAY))?
            .attempt_timeout(PATIENCE_EACH)?
            .budget(Budget::ratio(RETRIES).reserve(RESERVE))?
            .hyper_util();
        let policy = Policy::new()
            .window(Window::count(WINDOW))
            .min_calls(ENOUGH)
            .failure_rate(HALF)
            .slow_calls(SLOW, HALF)
            .open(OpenFor::exponential(open, open * LONGEST))
            .half_open(Probes::new(PROBES));
        let breaker = BreakerLayer::new("upstream", policy)?.on_transition(|change| {
            tracing::warn!(target: "breaker", "{}: {} -> {}", change.circuit, change.from, change.to);
        });
        let bulkhead = BulkheadLayer::new("upstream", SEATS)?;
        let client = ServiceBuilder::new()
            .layer(DeadlineLayer::new().max_timeout(PATIENCE)?)
            .layer(retry.clone())
            .layer(breaker.clone())
            .layer(bulkhead.clone())
            .layer(OutboundLayer::propagate())
            .layer(PropagateLayer::new())
            .layer(numbers.layer())
            .service(Client::builder(TokioExecutor::new()).build_http());
        Ok(Self {
            client,
            retry: retry.handle(),
            breaker: breaker.handle(),
            bulkhead: bulkhead.handle(),
            calls: Arc::default(),
            flaky: Flaky::start().await?,
        })
    }

    /// Ends the service that is called: once nobody calls it any more.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.flaky.closed()
    }

    /// One call. Its number, by which upstream knows it again, is that of each of its attempts.
    async fn call(
        &self,
        method: Method,
        key: Option<&HeaderValue>,
        whims: Whims,
    ) -> Result<Response<Body>, BoxError> {
        let call = self.calls.fetch_add(1, Relaxed);
        let uri = format!("http://{}/calls/{call}?{}", self.flaky.address, whims.query());
        let mut request = Request::builder().method(method).uri(uri).body(Body::empty())?;
        if let Some(key) = key {
            request.headers_mut().insert(IDEMPOTENCY_KEY, key.clone());
        }
        let answer = self.client.clone().oneshot(request);
        // `http_count` and `http_ms` on the access line, of all attempts together.
        let answer = operation(Operation::Http, "upstream").time(answer).await?;
        Ok(answer.map(Body::new))
    }

    /// What the breaker does with calls.
    fn state(&self) -> State {
        self.breaker.snapshot().map_or(State::Closed, |circuit| circuit.state)
    }
}
