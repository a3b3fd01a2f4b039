//! How many there are, and when there are none.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// Counts what is open. One waits for it at a time: the course of the shutdown.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    open: AtomicUsize,
    // It keeps a permit for who is not waiting yet, so that the last one is not missed.
    empty: Notify,
}

/// One of them. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Gauge>);

impl Gauge {
    pub(crate) fn enter(self: &Arc<Self>) -> Counted {
        self.open.fetch_add(1, Ordering::AcqRel);
        Counted(Arc::clone(self))
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    pub(crate) async fn empty(&self) {
        while self.open() > 0 {
            self.empty.notified().await;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.empty.notify_one();
        }
    }
}
