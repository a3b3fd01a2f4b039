//! A table that only grows, read without a lock.

use std::sync::{
    Mutex, OnceLock, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// At most so many values, each found by a 64-bit key and by its place in the order of arrival.
///
/// A reader loads one key for each step of the probe. A writer locks; there is one for each new
/// value, and none once the table is full.
pub(crate) struct Table<T> {
    slots: Box<[Slot]>,
    values: Box<[OnceLock<T>]>,
    added: AtomicUsize,
    adding: Mutex<()>,
}

/// A key, and where its value is. The key is stored last; 0 says that the slot is free.
#[derive(Default)]
struct Slot {
    key: AtomicU64,
    at: AtomicUsize,
}

impl<T> Table<T> {
    pub(crate) fn new(limit: usize) -> Self {
        // Half empty at least, so that probes are short.
        let slots = (limit * 2).next_power_of_two();
        Self {
            slots: (0..slots).map(|_| Slot::default()).collect(),
            values: (0..limit).map(|_| OnceLock::new()).collect(),
            added: AtomicUsize::new(0),
            adding: Mutex::new(()),
        }
    }

    /// The value of `key` that `is` the one looked for. Keys may collide if `is` can tell.
    pub(crate) fn find(&self, key: u64, is: impl Fn(&T) -> bool) -> Option<&T> {
        let key = key.max(1);
        for slot in self.probe(key) {
            match slot.key.load(Ordering::Acquire) {
                0 => return None,
                found if found == key => {
                    if let Some(value) = self.nth(slot.at.load(Ordering::Relaxed))
                        && is(value)
                    {
                        return Some(value);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// The same, and where there is none, the one that `make` makes at its place. `None` when the
    /// table is full.
    pub(crate) fn find_or_add(
        &self,
        key: u64,
        is: impl Fn(&T) -> bool,
        make: impl FnOnce(usize) -> T,
    ) -> Option<&T> {
        if let Some(value) = self.find(key, &is) {
            return Some(value);
        }
        self.add(key, is, make)
    }

    #[cold]
    fn add(&self, key: u64, is: impl Fn(&T) -> bool, make: impl FnOnce(usize) -> T) -> Option<&T> {
        if self.len() >= self.values.len() {
            return None;
        }
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = self.find(key, is) {
            return Some(value);
        }
        let at = self.len();
        let value = self.values.get(at)?.get_or_init(|| make(at));
        let key = key.max(1);
        let free = self.probe(key).find(|slot| slot.key.load(Ordering::Relaxed) == 0)?;
        free.at.store(at, Ordering::Relaxed);
        free.key.store(key, Ordering::Release);
        self.added.store(at + 1, Ordering::Release);
        Some(value)
    }

    pub(crate) fn nth(&self, at: usize) -> Option<&T> {
        self.values.get(at)?.get()
    }

    pub(crate) fn len(&self) -> usize {
        self.added.load(Ordering::Acquire)
    }

    /// Every value, in the order in which they were added.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.values.iter().take(self.len()).filter_map(OnceLock::get)
    }

    fn probe(&self, key: u64) -> impl Iterator<Item = &Slot> {
        // The upper half of the product depends on every bit of the key.
        let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let start = usize::try_from(mixed).unwrap_or(0);
        let last = self.slots.len() - 1;
        (0..self.slots.len()).filter_map(move |step| self.slots.get((start + step) & last))
    }
}

#[cfg(test)]
mod tests;
