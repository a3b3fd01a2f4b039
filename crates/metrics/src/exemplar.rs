//! Which request a number came from.

use std::{
    sync::{
        Mutex, PoisonError, TryLockError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use buttress_core::context::RequestContext;

/// The longest id that is kept; `buttress-request-id` accepts none that is longer.
const MAX_ID: usize = 128;

/// The names and values of an exemplar's labels together (`OpenMetrics` 1.0, *Exemplars*).
pub(crate) const MAX_EXEMPLAR: usize = 128;

/// The ids of one request, without an allocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids {
    trace: Option<([u8; 16], [u8; 8])>,
    id: [u8; MAX_ID],
    id_len: usize,
}

impl Ids {
    pub(crate) const NONE: Self = Self { trace: None, id: [0; MAX_ID], id_len: 0 };

    pub(crate) fn of(context: &RequestContext) -> Self {
        let mut ids = Self::NONE;
        // What was not sampled was not stored either: there would be nothing to look up.
        ids.trace = context
            .trace()
            .filter(|trace| trace.flags() & 1 == 1)
            .map(|trace| (*trace.trace_id(), *trace.span_id()));
        if let Some(id) = context.request_id_str()
            && let Some(place) = ids.id.get_mut(..id.len())
        {
            place.copy_from_slice(id.as_bytes());
            ids.id_len = id.len();
        }
        ids
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        let id = self.id.get(..self.id_len)?;
        str::from_utf8(id).ok().filter(|id| !id.is_empty())
    }

    pub(crate) fn trace_id(&self) -> Option<String> {
        self.trace.map(|(trace, _)| format!("{:032x}", u128::from_be_bytes(trace)))
    }

    fn span_id(&self) -> Option<String> {
        self.trace.map(|(_, span)| format!("{:016x}", u64::from_be_bytes(span)))
    }

    const fn is_none(&self) -> bool {
        self.trace.is_none() && self.id_len == 0
    }

    /// As many of them as an exemplar has room for, the trace first.
    pub(crate) fn labels(&self) -> Vec<(&'static str, String)> {
        let mut left = MAX_EXEMPLAR;
        let ids = [
            ("trace_id", self.trace_id()),
            ("span_id", self.span_id()),
            ("request_id", self.request_id().map(str::to_owned)),
        ];
        ids.into_iter()
            .filter_map(|(name, id)| Some((name, id?)))
            .filter(|(name, id)| {
                let rest = left.checked_sub(name.len() + id.len());
                left = rest.unwrap_or(left);
                rest.is_some()
            })
            .collect()
    }
}

/// One request that a bucket has counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exemplar {
    pub(crate) ids: Ids,
    pub(crate) nanos: u64,
    /// Since the Unix epoch.
    pub(crate) at: Duration,
}

/// A bucket's latest exemplar, renewed once a second at most.
#[derive(Default)]
pub(crate) struct ExemplarSlot {
    /// When it was renewed, in seconds and one more; 0 is never.
    renewed: AtomicU64,
    latest: Mutex<Option<Exemplar>>,
}

impl ExemplarSlot {
    /// `now` is the recorder's time in seconds.
    #[inline]
    pub(crate) fn offer(&self, nanos: u64, now: u64, ids: impl FnOnce() -> Ids) {
        if self.renewed.load(Relaxed) <= now {
            self.renew(nanos, now, ids);
        }
    }

    #[cold]
    fn renew(&self, nanos: u64, now: u64, ids: impl FnOnce() -> Ids) {
        let ids = ids();
        if ids.is_none() {
            // Looking for ids is not for every request either.
            self.renewed.store(now + 1, Relaxed);
            return;
        }
        let mut latest = match self.latest.try_lock() {
            Ok(latest) => latest,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Someone renews it, or reads it: another request will do.
            Err(TryLockError::WouldBlock) => return,
        };
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        *latest = Some(Exemplar { ids, nanos, at });
        self.renewed.store(now + 1, Relaxed);
    }

    pub(crate) fn get(&self) -> Option<Exemplar> {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use buttress_core::context::TraceContext;
    use http::HeaderValue;

    use super::*;

    fn ids(id: &str, flags: Option<u8>) -> Ids {
        let context = RequestContext::new();
        context.set_request_id(HeaderValue::from_str(id).unwrap());
        if let Some(flags) = flags {
            context.set_trace(TraceContext::new([0x4b; 16], [0x1f; 8], flags).unwrap());
        }
        Ids::of(&context)
    }

    fn names(ids: &Ids) -> Vec<&'static str> {
        ids.labels().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn an_exemplar_has_the_ids_that_there_is_room_for() {
        let long = "a".repeat(65 - "request_id".len());
        let cases: [(&str, Option<u8>, &[&str]); 6] = [
            ("01890a5d", None, &["request_id"]),
            ("01890a5d", Some(1), &["trace_id", "span_id", "request_id"]),
            ("01890a5d", Some(0), &["request_id"]),
            (&long, Some(1), &["trace_id", "span_id", "request_id"]),
            (&format!("{long}a"), Some(1), &["trace_id", "span_id"]),
            (&"a".repeat(129), None, &[]),
        ];
        for (id, flags, expected) in cases {
            let ids = ids(id, flags);
            assert_eq!(names(&ids), expected, "{id} {flags:?}");
            let chars: usize = ids.labels().iter().map(|(name, id)| name.len() + id.len()).sum();
            assert!(chars <= MAX_EXEMPLAR);
        }
    }

    #[test]
    fn it_is_renewed_once_a_second() {
        let slot = ExemplarSlot::default();
        for (nanos, now, latest) in [(1, 5, 1), (2, 5, 1), (3, 6, 3)] {
            slot.offer(nanos, now, || ids("a", None));
            assert_eq!(slot.get().unwrap().nanos, latest);
        }
        slot.offer(4, 9, || Ids::NONE);
        slot.offer(5, 9, || ids("a", None));
        assert_eq!(slot.get().unwrap().nanos, 3);
    }
}
