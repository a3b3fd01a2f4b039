//! Retries and limits of time for what is no request: a broker that is to be reached again, a job.

use std::{error::Error, fmt, future::Future, time::Duration};

use tokio::time::{sleep, timeout};

use crate::{backoff::Backoff, deadline::Deadline};

/// Does something until it succeeds, with the delays of a [`Backoff`] between.
///
/// It ends with the last error where the back-off [ends](Backoff::max_retries), or where the next
/// delay would reach past the [current](Deadline::current) deadline. Dropped, it drops the attempt
/// that is under way.
///
/// # Errors
/// The last attempt's.
///
/// ```
/// use buttress_retry::{Backoff, retry};
/// use std::{cell::Cell, time::Duration};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let tries = Cell::new(0);
/// let connect = || async {
///     tries.set(tries.get() + 1);
///     if tries.get() < 3 { Err("refused") } else { Ok("connected") }
/// };
/// let broker = retry(Backoff::exponential(Duration::from_millis(1)), connect).await;
/// assert_eq!((broker, tries.get()), (Ok("connected"), 3));
/// # });
/// ```
pub async fn retry<F, Fut, T, E>(backoff: Backoff, attempt: F) -> Result<T, E>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    retry_if(backoff, attempt, |_| true).await
}

/// As [`retry`], and only after errors of which `when` is true.
///
/// # Errors
/// The last attempt's.
///
/// ```
/// use buttress_retry::{Backoff, retry_if};
/// use std::{io, time::Duration};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let read = || async { Err::<(), _>(io::Error::from(io::ErrorKind::NotFound)) };
/// let backoff = Backoff::exponential(Duration::from_millis(1));
/// let error = retry_if(backoff, read, |error| error.kind() != io::ErrorKind::NotFound).await;
/// assert_eq!(error.unwrap_err().kind(), io::ErrorKind::NotFound);
/// # });
/// ```
pub async fn retry_if<F, Fut, T, E>(
    backoff: Backoff,
    mut attempt: F,
    when: impl Fn(&E) -> bool,
) -> Result<T, E>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let mut delays = backoff.delays();
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if !when(&error) {
            return Err(error);
        }
        let Some(delay) = delays.next() else { return Err(error) };
        if Deadline::current().is_some_and(|deadline| deadline.left() <= delay) {
            return Err(error);
        }
        sleep(delay).await;
    }
}

/// Lets a future run for so long at most, and not past the [current](Deadline::current) deadline;
/// what it calls has the earlier of the two for its own. What is ready in time wins.
///
/// # Errors
/// When the time has passed; the future is dropped.
///
/// ```
/// use buttress_retry::{TimeLimitReached, time_limit};
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let limit = Duration::from_millis(5);
/// assert_eq!(time_limit(limit, async { 7 }).await, Ok(7));
/// assert_eq!(time_limit(limit, std::future::pending::<()>()).await, Err(TimeLimitReached));
/// # });
/// ```
pub async fn time_limit<F: Future>(
    limit: Duration,
    future: F,
) -> Result<F::Output, TimeLimitReached> {
    let own = Deadline::within(limit);
    let left = Deadline::current().map_or(limit, |deadline| deadline.left().min(limit));
    timeout(left, own.scope(future)).await.map_err(|_| TimeLimitReached)
}

/// A future took longer than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimitReached;

impl fmt::Display for TimeLimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it took longer than it may")
    }
}

impl Error for TimeLimitReached {}
