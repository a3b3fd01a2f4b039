//! The store beside a model in whole numbers that never overflow and never round.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{collections::HashMap, time::Duration};

use buttress_limit::{Limiter, MemoryStore, Quota, Rule, minutes, requests, seconds};
use proptest::prelude::*;

/// A rule as in the textbook, in nanoseconds times requests: then the interval is the period.
#[derive(Clone)]
struct Model {
    quota: Quota,
    cost: u64,
    /// The theoretical arrival time of each key that was charged.
    arrivals: HashMap<u8, i128>,
}

impl Model {
    fn new(rule: &Rule, cost: u64) -> Self {
        Self { quota: *rule.quota(), cost, arrivals: HashMap::new() }
    }

    fn rate(&self) -> i128 {
        self.quota.refill().into()
    }

    fn period(&self) -> i128 {
        i128::try_from(self.quota.period().as_nanos()).unwrap()
    }

    fn debt(&self, key: u8, now: i128) -> i128 {
        let arrival = self.arrivals.get(&key).copied().unwrap_or(0);
        (arrival - now * self.rate()).max(0)
    }

    fn price(&self, units: u64) -> i128 {
        i128::from(units) * i128::from(self.cost) * self.period()
    }

    /// How much is missing; none where it is 0 or less.
    fn missing(&self, key: u8, units: u64, now: i128) -> i128 {
        let burst = i128::from(self.quota.limit()) * self.period();
        self.debt(key, now) + self.price(units) - burst
    }

    fn fits(&self, key: u8, units: u64, now: i128) -> bool {
        units == 0 || self.missing(key, units, now) <= 0
    }

    fn charge(&mut self, key: u8, units: u64, now: i128) {
        let arrival = now * self.rate() + self.debt(key, now) + self.price(units);
        self.arrivals.insert(key, arrival);
    }

    fn left(&self, key: u8, now: i128) -> i128 {
        let burst = i128::from(self.quota.limit()) * self.period();
        (burst - self.debt(key, now)).max(0) / self.period()
    }

    /// In nanoseconds, rounded up.
    fn wait(&self, key: u8, units: u64, now: i128) -> i128 {
        let missing = self.missing(key, units, now).max(0);
        (missing + self.rate() - 1) / self.rate()
    }

    /// How far the store's clock may be behind: 2 µs, or a 2³¹th of the time in which a full burst
    /// comes back.
    fn tick(&self) -> i128 {
        let reset = i128::from(self.quota.limit()) * self.period() / self.rate();
        (reset >> 31).max(2_000) + 1
    }
}

fn rules() -> impl Strategy<Value = Vec<(Rule, u64)>> {
    let periods = prop_oneof![
        (1_u64..3_000).prop_map(Duration::from_millis),
        (1_u64..90_000).prop_map(Duration::from_secs),
        (1_000_000_u64..5_000_000_000).prop_map(Duration::from_nanos),
    ];
    let numbers = || prop_oneof![4 => 1_u64..20, 2 => 1_u64..300, 1 => 1_u64..100_000];
    let rule = (numbers(), periods, proptest::option::of(numbers()), any::<bool>(), 1_u64..4);
    let rule = rule.prop_filter_map("a quota that is taken", |(n, period, burst, strict, cost)| {
        let quota = requests(n).per(period);
        let quota = match burst {
            Some(burst) => quota.burst(burst),
            None if strict => quota.strict(),
            None => quota,
        };
        let cost = cost.min(quota.limit());
        Some((Rule::new("r", quota).ok()?.cost(cost).ok()?, cost))
    });
    proptest::collection::vec(rule, 1..4).prop_map(|rules| {
        let named = |((rule, cost), name): ((Rule, u64), &'static str)| {
            (Rule::new(name, *rule.quota()).unwrap().cost(cost).unwrap(), cost)
        };
        rules.into_iter().zip(["a", "b", "c"]).map(named).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever all rules of the model admit, the store admits; whatever it admits, the model does
    /// a tick later at the latest; and what one rule refuses, no other is charged for.
    #[test]
    fn the_store_decides_as_the_model_does(
        rules in rules(),
        start in 0_u64..1 << 55,
        steps in proptest::collection::vec(
            (
                prop_oneof![2 => Just(0_u64), 2 => 0_u64..300, 2 => 0_u64..3_000, 1 => 0_u64..90_000],
                0_u8..5,
                prop_oneof![5 => Just(1_u64), 1 => Just(0_u64), 2 => 2_u64..30],
            ),
            1..150,
        ),
    ) {
        let store = MemoryStore::with_capacity(1 << 10).unwrap();
        let limiter = Limiter::new(store, rules.iter().map(|(rule, _)| rule.clone())).unwrap();
        let mut models: Vec<Model> =
            rules.iter().map(|(rule, cost)| Model::new(rule, *cost)).collect();
        // A step is a thousandth of the first rule's interval.
        let interval = models[0].period() / models[0].rate();
        let mut now = i128::from(start);
        for (step, key, cost) in steps {
            now += i128::from(step) * interval / 1_000;
            if now >= 1 << 61 {
                break;
            }
            let at = Duration::from_nanos(u64::try_from(now).unwrap());
            let decision = limiter.check_at([key], cost, at);
            let admitted = !decision.is_limited();
            let all_fit = models.iter().all(|model| model.fits(key, cost, now));
            let all_fit_soon =
                models.iter().all(|model| model.fits(key, cost, now + model.tick()));
            prop_assert!(admitted || !all_fit, "late");
            prop_assert!(!admitted || all_fit_soon, "early");

            if let Some(retry) = decision.retry_after() {
                let told = i128::try_from(retry.as_nanos()).unwrap();
                let tick = models.iter().map(Model::tick).max().unwrap();
                let wait = models.iter().map(|model| model.wait(key, cost, now)).max().unwrap();
                prop_assert!((told - wait).abs() <= tick, "{told} {wait}");
            } else {
                let never = |model: &Model| cost * model.cost > model.quota.limit();
                prop_assert_eq!(!admitted, models.iter().any(never));
            }
            if admitted {
                models.iter_mut().for_each(|model| model.charge(key, cost, now));
            }
            for (level, model) in limiter.peek_at([key], at).iter().zip(&models) {
                let left = i128::from(level.remaining());
                let least = model.left(key, now);
                prop_assert!(left >= least && left <= model.left(key, now + model.tick()));
                let reset = i128::try_from(level.reset_after().as_nanos()).unwrap();
                let exact = model.debt(key, now) / model.rate();
                prop_assert!((reset - exact).abs() <= model.tick(), "{reset} {exact}");
            }
        }
    }
}

/// Of 100 in 15 minutes, what is in force lets 199 through in one period, and not one more: said in
/// the documentation of the quota.
#[test]
fn one_period_sees_twice_the_quota_less_one_at_most_and_of_a_strict_one_the_quota() {
    let most = |quota: Quota| {
        let store = MemoryStore::with_capacity(16).unwrap();
        let limiter = Limiter::new(store, [Rule::new("r", quota).unwrap()]).unwrap();
        let begin = Duration::from_secs(1_000);
        // All at once, and then as soon as there is one more, to the end of the period.
        let last = minutes(15) - Duration::from_nanos(1);
        let at_once = (0..1_000).filter(|_| !limiter.check_at("a", 1, begin).is_limited()).count();
        let later = (1..=900_u64).map(seconds).chain([last]).filter(|after| *after <= last);
        let later = later.filter(|after| !limiter.check_at("a", 1, begin + *after).is_limited());
        at_once + later.count()
    };
    let quota = requests(100).per(minutes(15));
    assert_eq!(most(quota), 199);
    assert_eq!(most(quota.strict()), 99);
}
