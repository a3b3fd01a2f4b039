//! The tokio runtime's numbers, and the periodic line.

use std::time::Duration;

use buttress_core::source::{Metrics, Sample};
use tokio::{
    runtime::{Handle, RuntimeMetrics as Tokio},
    time::{Instant, MissedTickBehavior, interval_at},
};

use crate::http_metrics::HttpMetrics;

/// Workers, tasks and the queue of a tokio runtime.
///
/// How long its workers were busy is shown where the target has 64-bit atomics.
#[derive(Clone, Debug)]
pub struct RuntimeMetrics(Tokio);

impl RuntimeMetrics {
    /// Of the runtime in which this is called; `None` outside of any.
    #[must_use]
    pub fn current() -> Option<Self> {
        Handle::try_current().ok().map(|handle| Self::of(&handle))
    }

    /// Of this runtime.
    #[must_use]
    pub fn of(handle: &Handle) -> Self {
        Self(handle.metrics())
    }
}

impl Metrics for RuntimeMetrics {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        let Self(tokio) = self;
        let float = |count: usize| u32::try_from(count).map_or(f64::from(u32::MAX), f64::from);
        let workers = tokio.num_workers();
        each(Sample::gauge("tokio_workers", "Number of worker threads.", float(workers)));
        let help = "Number of tasks that have not ended.";
        each(Sample::gauge("tokio_alive_tasks", help, float(tokio.num_alive_tasks())));
        let help = "Number of tasks that wait in the queue that all workers share.";
        each(Sample::gauge("tokio_global_queue_depth", help, float(tokio.global_queue_depth())));
        #[cfg(target_has_atomic = "64")]
        for worker in 0..workers {
            let help = "Total time in which a worker ran tasks.";
            let busy = tokio.worker_total_busy_duration(worker).as_secs_f64();
            each(
                Sample::counter("tokio_worker_busy_seconds_total", help, busy)
                    .labels(&[("worker", &worker.to_string())]),
            );
        }
    }
}

impl HttpMetrics {
    /// Logs the [`Report`](crate::Report)'s line at `INFO`, target `metrics`, once in each
    /// `period`, for as long as it is polled. A period of zero is taken for a second.
    ///
    /// ```
    /// use buttress_metrics::HttpMetrics;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let metrics = HttpMetrics::server();
    /// let lines = tokio::spawn(metrics.log_every(Duration::from_secs(60)));
    /// // At the end:
    /// lines.abort();
    /// # }
    /// ```
    pub fn log_every(&self, period: Duration) -> impl Future<Output = ()> + Send + use<> {
        let metrics = self.clone();
        let period = if period.is_zero() { Duration::from_secs(1) } else { period };
        async move {
            let mut ticks = interval_at(Instant::now() + period, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                tracing::info!(target: "metrics", "{}", metrics.report());
            }
        }
    }
}
