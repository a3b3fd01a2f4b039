//! The gauge of requests that are under way.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
};

use crate::shard;

const LINE: usize = 8;

/// One gauge for each combination of labels, by its index, in shares for each shard.
pub(crate) struct Gauges {
    shards: Box<[Arc<Shard>]>,
    /// Those that ever moved: only they are shown.
    used: Box<[AtomicBool]>,
}

/// One shard's shares. They may be less than nothing: a request may end on another thread.
#[repr(align(64))]
pub(crate) struct Shard {
    lines: Box<[Line]>,
}

/// As many as fit a cache line, so that two shards' do not share one.
#[derive(Default)]
#[repr(align(64))]
struct Line([AtomicI64; LINE]);

/// An exchange has one, and is not made of everyone's gauges.
impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shard")
    }
}

impl Shard {
    pub(crate) fn end(&self, index: usize) {
        self.add(index, -1);
    }

    fn add(&self, index: usize, number: i64) {
        if let Some(gauge) = self.get(index) {
            gauge.fetch_add(number, Relaxed);
        }
    }

    fn get(&self, index: usize) -> Option<&AtomicI64> {
        self.lines.get(index / LINE)?.0.get(index % LINE)
    }
}

impl Gauges {
    pub(crate) fn new(count: usize) -> Self {
        let shard = || {
            let lines = (0..count.div_ceil(LINE)).map(|_| Line::default()).collect();
            Arc::new(Shard { lines })
        };
        Self {
            shards: (0..shard::count()).map(|_| shard()).collect(),
            used: (0..count).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// One more, until [`Shard::end`] of what is returned.
    #[inline]
    pub(crate) fn begin(&self, index: usize) -> Option<Arc<Shard>> {
        let used = self.used.get(index)?;
        if !used.load(Relaxed) {
            used.store(true, Relaxed);
        }
        let shard = Arc::clone(self.shards.get(shard::of_thread())?);
        shard.add(index, 1);
        Some(shard)
    }

    /// Those that ever moved: index and value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, u64)> {
        let used = self.used.iter().enumerate().filter(|(_, used)| used.load(Relaxed));
        used.map(|(index, _)| {
            let shares = self.shards.iter().filter_map(|shard| shard.get(index));
            let sum: i64 = shares.map(|share| share.load(Relaxed)).sum();
            // Read while others count, a sum may be off by those that moved meanwhile.
            (index, u64::try_from(sum).unwrap_or(0))
        })
    }
}
