//! For backon: whoever retries with it elsewhere has the same delays there.

use backon::BackoffBuilder;

use super::{Backoff, Delays};

/// ```
/// use backon::BlockingRetryable;
/// use buttress_retry::Backoff;
/// use std::time::Duration;
///
/// let mut tries = 0;
/// let answer = (|| {
///     tries += 1;
///     if tries < 3 { Err("not yet") } else { Ok(tries) }
/// })
/// .retry(Backoff::constant(Duration::from_millis(1)).max_retries(5))
/// .call();
/// assert_eq!(answer, Ok(3));
/// ```
impl BackoffBuilder for Backoff {
    type Backoff = Delays;

    fn build(self) -> Delays {
        self.delays()
    }
}
