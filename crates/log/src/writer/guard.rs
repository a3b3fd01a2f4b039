//! The end of a writer.

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use super::{Writer, queue::Queue};

/// How long the end of the process waits for stderr.
const TELL: Duration = Duration::from_millis(100);

/// Flushes when it is dropped: keep it to the end of `main`.
///
/// Dropping it waits until all lines are out, at most for the time of
/// [`Sink::drain`](super::Sink::drain); what then is not written is reported on stderr. Lines that
/// come later are lost, and counted. `std::process::exit` drops nothing: [`flush`](Self::flush)
/// before it.
#[must_use = "lines are lost when it is dropped before the end"]
pub struct Guard {
    pub(super) queue: Arc<Queue>,
    pub(super) drain: Duration,
    pub(super) is_stderr: bool,
}

impl Guard {
    /// Waits until all lines that were queued before are in the sink, and the sink is flushed.
    /// Answers whether they are; false where some could not be written, or the time was up.
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
        let left = self.queue.close(self.drain);
        if left > 0 && !self.is_stderr {
            tell(left);
        }
    }
}

/// By a thread of its own, which is left behind: stderr may be as stuck as the sink is.
fn tell(left: u64) {
    let (told, is_told) = mpsc::channel();
    let tell = move || {
        let text = format!("buttress-log: log lines lost: {left}\n");
        // Where even stderr is closed, there is nobody to tell.
        let _ = io::stderr().write_all(text.as_bytes());
        let _ = told.send(());
    };
    if thread::Builder::new().name("buttress-log-end".into()).spawn(tell).is_ok() {
        let _ = is_told.recv_timeout(TELL);
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("drain", &self.drain).finish_non_exhaustive()
    }
}
