//! Where lines go: a bounded queue, and a thread that writes it out.

use std::{fmt, io, sync::Arc};

use buttress_core::source::{Metrics, Sample};

pub(crate) use self::queue::Notice;
use self::queue::Queue;
pub use self::{guard::Guard, sink::Sink};

mod file;
mod guard;
mod queue;
mod sink;
mod stdout;
mod thread;

/// Takes lines and never waits: a request is not to stand still because a disk is full.
///
/// [`push`](Self::push) copies the line into a queue in memory; a thread writes the queue out, many
/// lines at once. A line that does not fit is dropped and counted, and once the sink takes lines
/// again one of them says how many were lost. A clone writes to the same sink.
///
/// ```
/// use buttress_log::Sink;
/// use std::time::Duration;
///
/// let (writer, guard) = Sink::stdout().open()?;
/// writer.push(b"{\"message\":\"by hand\"}\n");
/// assert!(guard.flush(Duration::from_secs(1)));
/// assert_eq!(writer.lost(), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// It is an [`io::Write`] too, for layers of others: what is given to one `write` must be whole
/// lines, as the fmt layer's is.
///
/// In a child of a process that forks, the thread is not there, and a lock may be held for ever:
/// between `fork` and `exec` nothing is to be logged, and a child that stays opens another sink.
#[derive(Clone)]
pub struct Writer(Arc<Queue>);

impl Writer {
    /// Queues whole lines, each with its line feed, or counts them as lost. Takes as long as
    /// copying them does.
    pub fn push(&self, lines: &[u8]) {
        self.0.push(lines, queue::count(lines));
    }

    /// Queues one line.
    pub(crate) fn push_line(&self, line: &[u8]) {
        self.0.push(line, 1);
    }

    /// How many lines never got to the sink, since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.counts().lost
    }

    /// How the loss of lines is told.
    pub(crate) fn report_by(&self, notice: Notice) {
        self.0.report_by(notice);
    }
}

impl io::Write for Writer {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.push(lines);
        Ok(lines.len())
    }

    /// Does nothing: the [`Guard`] flushes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `log_lines_total`, `log_lines_lost_total` and `log_bytes_total`.
impl Metrics for Writer {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        let counts = self.0.counts();
        #[allow(clippy::cast_precision_loss, reason = "2^53 lines are never reached")]
        let mut counter = |name, help, count: u64| each(Sample::counter(name, help, count as f64));
        counter("log_lines_total", "Log lines that were queued.", counts.lines);
        counter("log_lines_lost_total", "Log lines that were lost.", counts.lost);
        counter("log_bytes_total", "Bytes of log lines that were written.", counts.written);
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("counts", &self.0.counts()).finish_non_exhaustive()
    }
}
