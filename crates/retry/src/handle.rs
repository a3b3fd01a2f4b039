//! Reading a layer that has gone into a service.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use buttress_core::source::{Metrics, Sample};

use crate::{
    budget::Budgets,
    shared::{Counts, Shared},
    stop::StopReason,
};

/// Reads a [`RetryLayer`](crate::RetryLayer): what was retried, what was not and why, what is left
/// of the budget.
///
/// ```
/// use buttress_retry::{RetryLayer, StopReason};
///
/// let handle = RetryLayer::http().handle();
/// assert_eq!(handle.retries(), 0);
/// assert_eq!(handle.stopped(StopReason::Budget), 0);
/// assert_eq!(handle.budget_left(), Some(10));
/// ```
#[derive(Clone, Debug)]
pub struct RetryHandle {
    name: Cow<'static, str>,
    budgets: Arc<Budgets>,
    counts: Arc<Counts>,
}

impl RetryHandle {
    pub(crate) fn new<X>(shared: &Shared<X>) -> Self {
        Self {
            name: shared.name.clone(),
            budgets: Arc::clone(&shared.budgets),
            counts: Arc::clone(&shared.counts),
        }
    }

    /// Retries that were sent, hedges not counted.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.counts.retries.load(Relaxed)
    }

    /// Hedges that were sent.
    #[must_use]
    pub fn hedges(&self) -> u64 {
        self.counts.hedges.load(Relaxed)
    }

    /// Calls that ended for this reason.
    #[must_use]
    pub fn stopped(&self, reason: StopReason) -> u64 {
        self.counts.stops(reason)
    }

    /// Calls that have ended.
    #[must_use]
    pub fn calls(&self) -> u64 {
        StopReason::ALL.iter().map(|reason| self.counts.stops(*reason)).sum()
    }

    /// Whole retries that are left of the budget, or tokens where it counts those; `None` where it
    /// has no end. Of budgets by host, that of those who have none of their own.
    #[must_use]
    pub fn budget_left(&self) -> Option<u64> {
        self.budgets.common().left()
    }

    /// Hosts that have a budget of their own.
    #[must_use]
    pub fn hosts(&self) -> usize {
        self.budgets.hosts()
    }
}

impl Metrics for RetryHandle {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        let name = ("retry", &*self.name);
        for reason in StopReason::ALL {
            let help = "Calls that ended, by why there was no further attempt.";
            let count = float(self.stopped(reason));
            let labels = [name, ("stop", reason.as_str())];
            each(Sample::counter("retry_calls_total", help, count).labels(&labels));
        }
        let help = "Attempts beyond the first.";
        for (kind, count) in [("retry", self.retries()), ("hedge", self.hedges())] {
            let sample = Sample::counter("retry_attempts_total", help, float(count));
            each(sample.labels(&[name, ("kind", kind)]));
        }
        if let Some(left) = self.budget_left() {
            let help = "Retries, or tokens, that are left of the budget.";
            each(Sample::gauge("retry_budget_left", help, float(left)).labels(&[name]));
        }
        let help = "Hosts that have a budget of their own.";
        let hosts = Sample::gauge("retry_budget_hosts", help, float(self.hosts() as u64));
        each(hosts.labels(&[name]));
    }
}

/// Exact to 2⁵³.
fn float(count: u64) -> f64 {
    count as f64
}
