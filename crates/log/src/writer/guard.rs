//! The end of a writer.

use std::{
    fmt,
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use super::{Writer, queue::Queue};

/// Flushes when it is dropped: keep it to the end of `main`.
///
/// Dropping it waits until all lines are out, at most for the time of
/// [`Sink::drain`](super::Sink::drain); what then is not written is reported on stderr. Lines that
/// come later are lost, and counted.
#[must_use = "lines are lost when it is dropped before the end"]
pub struct Guard {
    pub(super) queue: Arc<Queue>,
    pub(super) drain: Duration,
    pub(super) is_stderr: bool,
}

impl Guard {
    /// Waits until all lines that were queued before are out. Answers whether they are, none lost.
    ///
    /// It blocks the thread: in an async function call it by `spawn_blocking`.
    #[must_use]
    pub fn flush(&self, within: Duration) -> bool {
        self.queue.flush(within)
    }

    /// Another writer to the same sink: for its numbers, or for lines of one's own.
    ///
    /// ```
    /// use buttress_log::Setup;
    /// use tracing_subscriber::Registry;
    ///
    /// let (_layer, guard) = Setup::new().layer::<Registry>()?;
    /// assert_eq!(guard.writer().lost(), 0);
    /// # Ok::<(), buttress_log::InitError>(())
    /// ```
    #[must_use]
    pub fn writer(&self) -> Writer {
        Writer(Arc::clone(&self.queue))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.queue.close();
        let left = self.queue.wait_for_end(self.drain) + self.queue.lock().unreported;
        if left > 0 && !self.is_stderr {
            // Where even stderr is closed, there is nobody to tell.
            let _ = writeln!(io::stderr(), "buttress-log: log lines lost: {left}");
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("drain", &self.drain).finish_non_exhaustive()
    }
}
