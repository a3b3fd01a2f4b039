//! What a layer, its services and its handles share.

use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use buttress_core::context;

use crate::{
    backoff::Backoff,
    budget::{Budget, Budgets},
    hedge::Hedging,
    stop::{RetryInfo, StopReason},
};

const DEFAULT_NAME: &str = "default";
const DEFAULT_ATTEMPTS: u32 = 3;
const DEFAULT_FIRST_DELAY: Duration = Duration::from_millis(50);

/// Fields of the request that is being served, for its access line.
const ATTEMPTS: &str = "retry_attempts";
const STOP: &str = "retry_stop";

#[derive(Clone)]
pub(crate) struct Shared<X> {
    pub(crate) name: Cow<'static, str>,
    pub(crate) exchange: X,
    pub(crate) max_attempts: u32,
    pub(crate) backoff: Backoff,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) hedging: Option<Arc<Hedging>>,
    pub(crate) budgets: Arc<Budgets>,
    pub(crate) counts: Arc<Counts>,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) retries: AtomicU64,
    pub(crate) hedges: AtomicU64,
    stops: [AtomicU64; StopReason::ALL.len()],
}

impl<X> Shared<X> {
    pub(crate) fn new(exchange: X) -> Self {
        Self {
            name: Cow::Borrowed(DEFAULT_NAME),
            exchange,
            max_attempts: DEFAULT_ATTEMPTS,
            backoff: Backoff::exponential(DEFAULT_FIRST_DELAY),
            attempt_timeout: None,
            total_timeout: None,
            hedging: None,
            budgets: Arc::new(Budgets::new(&Budget::default())),
            counts: Arc::default(),
        }
    }

    /// How a call has ended: on the counters, and, where there is something to say, among the
    /// fields of the request that is being served.
    #[inline]
    pub(crate) fn record(&self, info: RetryInfo) -> Option<RetryInfo> {
        self.counts.stop(info.stop());
        if info.is_plain() {
            return None;
        }
        if let Some(request) = context::current() {
            request.add(ATTEMPTS, u64::from(info.attempts()));
            request.add(STOP, info.stop().as_str());
        }
        Some(info)
    }
}

impl Counts {
    #[inline]
    pub(crate) fn stop(&self, reason: StopReason) {
        if let Some(count) = self.stops.get(reason as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn stops(&self, reason: StopReason) -> u64 {
        self.stops.get(reason as usize).map_or(0, |count| count.load(Relaxed))
    }
}

impl<X: fmt::Debug> fmt::Debug for Shared<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("exchange", &self.exchange)
            .field("max_attempts", &self.max_attempts)
            .field("backoff", &self.backoff)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("total_timeout", &self.total_timeout)
            .field("hedging", &self.hedging)
            .field("budgets", &self.budgets)
            .finish_non_exhaustive()
    }
}
