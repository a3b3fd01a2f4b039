//! A pool's numbers.

use std::{
    array::from_fn,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use buttress_core::source::Sample;

use crate::check::Status;

/// The upper bounds, in seconds, by which times are counted.
const BOUNDS: [(&str, Duration); 8] = [
    ("0.001", Duration::from_millis(1)),
    ("0.005", Duration::from_millis(5)),
    ("0.025", Duration::from_millis(25)),
    ("0.1", Duration::from_millis(100)),
    ("0.5", Duration::from_millis(500)),
    ("1", Duration::from_secs(1)),
    ("5", Duration::from_secs(5)),
    ("60", Duration::from_secs(60)),
];

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Closed {
    /// It was its time.
    Lifetime,
    /// It lay unused for too long.
    Idle,
    /// It was lost, or did not answer when it was asked whether it lives.
    Lost,
    /// Its last statement ran over its time, and may run still.
    Unconfirmed,
    /// Whoever waited for its last statement has left.
    Abandoned,
    /// Whoever had it has changed what it is, with a `SELECT` of Redis for example.
    Changed,
    /// The pool was closed, or is gone.
    Shutdown,
}

impl Closed {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Lifetime, "lifetime"),
        (Self::Idle, "idle"),
        (Self::Lost, "lost"),
        (Self::Unconfirmed, "unconfirmed"),
        (Self::Abandoned, "abandoned"),
        (Self::Changed, "changed"),
        (Self::Shutdown, "shutdown"),
    ];
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) acquires: Times,
    pub(crate) usages: Times,
    pub(crate) waiting: AtomicUsize,
    pub(crate) wait_timeouts: AtomicU64,
    pub(crate) create_timeouts: AtomicU64,
    pub(crate) recycle_timeouts: AtomicU64,
    pub(crate) statement_timeouts: AtomicU64,
    pub(crate) created: AtomicU64,
    pub(crate) create_failures: AtomicU64,
    closed: [AtomicU64; Closed::ALL.len()],
    pub(crate) statements: Times,
    pub(crate) slow: AtomicU64,
    pub(crate) tx_retries: AtomicU64,
}

/// How many took how long.
#[derive(Debug)]
pub(crate) struct Times {
    count: AtomicU64,
    nanos: AtomicU64,
    within: [AtomicU64; BOUNDS.len()],
}

impl Counts {
    pub(crate) fn closed(&self, why: Closed) {
        if let Some(count) = self.closed.get(why as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn collect(&self, pool: &str, status: Status, each: &mut dyn FnMut(Sample<'_>)) {
        let by_pool = [("pool", pool)];
        for (state, value) in [("idle", status.idle), ("out", status.out)] {
            let help = "Connections, by whether they lie unused or are out.";
            let labels = [("pool", pool), ("state", state)];
            each(Sample::gauge("pool_connections", help, whole(value)).labels(&labels));
        }
        let most = Sample::gauge("pool_connections_max", "Connections at most.", whole(status.max));
        each(most.labels(&by_pool));
        let waiting = "Calls that wait for a connection, or for one to be made.";
        each(Sample::gauge("pool_waiting", waiting, whole(status.waiting)).labels(&by_pool));
        self.acquires.collect(pool, &ACQUIRES, each);
        self.usages.collect(pool, &USAGES, each);
        self.statements.collect(pool, &STATEMENTS, each);
        let timeouts = [
            ("wait", &self.wait_timeouts),
            ("create", &self.create_timeouts),
            ("recycle", &self.recycle_timeouts),
            ("statement", &self.statement_timeouts),
        ];
        for (kind, count) in timeouts {
            let labels = [("pool", pool), ("kind", kind)];
            let help = "What took too long, by kind.";
            each(Sample::counter("pool_timeouts_total", help, float(count)).labels(&labels));
        }
        let created = "Connections that were made.";
        each(Sample::counter("pool_created_total", created, float(&self.created)).labels(&by_pool));
        let failed = "Connections that could not be made.";
        let failures = float(&self.create_failures);
        each(Sample::counter("pool_create_failures_total", failed, failures).labels(&by_pool));
        for ((_, reason), count) in Closed::ALL.iter().zip(&self.closed) {
            let labels = [("pool", pool), ("reason", *reason)];
            let help = "Connections that were closed, by reason.";
            each(Sample::counter("pool_closed_total", help, float(count)).labels(&labels));
        }
        let slow = "Statements that were slow.";
        each(Sample::counter("pool_slow_total", slow, float(&self.slow)).labels(&by_pool));
        let retries = "Attempts of transactions after the first.";
        let retried = float(&self.tx_retries);
        each(Sample::counter("pool_tx_retries_total", retries, retried).labels(&by_pool));
    }
}

/// The names and helps of one [`Times`]: how many, in all, and within each bound.
struct Names([(&'static str, &'static str); 3]);

const ACQUIRES: Names = Names([
    ("pool_acquires_total", "Connections that were asked for."),
    ("pool_acquire_seconds_total", "Time until there was a connection, or an error."),
    (
        "pool_acquires_within_total",
        "Connections that were asked for and took at most `le` seconds.",
    ),
]);
const USAGES: Names = Names([
    ("pool_usages_total", "Connections that were given back."),
    ("pool_usage_seconds_total", "Time for which connections were out."),
    ("pool_usages_within_total", "Connections that were out for at most `le` seconds."),
]);
const STATEMENTS: Names = Names([
    ("pool_statements_total", "Statements and commands."),
    ("pool_statement_seconds_total", "Time that statements and commands took."),
    ("pool_statements_within_total", "Statements and commands that took at most `le` seconds."),
]);

impl Times {
    pub(crate) fn add(&self, took: Duration) {
        self.count.fetch_add(1, Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        for ((_, bound), within) in BOUNDS.iter().zip(&self.within) {
            if took <= *bound {
                within.fetch_add(1, Relaxed);
                break;
            }
        }
    }

    fn collect(&self, pool: &str, names: &Names, each: &mut dyn FnMut(Sample<'_>)) {
        let Names([(count, count_help), (seconds, seconds_help), (within, within_help)]) = *names;
        let by_pool = [("pool", pool)];
        each(Sample::counter(count, count_help, float(&self.count)).labels(&by_pool));
        let took = Duration::from_nanos(self.nanos.load(Relaxed)).as_secs_f64();
        each(Sample::counter(seconds, seconds_help, took).labels(&by_pool));
        let mut sum = 0.0;
        for ((bound, _), here) in BOUNDS.iter().zip(&self.within) {
            sum += float(here);
            let labels = [("pool", pool), ("le", *bound)];
            each(Sample::counter(within, within_help, sum).labels(&labels));
        }
        // Without it, `histogram_quantile` answers NaN. Read last, it is never the least.
        let labels = [("pool", pool), ("le", "+Inf")];
        each(Sample::counter(within, within_help, float(&self.count)).labels(&labels));
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            count: AtomicU64::default(),
            nanos: AtomicU64::default(),
            within: from_fn(|_| AtomicU64::default()),
        }
    }
}

/// Exact up to 2^53, which no counter of these reaches.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn float(count: &AtomicU64) -> f64 {
    count.load(Relaxed) as f64
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
const fn whole(count: usize) -> f64 {
    count as f64
}
