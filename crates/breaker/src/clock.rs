//! The time, as a circuit counts it.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// Since the circuit was made.
pub(crate) type Nanos = u64;

pub(crate) type ReadClock = Arc<dyn Fn() -> Instant + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Clock {
    made: Instant,
    read: Option<ReadClock>,
}

impl Clock {
    pub(crate) fn new(read: Option<ReadClock>) -> Self {
        let made = read.as_ref().map_or_else(Instant::now, |read| read());
        Self { made, read }
    }

    /// Not inlined: it is long, and most calls go past it.
    #[inline(never)]
    pub(crate) fn now(&self) -> Nanos {
        let now = match &self.read {
            None => Instant::now(),
            Some(read) => read(),
        };
        nanos(now.saturating_duration_since(self.made))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.read.is_some() { "<fn>" } else { "Instant::now" })
    }
}

/// Up to 584 years.
#[inline]
pub(crate) const fn nanos(duration: Duration) -> Nanos {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos() as u64)
}
