//! Two buffers: lines are added to one while the thread writes the other.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Writes the line that says how many were lost.
pub(crate) type Notice = Arc<dyn Fn(u64, &mut Vec<u8>) + Send + Sync>;

pub(super) struct Queue {
    /// How much the waiting lines may take: half of what the writer may, the other half being
    /// written out.
    half: usize,
    state: Mutex<State>,
    /// For the thread: there is something to do.
    work: Condvar,
    /// For who waits: something was written.
    progress: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) waiting: Vec<u8>,
    pub(super) counts: Counts,
    waiting_lines: u64,
    writing_lines: u64,
    /// Lost, and not reported yet.
    pub(super) unreported: u64,
    /// All bytes that were ever queued, and those that the thread is done with.
    queued: u64,
    done: u64,
    /// The thread sleeps until it is woken.
    pub(super) asleep: bool,
    /// Somebody waits for the lines to be out.
    pub(super) hurry: bool,
    pub(super) closing: bool,
    pub(super) ended: bool,
    pub(super) notice: Option<Notice>,
}

/// Since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) lines: u64,
    pub(super) lost: u64,
    pub(super) written: u64,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        let half = capacity / 2;
        // All of it at once: the pages are the system's until they are used, and no request waits
        // while a growing buffer is copied.
        let state = State { waiting: Vec::with_capacity(half), ..State::default() };
        Self { half, state: Mutex::new(state), work: Condvar::new(), progress: Condvar::new() }
    }

    /// The buffer of the other half.
    pub(super) fn other_half(&self) -> Vec<u8> {
        Vec::with_capacity(self.half)
    }

    pub(super) fn push(&self, bytes: &[u8], lines: u64) {
        let mut state = self.lock();
        if state.ended || state.waiting.len() + bytes.len() > self.half {
            return state.lose(lines);
        }
        state.waiting.extend_from_slice(bytes);
        state.waiting_lines += lines;
        state.counts.lines += lines;
        state.queued += bytes.len() as u64;
        let enough = state.waiting.len() > self.half / 2;
        let wake = state.asleep || (enough && !state.hurry);
        state.asleep = false;
        state.hurry |= enough;
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().counts
    }

    pub(super) fn report_by(&self, notice: Notice) {
        self.lock().notice = Some(notice);
    }

    /// Until there is something to do, or for so long.
    pub(super) fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        at_most: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        match at_most {
            None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                let woken = self.work.wait_timeout(state, limit);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// The thread is done with what it took.
    pub(super) fn done(&self, bytes: usize, written: usize, lost: u64, unreported: u64) {
        let mut state = self.lock();
        state.done += bytes as u64;
        state.writing_lines = 0;
        state.counts.written += written as u64;
        state.lose(lost);
        state.unreported += unreported;
        drop(state);
        self.progress.notify_all();
    }

    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.progress.notify_all();
    }

    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.work.notify_one();
    }

    /// Waits until all that was queued before is out. Answers whether it is, with nothing lost on
    /// the way.
    pub(super) fn flush(&self, within: Duration) -> bool {
        let deadline = Instant::now().checked_add(within);
        let mut state = self.lock();
        let (goal, lost) = (state.queued, state.counts.lost);
        state.hurry = true;
        state.asleep = false;
        self.work.notify_one();
        while state.done < goal && !state.ended {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            let woken = self.progress.wait_timeout(state, left.unwrap_or(Duration::MAX));
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.done >= goal && state.counts.lost == lost
    }

    /// Waits for the thread's end. Answers how many lines are still not written.
    pub(super) fn wait_for_end(&self, within: Duration) -> u64 {
        let deadline = Instant::now().checked_add(within);
        let mut state = self.lock();
        while !state.ended {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            let woken = self.progress.wait_timeout(state, left.unwrap_or(Duration::MAX));
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.writing_lines + state.waiting_lines
    }
}

impl State {
    /// Takes the lines that wait, for an empty buffer, and the number of those that were lost
    /// behind them.
    pub(super) fn take(&mut self, empty: &mut Vec<u8>) -> u64 {
        std::mem::swap(&mut self.waiting, empty);
        self.writing_lines = std::mem::take(&mut self.waiting_lines);
        self.hurry = false;
        std::mem::take(&mut self.unreported)
    }

    pub(super) fn lose(&mut self, lines: u64) {
        self.counts.lost += lines;
        self.unreported += lines;
    }
}

/// Lines by their ends.
pub(super) fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}
