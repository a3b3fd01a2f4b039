//! Fifty million keys that nobody has seen before.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use allocation_counter::{AllocationInfo, measure};
use buttress_limit::{Limiter, MemoryStore, Rule, seconds};

/// Half of them come so that slots are free again all the time, half so that none ever is.
const FLOOD: u64 = 50_000_000;
/// What a thread takes on at once: few, so that one that is held up does not fall behind in time.
const BATCH: u64 = 16;
const ABUSERS: u64 = 500;

/// Each key of the range is seen once, by one of the threads; answers what they all allocated and
/// how many keys were admitted.
fn flood(
    limiter: &Limiter,
    keys: std::ops::Range<u64>,
    time_of: impl Fn(u64) -> Duration + Sync,
) -> (Vec<AllocationInfo>, u64) {
    let (next, admitted) = (AtomicU64::new(keys.start), AtomicU64::new(0));
    let work = || {
        measure(|| {
            loop {
                let begin = next.fetch_add(BATCH, Relaxed);
                if begin >= keys.end {
                    break;
                }
                let limited =
                    |key: &u64| !limiter.check_at(key.to_le_bytes(), 1, time_of(*key)).is_limited();
                let count = (begin..begin + BATCH).filter(limited).count();
                admitted.fetch_add(u64::try_from(count).unwrap(), Relaxed);
            }
        })
    };
    let infos = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(work));
        threads.map(|thread| thread.join().unwrap()).into()
    });
    (infos, admitted.into_inner())
}

#[test]
fn a_flood_takes_not_a_byte_and_nobody_over_a_limit_is_forgotten() {
    // Three fifths are taken where 400,000 keys a second are remembered for a tenth of one.
    let mut store = None;
    let made = measure(|| store = Some(MemoryStore::with_capacity(1 << 16).unwrap()));
    let store = store.unwrap();
    assert_eq!(store.bytes(), 8 << 16);
    // Beside the slots: locks, and cells for those who find none.
    let beside = made.bytes_current - i64::try_from(store.bytes()).unwrap();
    assert!((0..16 << 10).contains(&beside), "{beside}");

    let auth = Limiter::new(store.clone(), [Rule::auth()]).unwrap();
    let short = Limiter::new(store.clone(), [Rule::burst()]).unwrap();
    let long = Limiter::new(store.clone(), [Rule::general()]).unwrap();
    let abusers = || (0..ABUSERS).map(|abuser| format!("abuser {abuser}"));
    for abuser in abusers() {
        assert!((0..5).all(|_| !auth.check_at(&abuser, 1, seconds(1)).is_limited()));
        assert!(auth.check_at(&abuser, 1, seconds(1)).is_limited());
    }

    // A minute in which each slot is taken over some 380 times.
    let half = FLOOD / 2;
    let at = |key| seconds(1) + Duration::from_nanos(key * 2_500);
    let (recycled, admitted) = flood(&short, 0..half, at);
    let shared = store.times_full();
    assert!(shared < half / 1_000, "{shared}");
    assert!((half - shared..=half).contains(&admitted), "{admitted}");

    // One more in which they all are to be remembered, and there is no room.
    let begin = at(half);
    let at = |key| begin + Duration::from_nanos((key - half) * 40);
    let (full, admitted) = flood(&long, half..FLOOD, at);
    let slots = u64::try_from(store.capacity()).unwrap();
    // Those who found a slot, and of those who did not as many as sixteen quotas are.
    assert!((slots / 2..slots + 16 * 120).contains(&admitted), "{admitted}");
    assert!(store.times_full() > half - slots - shared);

    for info in recycled.iter().chain(&full) {
        let none = AllocationInfo::default();
        assert_eq!(format!("{info:?}"), format!("{none:?}"));
    }
    assert_eq!(store.bytes(), 8 << 16);
    let end = at(FLOOD);
    assert!(end < seconds(180));
    for abuser in abusers() {
        let decision = auth.check_at(&abuser, 1, end);
        assert!(decision.is_limited(), "{abuser}");
        assert_eq!(end + decision.retry_after().unwrap(), seconds(181), "{abuser}");
        assert!(!auth.check_at(&abuser, 1, seconds(181)).is_limited(), "{abuser}");
        assert!(auth.check_at(&abuser, 1, seconds(181)).is_limited(), "{abuser}");
    }
}
