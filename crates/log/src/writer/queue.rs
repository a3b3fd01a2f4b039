//! Two buffers: lines are added to one while the thread writes the other.
//!
//! All that both sides know is behind one mutex, and nobody waits but in a loop that looks again
//! under it, or for a bounded time. So there is no order of atomics to explore, and one thing to
//! hold: whoever makes true what another waits for notifies after that. They are [`Queue::push`]
//! (the first line of a thread that is asleep, and the one that makes a burst urgent),
//! [`Queue::flush`] and [`Queue::close`] for the thread, and [`Queue::done`] and [`Queue::end`] for
//! those who wait for it. The lock is never held while a line is formatted or written.

use std::{
    cell::Cell,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Writes the line that says how many were lost.
pub(crate) type Notice = Arc<dyn Fn(u64, &mut Vec<u8>) + Send + Sync>;

thread_local! {
    /// This thread writes a queue out.
    static WRITES: Cell<bool> = const { Cell::new(false) };
}

/// From now on this thread is one that writes a queue out. What its sink logs on the way is not
/// queued: each write would ask for another, without end.
pub(super) fn writes_here() {
    WRITES.set(true);
}

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
    /// Lines that were queued and could not be written then.
    unwritten: u64,
    /// How often the thread has tried to write.
    tries: u64,
    /// What the sink has taken may still be in it.
    pub(super) unflushed: bool,
    /// The thread sleeps until it is woken.
    pub(super) asleep: bool,
    /// Somebody waits for the lines to be out.
    pub(super) hurry: bool,
    pub(super) closing: bool,
    /// No line is taken any more.
    pub(super) sealed: bool,
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
        if WRITES.get() {
            state.counts.lost += lines;
            return;
        }
        if state.sealed || state.waiting.len() + bytes.len() > self.half {
            state.lose(lines);
            // One that no queue could hold is lost while the thread sleeps.
            let wake = std::mem::take(&mut state.asleep);
            drop(state);
            if wake {
                self.work.notify_one();
            }
            return;
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
    pub(super) fn done(&self, done: &Done) {
        let mut state = self.lock();
        state.done += done.taken as u64;
        state.writing_lines = 0;
        state.counts.written += done.written as u64;
        state.lose(done.lost);
        state.unwritten += done.lost;
        state.unreported += done.unreported;
        state.unflushed = !done.flushed;
        state.tries += 1;
        drop(state);
        self.progress.notify_all();
    }

    /// The thread is gone: at its end, or by a panic of the sink's drop.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        let left = state.waiting_lines + state.writing_lines;
        state.lose(left);
        state.waiting = Vec::new();
        (state.waiting_lines, state.writing_lines) = (0, 0);
        (state.sealed, state.ended) = (true, true);
        drop(state);
        self.progress.notify_all();
    }

    /// Waits until all that was queued before is out. Answers whether it is.
    pub(super) fn flush(&self, within: Duration) -> bool {
        let mut state = self.lock();
        let (goal, unwritten, tries) = (state.queued, state.unwritten, state.tries);
        state.hurry = true;
        state.asleep = false;
        self.work.notify_one();
        state = self.wait_for(state, within, |state| {
            state.done >= goal && (!state.unflushed || state.tries > tries)
        });
        state.done >= goal && state.unwritten == unwritten && !state.unflushed
    }

    /// Asks the thread to write what there is and to end, and waits for that. Answers how many
    /// lines nobody will read of.
    pub(super) fn close(&self, within: Duration) -> u64 {
        let mut state = self.lock();
        state.closing = true;
        state.asleep = false;
        self.work.notify_one();
        state = self.wait_for(state, within, |_| false);
        state.sealed = true;
        state.writing_lines + state.waiting_lines + state.unreported
    }

    /// Until it is so, the time is up, or the thread has ended.
    fn wait_for<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        within: Duration,
        is_so: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        let deadline = Instant::now().checked_add(within);
        while !state.ended && !is_so(&state) {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            let woken = self.progress.wait_timeout(state, left.unwrap_or(Duration::MAX));
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }
}

/// What has become of the lines that the thread took.
pub(super) struct Done {
    /// Bytes of lines, and bytes that got out, a notice among them.
    pub(super) taken: usize,
    pub(super) written: usize,
    /// Lines that did not get out.
    pub(super) lost: u64,
    /// Lines lost before, of which the notice did not get out.
    pub(super) unreported: u64,
    pub(super) flushed: bool,
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
