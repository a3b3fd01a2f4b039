//! Every interleaving of two threads that claim and charge slots.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p buttress-limit --test loom`

#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use buttress_limit::{Limiter, MemoryStore, Rule, minutes, requests, seconds};
use loom::thread;

fn limiter(rules: impl IntoIterator<Item = (&'static str, u64)>) -> Limiter {
    let rule = |(name, n)| Rule::new(name, requests(n).per(minutes(1))).unwrap();
    Limiter::new(MemoryStore::with_capacity(4).unwrap(), rules.into_iter().map(rule)).unwrap()
}

fn admits(limiter: &Limiter, key: &str) -> u64 {
    u64::from(!limiter.check_at(key, 1, seconds(1)).is_limited())
}

fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    // Races of two threads need no more (loom's own advice is 2 or 3).
    model.preemption_bound = Some(4);
    model.check(check);
}

#[test]
fn two_threads_with_the_same_new_key_do_not_admit_it_twice() {
    model(|| {
        let limiter = limiter([("r", 1)]);
        let other = limiter.clone();
        let thread = thread::spawn(move || admits(&other, "a"));
        let here = admits(&limiter, "a");
        assert_eq!(here + thread.join().unwrap(), 1);
        assert_eq!(admits(&limiter, "a"), 0);
    });
}

#[test]
fn two_threads_with_a_known_key_lose_no_charge() {
    model(|| {
        let limiter = limiter([("r", 4)]);
        assert_eq!(admits(&limiter, "a"), 1);
        let other = limiter.clone();
        let thread = thread::spawn(move || admits(&other, "a"));
        assert_eq!(admits(&limiter, "a") + thread.join().unwrap(), 2);
        assert_eq!(limiter.peek_at("a", seconds(1)).first().unwrap().remaining(), 1);
    });
}

#[test]
fn two_new_keys_at_once_do_not_lose_one_another() {
    model(|| {
        let limiter = limiter([("r", 1)]);
        let other = limiter.clone();
        let thread = thread::spawn(move || admits(&other, "b"));
        assert_eq!(admits(&limiter, "a") + thread.join().unwrap(), 2);
        assert_eq!(admits(&limiter, "a") + admits(&limiter, "b"), 0);
    });
}

#[test]
fn a_charge_that_one_rule_refuses_is_rolled_back_in_the_others() {
    model(|| {
        let limiter = limiter([("wide", 3), ("narrow", 1)]);
        let other = limiter.clone();
        let thread = thread::spawn(move || admits(&other, "a"));
        assert_eq!(admits(&limiter, "a") + thread.join().unwrap(), 1);
        let left: Vec<u64> =
            limiter.peek_at("a", seconds(1)).iter().map(|rule| rule.remaining()).collect();
        assert_eq!(left, [2, 0]);
    });
}

#[test]
fn the_last_slot_goes_to_one_of_two_new_keys_and_the_other_shares() {
    // Keys under one lock, and under two.
    for other in ["b", "c", "d", "e", "f", "g"] {
        model(move || {
            let one = "a";
            let limiter = limiter([("r", 1)]);
            // All slots but one.
            assert_eq!(["x", "y", "z"].map(|key| admits(&limiter, key)), [1, 1, 1]);
            let thread = {
                let limiter = limiter.clone();
                thread::spawn(move || admits(&limiter, other))
            };
            assert_eq!(admits(&limiter, one) + thread.join().unwrap(), 2);
            assert_eq!(limiter.store().times_full(), 1);
            assert_eq!(admits(&limiter, one) + admits(&limiter, other), 0);
        });
    }
}

#[test]
fn a_slot_whose_time_has_passed_goes_to_one_of_two_that_want_it() {
    model(|| {
        let limiter = limiter([("r", 1)]);
        let at = |limiter: &Limiter, key: &str, second| {
            u64::from(!limiter.check_at(key, 1, seconds(second)).is_limited())
        };
        let _ = at(&limiter, "old", 35);
        // Of the others, each is taken and live.
        assert_eq!(["x", "y", "z"].map(|key| at(&limiter, key, 90)), [1, 1, 1]);
        let other = limiter.clone();
        let thread = thread::spawn(move || at(&other, "new", 100));
        assert_eq!(at(&limiter, "old", 100) + thread.join().unwrap(), 2);
        assert_eq!(at(&limiter, "old", 100) + at(&limiter, "new", 100), 0);
    });
}
