//! What looks at the checks, in the background.

use std::{
    collections::HashMap,
    future::Future,
    hash::{BuildHasher, RandomState},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use buttress_core::source::{Check, CheckError, CheckReport};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    cell::{Cell, Look},
    judge::Seen,
    registry::Health,
    status::Status,
};

/// Looks at each check in its interval. While it does not run, every result grows old, and what
/// is critical becomes [`Unavailable`](Status::Unavailable).
#[derive(Debug)]
#[must_use = "nothing is looked at until it runs"]
pub struct Runner {
    health: Health,
    concurrency: usize,
}

impl Runner {
    pub(crate) const fn new(health: Health, concurrency: usize) -> Self {
        Self { health, concurrency }
    }

    /// Runs for ever, on tokio: spawn it. Dropped, it takes all checks that are under way along.
    ///
    /// Each check has a task of its own, so one that blocks its thread does not stop the others.
    pub async fn run(self) {
        let permits = Arc::new(Semaphore::new(self.concurrency));
        let mut tasks = JoinSet::new();
        let mut indices = HashMap::new();
        let spawn = |tasks: &mut JoinSet<()>, index| {
            tasks.spawn(watch(self.health.clone(), index, Arc::clone(&permits))).id()
        };
        for index in 0..self.health.cells().len() {
            indices.insert(spawn(&mut tasks, index), index);
        }
        while let Some(ended) = tasks.join_next_with_id().await {
            // Only a check whose future panics when it is dropped gets here.
            let Err(panicked) = ended else { continue };
            let Some(index) = indices.remove(&panicked.id()) else { continue };
            if let Some(cell) = self.health.cells().get(index) {
                let (reason, data) = (Some("panicked"), Vec::new());
                let look = Look { seen: Seen::Failure, reason, took: Duration::ZERO, data };
                record(&self.health, cell, look, None);
                sleep(cell.entry.interval).await;
            }
            indices.insert(spawn(&mut tasks, index), index);
        }
    }
}

async fn watch(health: Health, index: usize, permits: Arc<Semaphore>) {
    let Some(cell) = health.cells().get(index) else { return };
    loop {
        // It is never closed.
        let Ok(permit) = permits.acquire().await else { return };
        look(&health, cell).await;
        drop(permit);
        sleep(jittered(cell.entry.interval)).await;
    }
}

async fn look(health: &Health, cell: &Cell) {
    let start = Instant::now();
    let result = timeout(cell.entry.timeout, caught(cell.check())).await;
    let took = start.elapsed();
    let (seen, reason, data, error) = match result {
        Ok(Some(Ok(report))) => (Seen::Pass, None, owned(report.data()), None),
        Ok(Some(Err(error))) => {
            let seen = if error.is_degraded() { Seen::Degraded } else { Seen::Failure };
            (seen, Some(error.public()), owned(error.data()), Some(error))
        }
        Ok(None) => (Seen::Failure, Some("panicked"), Vec::new(), None),
        Err(_) => (Seen::Failure, Some("timed out"), Vec::new(), None),
    };
    record(health, cell, Look { seen, reason, took, data }, error.as_ref());
}

fn record(health: &Health, cell: &Cell, look: Look, error: Option<&CheckError>) {
    let reason = look.reason;
    let (before, after) = cell.record(look, health.now());
    // It latches, also while nobody asks.
    let _ = health.is_started();
    if before != Some(after) {
        log(cell.name(), before, after, reason, error);
    }
}

/// `None` if the check panicked: when it was asked, or at any poll. Whatever it left broken is
/// its own, and it is asked anew.
async fn caught(check: Arc<dyn Check>) -> Option<Result<CheckReport, CheckError>> {
    let mut future = pin!(async move { check.check().await });
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(result)) => Poll::Ready(Some(result)),
        Err(_) => Poll::Ready(None),
    })
    .await
}

fn owned<'a>(
    data: impl Iterator<Item = (&'a str, &'a buttress_core::value::Value)>,
) -> Vec<(String, buttress_core::value::Value)> {
    data.map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

/// A tenth more or less, so that a fleet that starts together does not look together.
fn jittered(interval: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 2_001;
    let share = u32::try_from(random).unwrap_or(1_000);
    interval * (9_000 + share) / 10_000
}

/// One line for each change. The cause, which may name hosts and users, goes here and nowhere
/// else.
fn log(
    check: &str,
    before: Option<Status>,
    after: Status,
    reason: Option<&'static str>,
    error: Option<&CheckError>,
) {
    let from = before.map_or("pending", Status::name);
    let to = after.name();
    let reason = reason.unwrap_or("");
    let cause = error.and_then(std::error::Error::source).map(ToString::to_string);
    let cause = cause.as_deref().unwrap_or("");
    match after {
        Status::Healthy => tracing::info!(check, from, to, "health changed"),
        Status::Degraded => tracing::warn!(check, from, to, reason, cause, "health changed"),
        Status::Unavailable | Status::Unhealthy => {
            tracing::error!(check, from, to, reason, cause, "health changed");
        }
    }
}
