//! The thread that writes the queue out.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use super::queue::{Notice, Queue, count};
use crate::line::{Bytes, Now};

/// How long lines gather before they are written, so that a burst is one write and a thread that
/// logs need not wake this one each time. What a process loses at most when it is killed.
const GATHER: Duration = Duration::from_millis(5);

/// When a sink that has failed is tried again though there are no new lines.
const RETRY: Duration = Duration::from_millis(200);

/// When a sink that would block is tried again.
const BLOCKED: Duration = Duration::from_millis(10);

pub(super) struct Thread {
    pub(super) queue: Arc<Queue>,
    pub(super) sink: Box<dyn Write + Send>,
    /// The last write has stopped within a line.
    pub(super) torn: bool,
}

/// Tells the others, however the thread ends.
struct Ending(Arc<Queue>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Thread {
    pub(super) fn run(mut self) {
        let _ending = Ending(Arc::clone(&self.queue));
        let mut batch = self.queue.other_half();
        let mut failed = false;
        while let Some((lost, notice)) = self.next(&mut batch, failed) {
            failed = !self.write_out(&mut batch, lost, notice.as_ref());
            batch.clear();
        }
    }

    /// Waits for lines. Answers how many were lost behind them; `None` at the end.
    fn next(&self, batch: &mut Vec<u8>, mut failed: bool) -> Option<(u64, Option<Notice>)> {
        let mut state = self.queue.lock();
        while state.waiting.is_empty() && !state.closing && (state.unreported == 0 || failed) {
            let retry = failed && state.unreported > 0;
            state.asleep = true;
            state = self.queue.wait(state, retry.then_some(RETRY));
            failed = failed && !retry;
        }
        state.asleep = false;
        if !state.hurry && !state.closing {
            state = self.queue.wait(state, Some(GATHER));
        }
        if state.closing && state.waiting.is_empty() && (state.unreported == 0 || failed) {
            return None;
        }
        let lost = state.take(batch);
        let notice = state.notice.as_ref().filter(|_| lost > 0).map(Arc::clone);
        Some((lost, notice))
    }

    /// Answers whether all of it got out.
    fn write_out(&mut self, batch: &mut Vec<u8>, lost: u64, notice: Option<&Notice>) -> bool {
        let lines = batch.len();
        match notice {
            _ if lost == 0 => {}
            Some(notice) => notice(lost, batch),
            None => plain_notice(lost, batch),
        }
        let (written, done) = self.write(batch);
        if done {
            self.queue.done(lines, written, 0, 0);
            return true;
        }
        let sent = batch.get(..written).unwrap_or_default();
        self.torn = self.torn || sent.last().is_some_and(|last| *last != b'\n');
        let left = count(batch.get(written..lines).unwrap_or_default());
        self.queue.done(lines, written, left, lost);
        false
    }

    fn write(&mut self, bytes: &[u8]) -> (usize, bool) {
        if self.torn {
            let (_, done) = self.write_all(b"\n");
            if !done {
                return (0, false);
            }
            self.torn = false;
        }
        let (written, done) = self.write_all(bytes);
        (written, done && self.sink.flush().is_ok())
    }

    fn write_all(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut written = 0;
        while let Some(left) = bytes.get(written..).filter(|left| !left.is_empty()) {
            match self.sink.write(left) {
                Ok(0) => return (written, false),
                Ok(n) => written += n.min(left.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A pipe that another process has set so.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    drop(self.queue.wait(self.queue.lock(), Some(BLOCKED)));
                }
                Err(_) => return (written, false),
            }
        }
        (written, true)
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
