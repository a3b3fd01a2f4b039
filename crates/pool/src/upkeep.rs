//! What a pool does by itself: it closes what is too old or unused, keeps the least number open,
//! and warns of what is out for too long.

use std::{
    sync::Weak,
    time::{Duration, Instant},
};

use tokio::time::{self, Interval, MissedTickBehavior, interval_at};

use crate::{
    core::{Core, millis},
    counts::Closed,
    kept::{Driver, Kept},
    limits::Limits,
};

/// The longest between two looks.
const LONGEST: Duration = Duration::from_secs(1);
/// The shortest.
const SHORTEST: Duration = Duration::from_millis(5);
/// By how much a look may be late, as a part of the shortest time that it watches over.
const PART: u32 = 10;

/// Runs until the pool is closed or gone.
pub(crate) async fn run<D: Driver>(pool: Weak<Core<D>>, limits: Limits) {
    let mut looks = looks(limits);
    loop {
        looks.tick().await;
        let Some(core) = pool.upgrade() else { return };
        warn(&core);
        if core.pool.is_closed() {
            // Until the last is back: who does not give it back is still warned of.
            if core.leases.len() == 0 {
                return;
            }
            continue;
        }
        close_old(&core);
    }
}

/// Keeps the least number open: apart from the rest, as it may wait for the server. It runs until
/// the pool is closed, which ends it, or gone.
pub(crate) async fn refill<D: Driver>(pool: Weak<Core<D>>, limits: Limits) {
    let mut looks = looks(limits);
    loop {
        looks.tick().await;
        let Some(core) = pool.upgrade() else { return };
        // Whoever needs one hears of the failure; and the next look tries again.
        let _ = core.fill().await;
    }
}

fn looks(limits: Limits) -> Interval {
    let shortest = limits.lifetime.min(limits.idle).min(limits.long_use);
    let period = (shortest / PART).clamp(SHORTEST, LONGEST);
    // Not at once: who makes a pool is about to connect it.
    let mut looks = interval_at(time::Instant::now() + period, period);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

fn close_old<D: Driver>(core: &Core<D>) {
    let now = Instant::now();
    let size = core.size();
    // Of those that are only unused, the least number stays.
    let mut unneeded = size.saturating_sub(core.limits.min_idle);
    // While one was opened for the least number, requests may have opened all that there may be.
    let mut too_many = size.saturating_sub(core.limits.size);
    let mut stays = |kept: &Kept<D::Connection>| match kept.end(now) {
        None => true,
        Some(Closed::Idle) if unneeded == 0 => true,
        Some(_) => {
            unneeded = unneeded.saturating_sub(1);
            false
        }
    };
    let of_spare: Vec<_> = core
        .pool
        .manager()
        .spare()
        .extract_if(.., |kept| {
            if too_many > 0 {
                too_many -= 1;
                kept.doomed = Some(Closed::Idle);
            }
            !stays(kept)
        })
        .collect();
    let removed = core.pool.retain(|kept, _| stays(kept));
    // Not under a lock.
    drop((of_spare, removed));
}

fn warn<D: Driver>(core: &Core<D>) {
    for lease in core.leases.overdue(core.limits.long_use) {
        tracing::warn!(
            pool = &*core.name,
            place = %lease.place(),
            out_ms = millis(lease.elapsed()),
            request_id = lease.request_id(),
            "a connection is out for long",
        );
    }
}
