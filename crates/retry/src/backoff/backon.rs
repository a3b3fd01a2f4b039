//! For backon: whoever retries with it elsewhere has the same delays there.

use backon::BackoffBuilder;

use super::{Backoff, Delays};

/// ```
/// use backon::Retryable;
/// use buttress_retry::Backoff;
/// use std::{cell::Cell, time::Duration};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let tries = Cell::new(0);
/// let connect = || async {
///     tries.set(tries.get() + 1);
///     if tries.get() < 3 { Err("not yet") } else { Ok(tries.get()) }
/// };
/// let backoff = Backoff::constant(Duration::from_millis(1)).max_retries(5);
/// assert_eq!(connect.retry(backoff).sleep(tokio::time::sleep).await, Ok(3));
/// # });
/// ```
impl BackoffBuilder for Backoff {
    type Backoff = Delays;

    fn build(self) -> Delays {
        self.delays()
    }
}
