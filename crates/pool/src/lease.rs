//! Who has which connection, and since when.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    panic::Location,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use buttress_core::context;
use http::HeaderValue;
use tokio::sync::watch;

/// A connection that is out: where it was taken, when, and for which request.
#[derive(Clone, Debug)]
pub struct Lease {
    place: &'static Location<'static>,
    since: Instant,
    request_id: Option<HeaderValue>,
    is_warned: bool,
}

impl Lease {
    /// The call that took it.
    #[must_use]
    pub const fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// For how long it is out.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// The request that it was taken for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref().and_then(|id| id.to_str().ok())
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {:.1?}", self.place, self.elapsed())?;
        match self.request_id() {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

/// A pool was closed, and not everything came back in time.
#[derive(Clone, Debug)]
pub struct StillOut {
    pub(crate) name: String,
    pub(crate) leases: Vec<Lease>,
}

impl StillOut {
    /// What is out, the longest first. It is empty where it is the pool itself that still makes a
    /// connection.
    #[must_use]
    pub fn leases(&self) -> &[Lease] {
        &self.leases
    }
}

impl fmt::Display for StillOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: still out: {}", self.name, self.leases.len())?;
        for (index, lease) in self.leases.iter().enumerate() {
            write!(f, "{} {lease}", if index == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

impl Error for StillOut {}

/// All leases of one pool.
#[derive(Debug)]
pub(crate) struct Leases {
    out: Mutex<Out>,
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Out {
    next: u64,
    leases: BTreeMap<u64, Lease>,
}

#[cfg_attr(
    not(any(feature = "postgres", feature = "redis")),
    expect(dead_code, reason = "there is no pool then")
)]
impl Leases {
    pub(crate) fn new() -> Self {
        Self { out: Mutex::default(), count: watch::Sender::new(0) }
    }

    pub(crate) fn begin(&self, place: &'static Location<'static>) -> u64 {
        let request_id = context::current().and_then(|request| request.request_id().cloned());
        let lease = Lease { place, since: Instant::now(), request_id, is_warned: false };
        let mut out = self.out();
        let id = out.next;
        out.next += 1;
        out.leases.insert(id, lease);
        self.count.send_replace(out.leases.len());
        id
    }

    /// Answers for how long it was out.
    pub(crate) fn end(&self, id: u64) -> Duration {
        let mut out = self.out();
        let lease = out.leases.remove(&id);
        self.count.send_replace(out.leases.len());
        lease.map_or(Duration::ZERO, |lease| lease.elapsed())
    }

    pub(crate) fn len(&self) -> usize {
        *self.count.borrow()
    }

    /// The oldest first.
    pub(crate) fn all(&self) -> Vec<Lease> {
        self.out().leases.values().cloned().collect()
    }

    /// Those that are out for so long, each once.
    pub(crate) fn overdue(&self, long: Duration) -> Vec<Lease> {
        let mut out = self.out();
        let overdue = out.leases.values_mut().filter(|lease| !lease.is_warned);
        overdue
            .filter(|lease| lease.elapsed() >= long)
            .map(|lease| {
                lease.is_warned = true;
                lease.clone()
            })
            .collect()
    }

    pub(crate) async fn none(&self) {
        // The sender is ours, so it is never gone.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
