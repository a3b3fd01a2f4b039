//! Checks that block a thread.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use buttress_core::source::{Check, CheckError, CheckFuture, CheckReport};
use tokio::sync::oneshot;

/// A blocking function as a [`Check`]: it runs in a thread of its own, and at most one is under
/// way. One that hangs costs that one thread and no more: while it does, each look fails as
/// `still hanging`.
///
/// The thread is not one of tokio's: a runtime waits for those at its end.
///
/// ```
/// use buttress_core::source::{CheckError, CheckReport};
/// use buttress_health::BlockingCheck;
///
/// let check = BlockingCheck::new("spool", || match std::fs::read_dir("/var/spool") {
///     Ok(entries) => Ok(CheckReport::ok().with("entries", entries.count())),
///     Err(error) => Err(CheckError::failed("unreadable").because(error)),
/// });
/// # let _ = check;
/// ```
#[derive(Clone)]
pub struct BlockingCheck {
    name: &'static str,
    function: Arc<Function>,
    is_busy: Arc<AtomicBool>,
}

type Function = dyn Fn() -> Result<CheckReport, CheckError> + Send + Sync;

/// Gives the one place back, also after a panic.
struct Busy(Arc<AtomicBool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl BlockingCheck {
    /// A check of this name.
    pub fn new(
        name: &'static str,
        function: impl Fn() -> Result<CheckReport, CheckError> + Send + Sync + 'static,
    ) -> Self {
        Self { name, function: Arc::new(function), is_busy: Arc::default() }
    }

    async fn look(&self) -> Result<CheckReport, CheckError> {
        if self.is_busy.swap(true, Ordering::AcqRel) {
            return Err(CheckError::failed("still hanging"));
        }
        let busy = Busy(Arc::clone(&self.is_busy));
        let (sender, receiver) = oneshot::channel();
        let function = Arc::clone(&self.function);
        let spawned =
            thread::Builder::new().name(format!("health-{}", self.name)).spawn(move || {
                let result = catch_unwind(AssertUnwindSafe(|| function()));
                // Before the result is told: who has it may ask again at once.
                drop(busy);
                let result = result.unwrap_or_else(|_| Err(CheckError::failed("panicked")));
                // Nobody may be waiting any more.
                let _ = sender.send(result);
            });
        spawned.map_err(|error| CheckError::failed("no thread").because(error))?;
        receiver.await.unwrap_or_else(|_| Err(CheckError::failed("panicked")))
    }
}

impl Check for BlockingCheck {
    fn name(&self) -> &str {
        self.name
    }

    fn check(&self) -> CheckFuture<'_> {
        Box::pin(self.look())
    }
}

impl fmt::Debug for BlockingCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingCheck")
            .field("name", &self.name)
            .field("is_busy", &self.is_busy)
            .finish_non_exhaustive()
    }
}
