//! The course of a shutdown, from its cause to its report.

use std::{sync::Arc, time::Duration};

use buttress_core::lifecycle::State;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::{
    report::Report,
    shutdown::{Shared, tell},
};

/// For the tasks of killed connections to see it, before what they use is closed.
const LET_GO: Duration = Duration::from_millis(100);

/// Waits for the cause, then runs it all.
pub(crate) async fn run(shared: Arc<Shared>) {
    shared.notified.wait().await;
    let Some((cause, began)) = shared.began.get().cloned() else { return };
    let (plan, start) = (&shared.plan, Instant::now());
    // Counted from the cause, as the platform does: a busy runtime may have come to this late.
    let deadline = start + plan.usable().saturating_sub(began.elapsed());
    tell(|| tracing::info!(%cause, "shutting down"));

    tell(|| {
        plan.lifecycle.advance(State::Draining);
    });
    if shared.has_served() {
        sleep(plan.pre_stop).await;
    }

    // Before they are told: some are gone at once.
    let open = shared.connections.open();
    tell(|| shared.not_accepting.set());
    let _ = timeout(plan.drain, shared.idle()).await;
    let (killed, unanswered) = (shared.connections.open(), shared.requests.open());
    tell(|| shared.killed.set());

    let tasks_until = Instant::now() + plan.tasks;
    tell(|| shared.stop_tasks.cancel());
    let _ = timeout_at(tasks_until.min(Instant::now() + LET_GO), shared.idle()).await;
    let _ = timeout_at(tasks_until, shared.tasks.gauge.empty()).await;
    let aborted = shared.tasks.abort();

    tell(|| {
        plan.lifecycle.advance(State::Stopping);
    });
    let mut phases = Vec::new();
    for phase in shared.take_phases() {
        phases.push(phase.run(&shared.runtime, deadline).await);
    }

    let report = Report {
        cause,
        took: start.elapsed(),
        drained: open.saturating_sub(killed),
        killed,
        unanswered,
        aborted,
        panicked: shared.tasks.names_of_panicked(),
        phases,
    };
    tell(|| report.log());
    shared.report.send_replace(Some(report));
}
