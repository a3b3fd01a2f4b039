//! What requests made the service do elsewhere.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use buttress_core::context::{Operation, RequestContext};

use crate::recorder::nanos;

const KINDS: [(Operation, &str); 4] = [
    (Operation::Db, "db"),
    (Operation::Ai, "ai"),
    (Operation::Http, "http"),
    (Operation::Service, "service"),
];

/// By kind, of all requests that have ended.
#[derive(Default)]
pub(crate) struct Operations([Counter; KINDS.len()]);

#[derive(Default)]
struct Counter {
    count: AtomicU64,
    nanos: AtomicU64,
}

impl Operations {
    /// Adds what this request has counted.
    #[inline]
    pub(crate) fn record(&self, context: &RequestContext) {
        for ((kind, _), counter) in KINDS.iter().zip(&self.0) {
            let total = context.operations(*kind);
            if total.count > 0 {
                counter.count.fetch_add(total.count.into(), Relaxed);
                counter.nanos.fetch_add(nanos(total.took), Relaxed);
            }
        }
    }

    /// The kinds that there were, how many, and how many nanoseconds they took.
    pub(crate) fn totals(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        KINDS.iter().zip(&self.0).filter_map(|((_, name), counter)| {
            let count = counter.count.load(Relaxed);
            (count > 0).then(|| (*name, count, counter.nanos.load(Relaxed)))
        })
    }
}
