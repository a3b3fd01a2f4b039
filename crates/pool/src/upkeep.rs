//! What a pool does by itself: it closes what is too old or unused, keeps the least number open,
//! and warns of what is out for too long.

use std::{
    sync::Weak,
    time::{Duration, Instant},
};

use tokio::time::{self, MissedTickBehavior, interval_at};

use crate::{
    core::{Core, millis},
    counts::Closed,
    kept::Driver,
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
    let shortest = limits.lifetime.min(limits.idle).min(limits.long_use);
    let period = (shortest / PART).clamp(SHORTEST, LONGEST);
    // Not at once: who makes a pool is about to connect it.
    let mut looks = interval_at(time::Instant::now() + period, period);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
        if core.pool.status().size < limits.min_idle {
            // Whoever needs one hears of the failure; and the next look tries again.
            let _ = core.fill(limits.min_idle).await;
        }
    }
}

fn close_old<D: Driver>(core: &Core<D>) {
    let now = Instant::now();
    let mut spare = core.pool.status().size.saturating_sub(core.limits.min_idle);
    let removed = core.pool.retain(|kept, _| {
        match kept.end(now) {
            None => true,
            // Of those that are only unused, the least number stays.
            Some(Closed::Idle) if spare == 0 => true,
            Some(_) => {
                spare = spare.saturating_sub(1);
                false
            }
        }
    });
    // Not under deadpool's lock.
    drop(removed);
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
