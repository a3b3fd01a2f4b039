//! Timers for what a request makes the service do elsewhere.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use buttress_core::context::{self, Operation, RequestContext};
use pin_project_lite::pin_project;

use crate::access::millis;

/// From which duration on an operation has a line of its own.
const SLOW: Duration = Duration::from_secs(1);
/// A model takes its time.
const SLOW_AI: Duration = Duration::from_secs(10);

/// Times one operation, from now on to the drop of what this returns.
///
/// Its time is counted onto the request that is being served (`db_count`, `db_ms` and their like
/// on the access line). One that is slower than its threshold also has a line of its own, at
/// `WARN` with the target `operation`; outside of a request it has that alone.
///
/// The name is a constant, such as `users.by_id`: no text with values in it.
///
/// ```
/// use buttress_log::{Operation, operation};
/// use std::time::Duration;
/// # struct User;
/// # async fn query(_: &str) -> User { User }
///
/// async fn user() -> User {
///     operation(Operation::Db, "users.by_id").time(query("SELECT …")).await
/// }
///
/// fn total() -> u64 {
///     let _timer = operation(Operation::Service, "prices").slow(Duration::from_millis(50));
///     3 + 4
/// }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(user());
/// # assert_eq!(total(), 7);
/// ```
pub fn operation(operation: Operation, name: &'static str) -> Timer {
    let slow = if operation == Operation::Ai { SLOW_AI } else { SLOW };
    let started = Some(Instant::now());
    Timer { operation, name, slow, context: context::current(), started }
}

/// Times an operation until it is dropped, from [`operation`].
///
/// Dropped with a cancelled request it counts all the same: that time was spent.
#[derive(Debug)]
#[must_use = "what is dropped at once has taken no time"]
pub struct Timer {
    operation: Operation,
    name: &'static str,
    slow: Duration,
    // Of where it was made: it may end elsewhere.
    context: Option<RequestContext>,
    /// Not before the first poll of a future, nor after the end.
    started: Option<Instant>,
}

impl Timer {
    /// From which duration on it has a line of its own: 1 second by default, and 10 for
    /// [`Operation::Ai`]. [`Duration::MAX`] is never.
    pub const fn slow(mut self, from: Duration) -> Self {
        self.slow = from;
        self
    }

    /// The operation is over. A drop says the same.
    pub fn finish(self) {}

    /// Times this future instead: from its first poll to its end, or to its drop before that. One
    /// that is never polled does not count.
    pub fn time<F>(mut self, future: F) -> Timed<F> {
        self.started = None;
        Timed { future, timer: self, polled: false }
    }

    fn end(&mut self) {
        let Some(took) = self.started.take().map(|started| started.elapsed()) else { return };
        let Some(context) = &self.context else { return self.warn_if_slow(took) };
        context.count(self.operation, took);
        context.scope(|| self.warn_if_slow(took));
    }

    fn warn_if_slow(&self, took: Duration) {
        if took < self.slow {
            return;
        }
        let operation = word(self.operation);
        tracing::warn!(
            target: "operation",
            operation,
            name = self.name,
            duration_ms = millis(took),
            threshold_ms = millis(self.slow),
            "slow {operation}: {}",
            self.name
        );
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.end();
    }
}

/// As in the names of the access line's fields.
const fn word(operation: Operation) -> &'static str {
    match operation {
        Operation::Db => "db",
        Operation::Ai => "ai",
        Operation::Http => "http",
        Operation::Service => "service",
        _ => "other",
    }
}

pin_project! {
    /// A future that is timed, from [`Timer::time`].
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct Timed<F> {
        #[pin]
        future: F,
        // After the future: what a cancelled one does in its drop is a part of it.
        timer: Timer,
        polled: bool,
    }
}

impl<F: Future> Future for Timed<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if !std::mem::replace(this.polled, true) {
            this.timer.started = Some(Instant::now());
        }
        let output = this.future.poll(cx);
        if output.is_ready() {
            this.timer.end();
        }
        output
    }
}
