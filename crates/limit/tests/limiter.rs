//! What the rules say, with the time passed in.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use buttress_conformance::allocations;
use buttress_limit::{
    ConfigErrorKind as Kind, Decision, Full, Limiter, MemoryStore, Quota, Rule, days, hours,
    minutes, requests, seconds,
};

fn limiter(rules: impl IntoIterator<Item = Rule>) -> Limiter {
    Limiter::new(MemoryStore::with_capacity(1 << 10).unwrap(), rules).unwrap()
}

fn rule(name: &'static str, quota: Quota) -> Rule {
    Rule::new(name, quota).unwrap()
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The table of throttled (`TestRateLimit` in `rate_test.go`), which redis-cell took over: 5 at
/// once, 1 a second. Time, volume, and then: limited, remaining, retry after, reset after.
#[test]
fn it_says_what_redis_cell_says() {
    let limiter = limiter([rule("cell", requests(1).per(seconds(1)).burst(5))]);
    let table = [
        // More than there can ever be.
        (0, 6, true, 5, None, 0),
        (0, 1, false, 4, None, 1_000),
        (0, 1, false, 3, None, 2_000),
        (0, 1, false, 2, None, 3_000),
        (0, 1, false, 1, None, 4_000),
        (0, 1, false, 0, None, 5_000),
        (0, 1, true, 0, Some(1_000), 5_000),
        (3_000, 1, false, 2, None, 3_000),
        (3_100, 1, false, 1, None, 3_900),
        (4_000, 1, false, 1, None, 4_000),
        (8_000, 1, false, 4, None, 1_000),
        (9_500, 1, false, 4, None, 1_000),
        // To look only.
        (9_500, 0, false, 4, None, 1_000),
        (9_500, 2, false, 2, None, 3_000),
        (9_500, 5, true, 2, Some(3_000), 3_000),
    ];
    for (step, (at, volume, limited, remaining, retry, reset)) in table.into_iter().enumerate() {
        let decision = limiter.check_at("a", volume, millis(at));
        assert_eq!(decision.is_limited(), limited, "{step}");
        assert_eq!(decision.limit(), 5, "{step}");
        assert_eq!(decision.remaining(), remaining, "{step}");
        assert_eq!(decision.retry_after(), retry.map(millis), "{step}");
        assert_eq!(decision.reset_after(), millis(reset), "{step}");
    }
}

#[test]
fn of_a_hundred_and_one_the_last_waits_nine_seconds() {
    let limiter = limiter([Rule::general()]);
    for left in (0..100).rev() {
        assert_eq!(limiter.check_at("a", 1, seconds(60)).remaining(), left);
    }
    let last = limiter.check_at("a", 1, seconds(60));
    assert_eq!((last.is_limited(), last.retry_after()), (true, Some(seconds(9))));
    assert!(limiter.check_at("a", 1, seconds(60) + millis(8_999)).is_limited());
    assert!(!limiter.check_at("a", 1, seconds(69)).is_limited());
    assert!(limiter.check_at("a", 1, seconds(69)).is_limited());
    assert!(!limiter.check_at("b", 1, seconds(69)).is_limited());
}

#[test]
fn what_one_rule_refuses_no_other_is_charged_for() {
    let limiter = limiter([Rule::general(), Rule::burst()]);
    for _ in 0..10 {
        assert!(!limiter.check_at("a", 1, seconds(0)).is_limited());
    }
    for _ in 0..5 {
        let eleventh = limiter.check_at("a", 1, seconds(0));
        assert!(eleventh.is_limited());
        assert_eq!((eleventh.rule(), eleventh.retry_after()), ("burst", Some(millis(100))));
    }
    let general = limiter.peek_at("a", seconds(0))[0];
    assert_eq!((general.rule(), general.remaining()), ("general", 90));
}

#[test]
fn a_rule_in_the_shadow_counts_and_never_refuses() {
    let limiter = limiter([rule("new", requests(1).per(seconds(1))).shadow(), Rule::burst()]);
    for left in (5..10).rev() {
        let decision = limiter.check_at("a", 1, seconds(0));
        assert!(!decision.is_limited());
        assert_eq!((decision.rule(), decision.remaining()), ("burst", left));
    }
    let shadow = limiter.peek_at("a", seconds(0))[0];
    assert_eq!((shadow.rule(), shadow.remaining(), shadow.is_limited()), ("new", 0, true));
}

#[test]
fn cost_refund_later_charges_and_reset() {
    let limiter = limiter([rule("units", requests(10).per(seconds(10))).cost(2).unwrap()]);
    let left = || limiter.peek_at("a", seconds(0))[0].remaining();
    assert_eq!(limiter.check_at("a", 3, seconds(0)).remaining(), 4);
    limiter.refund_at("a", 1, seconds(0), seconds(0));
    assert_eq!(left(), 6);
    limiter.refund_at("a", 100, seconds(0), seconds(0));
    assert_eq!(left(), 10);
    limiter.charge_at("a", 10, seconds(0));
    let decision = limiter.check_at("a", 1, seconds(0));
    assert_eq!((decision.is_limited(), decision.retry_after()), (true, Some(seconds(12))));
    limiter.reset("a");
    assert_eq!(left(), 10);
}

#[test]
fn rules_of_one_name_share_a_store_and_their_debt() {
    let store = MemoryStore::with_capacity(1 << 10).unwrap();
    let free = rule("api", requests(100).per(minutes(15)));
    let paid = rule("api", requests(1_000).per(minutes(15)));
    let [free, same, paid] =
        [free.clone(), free, paid].map(|rule| Limiter::new(store.clone(), [rule]).unwrap());
    assert_eq!(free.check_at("a", 50, seconds(0)).remaining(), 50);
    assert_eq!(same.check_at("a", 10, seconds(0)).remaining(), 40);
    // 540 seconds are owed, at a tenth of the price.
    assert_eq!(paid.check_at("a", 100, seconds(0)).remaining(), 300);
    // 630 seconds, at the old price.
    assert_eq!(free.check_at("a", 0, seconds(0)).remaining(), 30);

    let windows = Rule::new("api", requests(5).per(seconds(1)).fixed_window()).unwrap();
    assert_eq!(Limiter::new(store, [windows]).unwrap_err().kind(), Kind::UnlikeRules);
}

#[test]
fn a_quota_reads_back_as_it_is_written() {
    for (text, quota) in [
        ("100/15m", requests(100).per(minutes(15))),
        ("10/1s", requests(10).per(seconds(1))),
        ("5/1h", requests(5).per(hours(1))),
        ("1/1d", requests(1).per(days(1))),
        ("7/1500ms", requests(7).per(millis(1_500))),
    ] {
        assert_eq!(quota.to_string(), text);
        assert_eq!(text.parse::<Quota>().unwrap(), quota);
    }
    assert_eq!(" 10 / s ".parse::<Quota>().unwrap(), requests(10).per(seconds(1)));
}

#[test]
fn a_check_allocates_nothing() {
    let limiter = limiter([Rule::general(), Rule::burst()]);
    for key in ["new", "known", "known"] {
        assert_eq!(allocations(|| limiter.check(key)), 0);
    }
    // A refusal neither.
    assert_eq!(allocations(|| (0..20).filter(|_| limiter.check("a").is_limited()).count()), 0);
}

#[test]
fn a_store_as_large_as_it_is_told_to_be_has_a_slot_for_nearly_everyone() {
    let quota = requests(10).per(seconds(10));
    // The largest load of this capacity: five eighths of it.
    let per_second = 8_192;
    let capacity = MemoryStore::capacity_for(&quota, per_second);
    assert_eq!(capacity, 1 << 17);
    let store = MemoryStore::with_capacity(capacity).unwrap();
    let limiter = Limiter::new(store.clone(), [rule("r", quota)]).unwrap();
    for second in 0..50 {
        for key in 0..per_second {
            let key = (second * per_second + key).to_le_bytes();
            let _ = limiter.check_at(key, 10, seconds(second));
        }
    }
    // Of 409,600.
    assert!(store.times_full() < 80, "{}", store.times_full());
}

#[test]
fn a_full_table_decides_as_it_was_told() {
    for (full, admitted) in [(Full::Share, true), (Full::Deny, false), (Full::Allow, true)] {
        let store = MemoryStore::with_capacity(16).unwrap().full(full);
        let limiter =
            Limiter::new(store.clone(), [rule("r", requests(2).per(minutes(1)))]).unwrap();
        let mut key = 0_u64;
        while store.times_full() == 0 {
            key += 1;
            let _ = limiter.check_at(key.to_le_bytes(), 1, seconds(0));
        }
        assert_eq!(key, 17);
        let at = |second| limiter.check_at("fresh", 1, seconds(second)).is_limited();
        assert_eq!(!at(0), admitted, "{full:?}");
        assert!(!at(61), "{full:?}");
    }
}

#[test]
fn who_finds_no_slot_and_is_refused_is_told_when_to_come_back() {
    let store = MemoryStore::with_capacity(16).unwrap().full(Full::Deny);
    let limiter = Limiter::new(store, [rule("r", requests(2).per(minutes(1)))]).unwrap();
    let mut decisions = (0_u64..17).map(|key| limiter.check_at(key.to_le_bytes(), 1, seconds(0)));
    let refused = decisions.find(Decision::is_limited).unwrap();
    assert_eq!((refused.remaining(), refused.retry_after()), (0, Some(seconds(30))));
    assert_eq!(refused.next_unit(), seconds(30));
}

#[test]
fn a_reset_in_one_tier_forgets_what_is_owed_in_another() {
    let store = MemoryStore::with_capacity(1 << 10).unwrap();
    let [free, paid] = [10, 100]
        .map(|n| Limiter::new(store.clone(), [rule("api", requests(n).per(minutes(15)))]).unwrap());
    let _ = free.check_at("a", 10, seconds(0));
    paid.reset("a");
    assert_eq!(paid.check_at("a", 1, seconds(0)).remaining(), 99);
}

#[test]
fn threads_admit_together_what_one_alone_would() {
    let limiter = limiter([rule("a", requests(1_000).per(hours(1))), Rule::general()]);
    let (admitted, start) = (AtomicU64::new(0), Barrier::new(4));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                for key in 0..2_000_u64 {
                    let decision = limiter.check_at((key % 20).to_le_bytes(), 1, seconds(0));
                    admitted.fetch_add(u64::from(!decision.is_limited()), Relaxed);
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), 20 * 100);
}

#[test]
fn what_nobody_has_touched_for_years_is_not_taken_for_what_is_to_come() {
    let windows = requests(1_000_000).per(seconds(1)).fixed_window();
    let sliding = requests(16_383).per(seconds(1)).sliding_counter();
    let rules = [
        Rule::new("cells", requests(1_000_000).per(seconds(1))).unwrap(),
        Rule::new("windows", windows).unwrap(),
        Rule::new("sliding", sliding).unwrap(),
    ];
    let limiter = limiter(rules);
    for second in (0..40_000).map(|step| step * 7_919) {
        let decision = limiter.check_at("a", 100, seconds(second));
        assert!(!decision.is_limited(), "{second}");
        for decision in limiter.peek_at("a", seconds(second)) {
            assert_eq!(decision.remaining(), decision.limit() - 100, "{second} {decision:?}");
        }
        assert!(!limiter.check_at(second.to_le_bytes(), 1, seconds(second)).is_limited());
    }
}

#[test]
fn a_rule_that_comes_later_makes_nobody_else_forgotten() {
    let store = MemoryStore::with_capacity(1 << 10).unwrap();
    let day = Limiter::new(store.clone(), [rule("day", requests(1).per(days(1)))]).unwrap();
    // An abuser who is kept out by coming again and again.
    let begin = days(30);
    for hour in 0..20 {
        let _ = day.check_at("a", 1, begin + hours(hour));
    }
    let windows = requests(1_000_000).per(seconds(1)).fixed_window();
    let fast = Limiter::new(store, [Rule::new("fast", windows).unwrap()]).unwrap();
    assert!(!fast.check_at("b", 1, begin + hours(20)).is_limited());
    assert!(day.check_at("a", 1, begin + hours(21)).is_limited());
    assert!(!day.check_at("a", 1, begin + hours(24)).is_limited());
}
