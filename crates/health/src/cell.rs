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

/// Why nothing is known.
pub(crate) const PENDING: &str = "pending";
pub(crate) const STALE: &str = "stale";

/// A check, its settings, and its last result.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) entry: Entry,
    name: String,
    /// The status in the lowest two bits, above it milliseconds since the registry's start, plus
    /// one: status and age are read in one load, so no reader sees one without the other.
    last: AtomicU64,
    /// Of which `last` it was told that it is stale.
    told: AtomicU64,
    changes: AtomicU64,
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
    last: u64,
}

impl Cell {
    pub(crate) fn new(entry: Entry, name: String) -> Self {
        let judge = Judge::new(entry.fall, entry.rise);
        let seen = Mutex::new(Record { judge, last: Details::default() });
        let [last, told, changes] = [NEVER, NEVER, 0].map(AtomicU64::new);
        Self { entry, name, last, told, changes, seen }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn check(&self) -> Arc<dyn Check> {
        Arc::clone(&self.entry.check)
    }

    /// How often its status has changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// How it is, `now` after the registry's start. The reader judges the age: whoever writes may
    /// be gone.
    pub(crate) fn read(&self, now: Duration) -> Reading {
        let last = self.last.load(Ordering::Acquire);
        let unknown = |why| Reading { status: Status::Unavailable, unknown: Some(why), last };
        if last == NEVER {
            return unknown(PENDING);
        }
        let at = Duration::from_millis((last >> 2) - 1);
        if now.saturating_sub(at) > self.entry.max_age() {
            return unknown(STALE);
        }
        Reading { status: status(last), unknown: None, last }
    }

    /// The status before it grew stale, for the first reader who finds that it did.
    pub(crate) fn notice(&self, reading: Reading) -> Option<Status> {
        let is_news = reading.unknown == Some(STALE)
            && self.told.load(Ordering::Relaxed) != reading.last
            && self.told.swap(reading.last, Ordering::Relaxed) != reading.last;
        is_news.then(|| {
            self.changes.fetch_add(1, Ordering::Relaxed);
            status(reading.last)
        })
    }

    /// Takes a result in; answers with the status before it, if there was one, and the new one.
    pub(crate) fn record(&self, look: Look, now: Duration) -> (Option<Status>, Status) {
        let mut record = self.seen();
        let before = self.read(now);
        let status = record.judge.record(look.seen, before.unknown.is_none());
        let before = (before.unknown != Some(PENDING)).then_some(before.status);
        if before != Some(status) {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
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

    /// How it is and what there is to say of it, at one moment: results are taken in under the
    /// same lock.
    pub(crate) fn snapshot(&self, now: Duration) -> (Reading, Details) {
        let record = self.seen();
        (self.read(now), record.last.clone())
    }

    fn seen(&self) -> MutexGuard<'_, Record> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn status(last: u64) -> Status {
    match last & 3 {
        0 => Status::Healthy,
        1 => Status::Degraded,
        _ => Status::Unhealthy,
    }
}
