//! The thread that writes the queue out.

use std::{
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use super::queue::{Done, Notice, Queue, count, writes_here};
use crate::{
    json::guarded,
    line::{Bytes, Now},
};

/// How long lines gather before they are written, so that a burst is one write and a thread that
/// logs need not wake this one each time. What a process loses at most when it is killed.
const GATHER: Duration = Duration::from_millis(5);

/// When a sink that has failed is tried again though there are no new lines.
const RETRY: Duration = Duration::from_millis(200);

/// When a sink that would block is tried again.
const BLOCKED: Duration = Duration::from_millis(10);

pub(super) struct Thread {
    sink: Box<dyn Write + Send>,
    /// The last write has stopped within a line.
    torn: bool,
    /// The last lines are taken.
    last: bool,
    // After the sink, which may write when it is dropped: only then is it the end.
    queue: Ending,
}

/// Tells the others, however the thread ends.
struct Ending(Arc<Queue>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Lines that were lost behind those that were taken, and how that is told.
struct Lost {
    lines: u64,
    notice: Option<Notice>,
}

impl Thread {
    pub(super) fn new(queue: Arc<Queue>, sink: Box<dyn Write + Send>) -> Self {
        Self { sink, torn: false, last: false, queue: Ending(queue) }
    }

    pub(super) fn run(mut self) {
        writes_here();
        let mut batch = self.queue.0.other_half();
        let mut failed = false;
        while let Some(lost) = self.next(&mut batch, failed) {
            failed = !self.write_out(&batch, &lost);
            batch.clear();
        }
    }

    /// Waits for lines, or for something else that the sink must be told. `None` at the end.
    fn next(&mut self, batch: &mut Vec<u8>, failed: bool) -> Option<Lost> {
        let queue = &self.queue.0;
        let retry = failed.then(Instant::now).and_then(|now| now.checked_add(RETRY));
        let mut state = queue.lock();
        while state.waiting.is_empty() && !state.closing {
            let is_due = state.unreported > 0 || state.unflushed;
            let rest = retry.map(|at| at.saturating_duration_since(Instant::now()));
            let rest = rest.filter(|rest| !rest.is_zero() && !state.hurry);
            if is_due && rest.is_none() {
                break;
            }
            state.asleep = true;
            state = queue.wait(state, rest.filter(|_| is_due));
        }
        state.asleep = false;
        if !state.hurry && !state.closing {
            state = queue.wait(state, Some(GATHER));
        }
        if state.closing {
            // One more time, or somebody who does not stop logging keeps the process from its end.
            if std::mem::replace(&mut self.last, true) {
                return None;
            }
            state.sealed = true;
        }
        let lines = state.take(batch);
        let notice = state.notice.as_ref().filter(|_| lines > 0).map(Arc::clone);
        Some(Lost { lines, notice })
    }

    /// Answers whether all of it got out.
    fn write_out(&mut self, batch: &[u8], lost: &Lost) -> bool {
        let (mut written, mut whole) = self.write(batch);
        let unwritten = count(batch.get(written..).unwrap_or_default());
        let mut unreported = lost.lines;
        if whole && unreported > 0 {
            let mut told = Vec::new();
            match &lost.notice {
                Some(notice) => notice(unreported, &mut told),
                None => plain_notice(unreported, &mut told),
            }
            let notice;
            (notice, whole) = self.write(&told);
            written += notice;
            if whole {
                unreported = 0;
            }
        }
        let flushed = self.attempt(|sink| sink.flush()).is_some();
        let taken = batch.len();
        self.queue.0.done(&Done { taken, written, lost: unwritten, unreported, flushed });
        whole && flushed
    }

    /// Answers how much of it got out, and whether all of it did.
    fn write(&mut self, lines: &[u8]) -> (usize, bool) {
        if self.torn && self.write_all(b"\n") == 0 {
            return (0, false);
        }
        self.torn = false;
        let written = self.write_all(lines);
        let whole = written == lines.len();
        let last = lines.get(..written).and_then(<[u8]>::last);
        self.torn = !whole && last.is_some_and(|last| *last != b'\n');
        (written, whole)
    }

    fn write_all(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while let Some(left) = bytes.get(written..).filter(|left| !left.is_empty()) {
            match self.attempt(|sink| sink.write(left)) {
                None | Some(0) => break,
                Some(n) => written += n.min(left.len()),
            }
        }
        written
    }

    /// Until it is done or has failed. A sink that panics has failed.
    fn attempt<T>(&mut self, run: impl Fn(&mut dyn Write) -> io::Result<T>) -> Option<T> {
        loop {
            let mut result = None;
            guarded(|| result = Some(run(&mut *self.sink)));
            match result?.map_err(|error| error.kind()) {
                Ok(value) => return Some(value),
                Err(io::ErrorKind::Interrupted) => {}
                // A pipe that another process has set so.
                Err(io::ErrorKind::WouldBlock) => {
                    let queue = &self.queue.0;
                    drop(queue.wait(queue.lock(), Some(BLOCKED)));
                }
                Err(_) => return None,
            }
        }
    }
}

/// For a writer that no layer of this crate writes to.
fn plain_notice(lost: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"timestamp":""#);
    Now::read().rfc3339(out);
    let rest = br#"","level":"WARN","target":"buttress_log","message":"log lines lost","lost":"#;
    out.extend_from_slice(rest);
    out.unsigned(lost);
    out.extend_from_slice(b"}\n");
}
