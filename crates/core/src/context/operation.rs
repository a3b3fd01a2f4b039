//! What a request made the service do elsewhere.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// A kind of operation that is counted onto its request.
///
/// ```
/// use buttress_core::context::{self, Operation};
/// use std::time::Instant;
///
/// /// Around every query of a database driver.
/// fn counted<T>(query: impl FnOnce() -> T) -> T {
///     let started = Instant::now();
///     let rows = query();
///     if let Some(request) = context::current() {
///         request.count(Operation::Db, started.elapsed());
///     }
///     rows
/// }
/// # let request = context::RequestContext::new();
/// # request.scope(|| counted(|| 1));
/// # assert_eq!(request.operations(Operation::Db).count, 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A query of a database.
    Db,
    /// A call of a model.
    Ai,
    /// A call over HTTP.
    Http,
    /// A call of another service of one's own.
    Service,
}

/// How many operations, and how long they took together.
///
/// ```
/// use buttress_core::context::{Operation, RequestContext};
/// use std::time::Duration;
///
/// let request = RequestContext::new();
/// request.count(Operation::Db, Duration::from_millis(4));
/// request.count(Operation::Db, Duration::from_millis(6));
///
/// let total = request.operations(Operation::Db);
/// assert_eq!((total.count, total.took), (2, Duration::from_millis(10)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationTotal {
    /// How many.
    pub count: u32,
    /// How long: the sum, which is more than the request's own time when they overlap.
    pub took: Duration,
}

#[derive(Default)]
pub(super) struct Counters {
    db: Counter,
    ai: Counter,
    http: Counter,
    service: Counter,
}

#[derive(Default)]
struct Counter {
    count: AtomicU32,
    nanos: AtomicU64,
}

impl Counters {
    pub(super) fn add(&self, operation: Operation, took: Duration) {
        let counter = self.of(operation);
        counter.count.fetch_add(1, Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        // The closure always has an answer, so this cannot fail.
        let _ = counter
            .nanos
            .fetch_update(Relaxed, Relaxed, |before| Some(before.saturating_add(nanos)));
    }

    pub(super) fn total(&self, operation: Operation) -> OperationTotal {
        let counter = self.of(operation);
        OperationTotal {
            count: counter.count.load(Relaxed),
            took: Duration::from_nanos(counter.nanos.load(Relaxed)),
        }
    }

    const fn of(&self, operation: Operation) -> &Counter {
        match operation {
            Operation::Db => &self.db,
            Operation::Ai => &self.ai,
            Operation::Http => &self.http,
            Operation::Service => &self.service,
        }
    }
}
