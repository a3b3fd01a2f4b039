//! The last result of a check, as requests read it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use buttress_core::{source::Check, value::Value};

use crate::{
    entry::Entry,
    judge::{Judge, Seen},
    status::Status,
};

/// Nothing was seen yet.
const NEVER: u64 = 0;

/// A check, its settings, and its last result.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) entry: Entry,
    name: String,
    /// The status in the lowest two bits, above it milliseconds since the registry's start, plus
    /// one: status and age are read in one load, so no reader sees one without the other.
    last: AtomicU64,
    seen: Mutex<Record>,
}

#[derive(Debug)]
struct Record {
    judge: Judge,
    last: Details,
}

/// What there is to say of a check beyond its status.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    pub(crate) reason: Option<&'static str>,
    pub(crate) took: Duration,
    pub(crate) last_check: Option<SystemTime>,
    pub(crate) last_success: Option<SystemTime>,
    pub(crate) last_failure: Option<SystemTime>,
    pub(crate) consecutive_failures: u32,
    pub(crate) runs: u64,
    pub(crate) failures: u64,
    pub(crate) data: Vec<(String, Value)>,
}

/// One look, for the cell.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) seen: Seen,
    pub(crate) reason: Option<&'static str>,
    pub(crate) took: Duration,
    pub(crate) data: Vec<(String, Value)>,
}

/// How a check is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) status: Status,
    /// Why nothing is known.
    pub(crate) unknown: Option<&'static str>,
}

impl Cell {
    pub(crate) fn new(entry: Entry, name: String) -> Self {
        let judge = Judge::new(entry.fall, entry.rise);
        let seen = Mutex::new(Record { judge, last: Details::default() });
        Self { entry, name, last: AtomicU64::new(NEVER), seen }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn check(&self) -> Arc<dyn Check> {
        Arc::clone(&self.entry.check)
    }

    /// How it is, `now` after the registry's start. The reader judges the age: whoever writes may
    /// be gone.
    pub(crate) fn read(&self, now: Duration) -> Reading {
        let last = self.last.load(Ordering::Acquire);
        if last == NEVER {
            return Reading { status: Status::Unavailable, unknown: Some("pending") };
        }
        let at = Duration::from_millis((last >> 2) - 1);
        if now.saturating_sub(at) > self.entry.max_age() {
            return Reading { status: Status::Unavailable, unknown: Some("stale") };
        }
        let status = match last & 3 {
            0 => Status::Healthy,
            1 => Status::Degraded,
            _ => Status::Unhealthy,
        };
        Reading { status, unknown: None }
    }

    /// Takes a result in; answers with the status before it, if there was one, and the new one.
    pub(crate) fn record(&self, look: Look, now: Duration) -> (Option<Status>, Status) {
        let mut record = self.seen();
        let before = match self.last.load(Ordering::Acquire) {
            NEVER => None,
            _ => Some(self.read(now).status),
        };
        let status = record.judge.record(look.seen);
        let failures = record.judge.failures();
        let time = SystemTime::now();
        let last = &mut record.last;
        last.reason = look.reason;
        last.took = look.took;
        last.data = look.data;
        last.last_check = Some(time);
        last.runs += 1;
        last.consecutive_failures = failures;
        match look.seen {
            Seen::Failure => {
                last.last_failure = Some(time);
                last.failures += 1;
            }
            Seen::Pass | Seen::Degraded => last.last_success = Some(time),
        }
        let bits = match status {
            Status::Healthy => 0,
            Status::Degraded => 1,
            Status::Unavailable | Status::Unhealthy => 2,
        };
        // 2^62 ms are 146 million years.
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX >> 3);
        self.last.store((millis + 1) << 2 | bits, Ordering::Release);
        (before, status)
    }

    pub(crate) fn details(&self) -> Details {
        self.seen().last.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Record> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
