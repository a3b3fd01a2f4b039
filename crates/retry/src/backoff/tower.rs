//! For `tower::retry`: its policies take our delays.

use std::time::Duration;

use tokio::time::{Sleep, sleep};
use tower::retry::backoff::{self, MakeBackoff};

use super::{Backoff, Delays};

/// The delays of a [`Backoff`] as the timers that `tower::retry` waits on.
#[derive(Clone, Debug)]
pub struct Pauses {
    delays: Delays,
    longest: Duration,
}

/// ```
/// use buttress_retry::Backoff;
/// use std::time::Duration;
/// use tower::retry::backoff::{Backoff as _, MakeBackoff};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let mut pauses = Backoff::exponential(Duration::from_millis(1)).make_backoff();
/// pauses.next_backoff().await;
/// # });
/// ```
impl MakeBackoff for Backoff {
    type Backoff = Pauses;

    fn make_backoff(&mut self) -> Pauses {
        Pauses { delays: self.delays(), longest: self.max }
    }
}

/// After the last delay of a back-off that ends, its longest is waited for: how often to retry is
/// the policy's to say there.
impl backoff::Backoff for Pauses {
    type Future = Sleep;

    fn next_backoff(&mut self) -> Sleep {
        sleep(self.delays.next().unwrap_or(self.longest))
    }
}
