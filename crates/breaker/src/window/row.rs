//! Failures with no success between them.

use crate::sync::{AtomicU64, Ordering::Relaxed};

use super::Totals;

#[derive(Debug)]
pub(crate) struct Row {
    ever: AtomicU64,
    failures: AtomicU64,
}

impl Default for Row {
    fn default() -> Self {
        Self { ever: AtomicU64::new(0), failures: AtomicU64::new(0) }
    }
}

impl Row {
    #[inline]
    pub(super) fn add_good(&self) -> Option<Totals> {
        self.ever.fetch_add(1, Relaxed);
        if self.failures.load(Relaxed) > 0 {
            self.failures.store(0, Relaxed);
        }
        None
    }

    pub(super) fn add(&self) -> Option<Totals> {
        self.ever.fetch_add(1, Relaxed);
        let failures = self.failures.fetch_add(1, Relaxed) + 1;
        Some(Totals { calls: failures, failures, slow: 0 })
    }

    pub(super) fn totals(&self) -> Totals {
        let failures = self.failures.load(Relaxed);
        Totals { calls: failures, failures, slow: 0 }
    }

    pub(super) fn reset(&self) {
        // Of the failures that are counted before it, none is seen after it.
        self.failures.swap(0, Relaxed);
    }

    pub(super) fn ever(&self) -> u64 {
        self.ever.load(Relaxed)
    }
}
