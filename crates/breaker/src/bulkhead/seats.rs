//! Who is in, and who waits.

use std::{collections::VecDeque, sync::Arc, task::Waker};

use super::Shared;
use crate::{
    clock::Nanos,
    sync::{
        AtomicU32, AtomicU64, Mutex,
        Ordering::{AcqRel, Acquire, Relaxed},
        lock,
    },
};

/// Seats, and a queue for them. Where nobody waits, a seat is one exchange of one word; where
/// somebody does, whoever leaves hands the seat over under the queue's lock, first come, first
/// served.
#[derive(Debug)]
pub(crate) struct Seats {
    /// Taken in the lower half, waiting in the upper. The upper is changed under the queue's lock.
    word: AtomicU64,
    limit: AtomicU32,
    queue: Mutex<Queue>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    /// By their numbers, which ascend. Who is no longer here has been given a seat.
    waiting: VecDeque<(u64, Option<Waker>)>,
}

const TAKEN: u64 = u32::MAX as u64;
const ONE_WAITS: u64 = 1 << 32;

/// Whether there is a seat.
pub(super) enum Found {
    Seat,
    /// This is one's number in the queue.
    Place(u64),
    Nothing,
}

impl Seats {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            word: AtomicU64::new(0),
            limit: AtomicU32::new(limit),
            queue: Mutex::new(Queue::default()),
            refused: AtomicU64::new(0),
        }
    }

    /// Takes a seat, or a place in a queue of so many.
    #[inline]
    pub(super) fn find(&self, queue: u32) -> Found {
        let mut word = self.word.load(Relaxed);
        while word < u64::from(self.limit.load(Relaxed)) {
            match self.word.compare_exchange_weak(word, word + 1, Acquire, Relaxed) {
                Ok(_) => return Found::Seat,
                Err(now) => word = now,
            }
        }
        self.queue_up(queue)
    }

    #[cold]
    fn queue_up(&self, size: u32) -> Found {
        if size == 0 {
            self.refuse();
            return Found::Nothing;
        }
        let mut queue = lock(&self.queue);
        let mut word = self.word.load(Relaxed);
        loop {
            let is_free = word < u64::from(self.limit.load(Relaxed));
            if !is_free && word >> 32 >= u64::from(size) {
                drop(queue);
                self.refuse();
                return Found::Nothing;
            }
            let new = if is_free { word + 1 } else { word + ONE_WAITS };
            match self.word.compare_exchange_weak(word, new, AcqRel, Relaxed) {
                Ok(_) if is_free => return Found::Seat,
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        let place = queue.next;
        queue.next += 1;
        queue.waiting.push_back((place, None));
        Found::Place(place)
    }

    /// Somebody leaves.
    #[inline]
    pub(super) fn leave(&self) {
        let mut word = self.word.load(Relaxed);
        while word < ONE_WAITS {
            match self.word.compare_exchange_weak(word, word - 1, AcqRel, Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        self.hand_over(true);
    }

    /// Gives seats to those who wait, that of one who leaves first of all.
    #[cold]
    fn hand_over(&self, one_leaves: bool) {
        let mut woken = Vec::new();
        let mut queue = lock(&self.queue);
        if one_leaves {
            self.word.fetch_sub(1, AcqRel);
        }
        // None comes in meanwhile: who finds somebody waiting takes the lock.
        loop {
            let word = self.word.load(Relaxed);
            if word & TAKEN >= u64::from(self.limit.load(Relaxed)) {
                break;
            }
            let Some((_, waker)) = queue.waiting.pop_front() else { break };
            self.word.fetch_add(1_u64.wrapping_sub(ONE_WAITS), AcqRel);
            woken.extend(waker);
        }
        drop(queue);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Whether the one with this number has a seat by now; if not, it will be woken.
    #[cfg_attr(not(feature = "wait"), expect(dead_code, reason = "nobody waits"))]
    pub(super) fn has_seat(&self, place: u64, waker: &Waker) -> bool {
        let mut queue = lock(&self.queue);
        let Ok(at) = queue.waiting.binary_search_by_key(&place, |(place, _)| *place) else {
            return true;
        };
        let old = match queue.waiting.get_mut(at) {
            Some((_, Some(known))) if known.will_wake(waker) => None,
            Some((_, known)) => known.replace(waker.clone()),
            None => None,
        };
        // Dropping a waker may run anything.
        drop(queue);
        drop(old);
        false
    }

    /// Waits no more. True where it had been given a seat, which is still its own.
    #[cfg_attr(not(feature = "wait"), expect(dead_code, reason = "nobody waits"))]
    pub(super) fn give_up(&self, place: u64) -> bool {
        let mut queue = lock(&self.queue);
        let Ok(at) = queue.waiting.binary_search_by_key(&place, |(place, _)| *place) else {
            return true;
        };
        let waker = queue.waiting.remove(at);
        self.word.fetch_sub(ONE_WAITS, AcqRel);
        drop(queue);
        drop(waker);
        false
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn set_limit(&self, limit: u32) {
        if self.limit.swap(limit, AcqRel) < limit && self.waiting() > 0 {
            self.hand_over(false);
        }
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit.load(Relaxed)
    }

    pub(super) fn taken(&self) -> usize {
        (self.word.load(Relaxed) & TAKEN) as usize
    }

    pub(super) fn waiting(&self) -> usize {
        (self.word.load(Relaxed) >> 32) as usize
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }
}

/// A seat that is taken, until this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    shared: Arc<Shared>,
    started: Nanos,
}

impl Seat {
    /// Of one that was given.
    #[inline]
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let started = shared.adaptive.as_ref().map_or(0, super::gradient::Adaptive::now);
        Self { shared, started }
    }

    /// The answer is there: what is learned of the time that it took.
    #[inline]
    pub(super) fn answered(&self) {
        if let Some(adaptive) = &self.shared.adaptive {
            adaptive.learn(self.started, &self.shared.seats);
        }
    }
}

impl Drop for Seat {
    #[inline]
    fn drop(&mut self) {
        self.shared.seats.leave();
    }
}
