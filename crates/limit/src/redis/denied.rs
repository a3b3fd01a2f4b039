//! Keys that Redis has refused, and until when it need not be asked again.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{key::Hashed, meter::Nanos};

/// 64 KiB. A key that finds another one in its place asks Redis.
const SLOTS: usize = 1 << 13;
/// A slot's time is in milliseconds, for 34 years; the rest of it tells whose it is.
const TIME_BITS: u32 = 40;
const TIME: u64 = (1 << TIME_BITS) - 1;
const MILLI: Nanos = 1_000_000;

/// A slot is a key's, and a time: until then it is refused. A time that is past says when the key
/// was forgiven: a refusal that was asked for before counts no more.
pub(super) struct Denied {
    slots: Box<[AtomicU64]>,
}

impl Denied {
    pub(super) fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect() }
    }

    /// How long Redis has refused this key for, and would again. The mirror says what it has said.
    pub(super) fn left(&self, key: Hashed, now: Nanos) -> Option<Nanos> {
        let (slot, tag) = self.slot(key);
        let word = slot.map_or(0, |slot| slot.load(Relaxed));
        let left = ((word & TIME) * MILLI).saturating_sub(now);
        (word & !TIME == tag && left > 0).then_some(left)
    }

    /// Redis has refused what it was asked at the time `began`.
    pub(super) fn put(&self, key: Hashed, began: Nanos, until: Nanos) {
        let (Some(slot), tag) = self.slot(key) else { return };
        let word = slot.load(Relaxed);
        if word & !TIME == tag && word & TIME >= began / MILLI {
            return;
        }
        // Whoever was faster has forgiven it, or has said the same.
        let until = tag | ((until / MILLI) & TIME);
        let _ = slot.compare_exchange(word, until, Relaxed, Relaxed);
    }

    /// Something was given back to the key.
    pub(super) fn forgive(&self, key: Hashed, now: Nanos) {
        if let (Some(slot), tag) = self.slot(key) {
            slot.store(tag | ((now / MILLI) & TIME), Relaxed);
        }
    }

    fn slot(&self, key: Hashed) -> (Option<&AtomicU64>, u64) {
        let [index, _] = key.lines();
        let slot = usize::try_from(index).unwrap_or(0) % SLOTS;
        (self.slots.get(slot), key.print(u64::BITS - TIME_BITS) << TIME_BITS)
    }
}

impl fmt::Debug for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denied").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::key::Secret;

    impl Denied {
        fn has(&self, key: Hashed, now: Nanos) -> bool {
            self.left(key, now).is_some()
        }
    }

    fn key(text: &str) -> Hashed {
        let mut hasher = Secret::of(b"").hasher();
        hasher.write(text.as_bytes());
        hasher.finish()
    }

    #[test]
    fn a_key_is_refused_until_its_time_and_no_other_is() {
        let denied = Denied::new();
        denied.put(key("a"), 0, 9 * MILLI);
        assert!(denied.has(key("a"), 9 * MILLI - 1) && !denied.has(key("a"), 9 * MILLI));
        assert!(!denied.has(key("b"), 0));
    }

    #[test]
    fn an_answer_from_before_it_was_forgiven_refuses_nobody() {
        let denied = Denied::new();
        denied.forgive(key("a"), 5 * MILLI);
        denied.put(key("a"), 5 * MILLI, 99 * MILLI);
        assert!(!denied.has(key("a"), 6 * MILLI));
        denied.put(key("a"), 6 * MILLI, 99 * MILLI);
        assert!(denied.has(key("a"), 6 * MILLI));
        denied.forgive(key("a"), 7 * MILLI);
        assert!(!denied.has(key("a"), 7 * MILLI));
    }
}
