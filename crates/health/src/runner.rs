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

use buttress_core::{
    lifecycle::State,
    source::{Check, CheckError, CheckReport},
};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    cell::{Cell, Look},
    judge::Seen,
    log,
    registry::{Health, read},
};

/// Looks at each check in its interval. While it does not run, every result grows old, and what
/// is critical becomes [`Unavailable`](crate::Status::Unavailable).
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
        let permits = Permits::new(self.concurrency);
        let mut tasks = JoinSet::new();
        let mut indices = HashMap::new();
        let spawn = |tasks: &mut JoinSet<()>, index, after| {
            tasks.spawn(watch(self.health.clone(), index, permits.clone(), after)).id()
        };
        for index in 0..self.health.cells().len() {
            indices.insert(spawn(&mut tasks, index, Duration::ZERO), index);
        }
        // The start is seen even where it is over before anyone asks.
        if let Some(lifecycle) = self.health.lifecycle() {
            let (running, health) = (lifecycle.reached(State::Running), self.health.clone());
            tasks.spawn(async move {
                running.await;
                let _ = health.is_started();
            });
        }
        while let Some(ended) = tasks.join_next_with_id().await {
            // Only a check whose future panics when it is dropped gets here.
            let Err(panicked) = ended else { continue };
            let Some(index) = indices.remove(&panicked.id()) else { continue };
            let Some(cell) = self.health.cells().get(index) else { continue };
            let (reason, data) = (Some("panicked"), Vec::new());
            let look = Look { seen: Seen::Failure, reason, took: Duration::ZERO, data };
            record(&self.health, cell, look, None);
            indices.insert(spawn(&mut tasks, index, jittered(cell.entry.interval)), index);
        }
        std::future::pending::<()>().await;
    }
}

/// What hangs and is optional takes no place of what is critical: that would grow stale, and take
/// the service out.
#[derive(Clone)]
struct Permits {
    critical: Arc<Semaphore>,
    optional: Arc<Semaphore>,
}

impl Permits {
    fn new(each: usize) -> Self {
        let [critical, optional] = [each; 2].map(|each| Arc::new(Semaphore::new(each)));
        Self { critical, optional }
    }

    fn of(&self, cell: &Cell) -> &Semaphore {
        if cell.entry.critical { &self.critical } else { &self.optional }
    }
}

async fn watch(health: Health, index: usize, permits: Permits, after: Duration) {
    let Some(cell) = health.cells().get(index) else { return };
    sleep(after).await;
    loop {
        // It is never closed.
        let Ok(permit) = permits.of(cell).acquire().await else { return };
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
    let now = health.now();
    // That it grew stale is told first, if nobody has asked meanwhile.
    read(cell, now);
    let (before, after) = cell.record(look, now);
    // It latches, also while nobody asks.
    let _ = health.is_started();
    if before != Some(after) {
        log::changed(cell.name(), before, after, reason, error);
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
