//! What Redis says, with the time passed in.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use buttress_testkit::redis::Server;
use futures_util::FutureExt;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::{
    script::{SCRIPT, read},
    *,
};
use crate::{
    decision::Decision,
    plan::with_claims,
    quota::{minutes, requests, seconds},
};

/// Far from the beginning, as a server's time is.
const BEGIN: u64 = 1_890_000_000_000_000;

struct Asked {
    plan: Plan,
    store: MemoryStore,
    connection: redis::aio::MultiplexedConnection,
}

impl Asked {
    async fn new(server: &Server, rules: impl IntoIterator<Item = Rule>) -> Self {
        let store = MemoryStore::new().unwrap().with_secret(Secret::of(b"test"));
        let plan = Plan::bind(&store.table, rules, Key::everyone().rungs()).unwrap();
        let client = Client::open(server.url()).unwrap();
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        Self { plan, store, connection }
    }

    fn keys(&self, key: &str) -> Keys {
        let mut hasher = self.store.table.secret().hasher();
        hasher.write(key.as_bytes());
        Keys::one(hasher.finish())
    }

    async fn run(&mut self, mode: Mode, key: &str, cost: u64, at: Duration) -> Vec<i64> {
        let keys = self.keys(key);
        let at = BEGIN + u64::try_from(at.as_micros()).unwrap();
        let of = Of::all(&self.plan, &keys, cost);
        let call = Call::new(PREFIX, mode, of, |_| Owed::default()).at(at);
        call.command("EVAL", SCRIPT).query_async(&mut self.connection).await.unwrap()
    }

    async fn check(&mut self, key: &str, cost: u64, at: Duration) -> Decision<'_> {
        let answer = self.run(Mode::Check, key, cost, at).await;
        let (keys, now) = (self.keys(key), self.store.table.now());
        with_claims!(self.plan, |N| {
            let mut claims = self.plan.claims::<N>(&keys, cost);
            read(&mut claims, &answer, now).unwrap();
            claims.decision(now)
        })
    }
}

const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The table of throttled (`TestRateLimit` in `rate_test.go`), which redis-cell took over; as the
/// memory store answers it in `tests/limiter.rs`.
#[tokio::test]
async fn it_says_what_redis_cell_and_the_memory_store_say() {
    let server = Server::start().await.unwrap();
    let rule = Rule::new("cell", requests(1).per(seconds(1)).burst(5)).unwrap();
    let memory = crate::Limiter::new(MemoryStore::new().unwrap(), [rule.clone()]).unwrap();
    let mut redis = Asked::new(&server, [rule]).await;
    let table = [
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
        (9_500, 0, false, 4, None, 1_000),
        (9_500, 2, false, 2, None, 3_000),
        (9_500, 5, true, 2, Some(3_000), 3_000),
    ];
    for (step, (at, volume, limited, remaining, retry, reset)) in table.into_iter().enumerate() {
        let decision = redis.check("a", volume, millis(at)).await;
        assert_eq!(decision, memory.check_at("a", volume, millis(at)), "{step}");
        let said = (decision.is_limited(), decision.limit(), decision.remaining());
        assert_eq!(said, (limited, 5, remaining), "{step}");
        assert_eq!(decision.retry_after(), retry.map(millis), "{step}");
        assert_eq!(decision.reset_after(), millis(reset), "{step}");
    }
}

/// The same table, from what an outage decides by: the mirror, which Redis fills, and then alone.
#[tokio::test]
async fn the_fall_back_goes_on_where_redis_has_left_off() {
    let server = Server::start().await.unwrap();
    let rule = Rule::new("cell", requests(1).per(seconds(1)).burst(5)).unwrap();
    let steps = [(0, 1), (0, 1), (0, 3), (0, 1), (3_000, 1), (3_100, 1), (4_000, 1), (8_000, 1)];
    let steps = steps.into_iter().chain([(9_500, 1), (9_500, 0), (9_500, 2), (9_500, 5)]);
    for outage in 0..=12 {
        let memory = crate::Limiter::new(MemoryStore::new().unwrap(), [rule.clone()]).unwrap();
        let mut redis = Asked::new(&server, [rule.clone()]).await;
        let store = RedisStore::new(&server.url()).unwrap();
        let plan = Plan::bind(store.table(), [rule.clone()], Key::everyone().rungs()).unwrap();
        let key = format!("outage {outage}");
        for (step, (at, cost)) in steps.clone().enumerate() {
            let (keys, now) = (redis.keys(&key), crate::memory::nanos(millis(at)));
            let expected = memory.check_at(&key, cost, millis(at));
            let mut claims = plan.claims::<1>(&keys, cost);
            if step < outage {
                let answer = redis.run(Mode::Check, &key, cost, millis(at)).await;
                read(&mut claims, &answer, now).unwrap();
                store.mirror(&claims, now);
            } else {
                claims.decide(store.table(), now, || now);
            }
            assert_eq!(claims.decision(now), expected, "{outage} {step}");
        }
    }
}

#[tokio::test]
async fn a_node_whose_clock_is_a_minute_off_decides_the_same() {
    let server = Server::start().await.unwrap();
    let rules = algorithms(10).into_iter().zip(["gcra", "fixed", "sliding"]);
    let rules: Vec<Rule> = rules.map(|(way, name)| Rule::new(name, way).unwrap()).collect();
    for rule in rules {
        let store = |ahead| {
            let mut store = RedisStore::new(&server.url()).unwrap().timeout(seconds(5)).unwrap();
            store.memory = store.memory.ahead(ahead);
            store.begin_anew().unwrap()
        };
        let nodes = [store(seconds(0)), store(seconds(60)), store(seconds(90))];
        let mut left = Vec::new();
        let limiters = nodes.map(|node| RedisLimiter::new(node, [rule.clone()]).unwrap());
        for limiter in &limiters {
            limiter.store().connected().await;
        }
        for turn in 0..12 {
            let decision = limiters[turn % 3].check("ada").await;
            assert_eq!(decision.source(), crate::Source::Redis);
            left.push((decision.is_limited(), decision.remaining()));
            let waits = decision.retry_after().unwrap_or_default();
            assert!(waits <= minutes(2), "{waits:?}");
        }
        let expected: Vec<(bool, u64)> =
            (0..10).rev().map(|n| (false, n)).chain([(true, 0), (true, 0)]).collect();
        assert_eq!(left, expected, "{rule}");
    }
}

/// Nanoseconds times requests, so that nothing is ever rounded.
fn model(quota: &crate::Quota, tat: &mut u128, cost: u64, micros: u64) -> bool {
    let [n, burst] = [quota.requests(), quota.limit()].map(u128::from);
    let now = u128::from(micros) * 1_000 * n;
    let next = (*tat).max(now) + u128::from(cost) * quota.period().as_nanos();
    let fits = cost == 0 || next <= now + burst * quota.period().as_nanos();
    if fits {
        *tat = next;
    }
    fits
}

#[test]
fn it_decides_as_a_model_without_bound_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::start()).unwrap();
    let period = prop_oneof![
        (1_u64..2_000).prop_map(Duration::from_millis),
        (1_u64..2_000).prop_map(Duration::from_secs),
    ];
    let step = prop_oneof![Just(0_u64), 0_u64..1_000, 0_u64..3_000_000];
    let steps = proptest::collection::vec((step, 0_u64..4), 1..60);
    let case = (1_u64..200, period, 1_u64..200, steps, any::<u32>());
    let mut runner = TestRunner::new(Config { cases: 48, ..Config::default() });
    let outcome = runner.run(&case, |(n, period, burst, steps, key)| {
        let quota = requests(n).per(period).burst(burst);
        prop_assume!(quota.check().is_ok());
        runtime.block_on(async {
            let rule = Rule::new("model", quota).unwrap();
            let mut redis = Asked::new(&server, [rule]).await;
            let interval = u64::try_from(period.as_micros()).unwrap().div_ceil(n);
            let (mut tat, mut at, key) = (0, 0, format!("{key} {quota}"));
            redis::cmd("FLUSHALL").query_async::<()>(&mut redis.connection).await.unwrap();
            for (step, cost) in steps {
                at += step * interval / 1_000_000;
                let expected = model(&quota, &mut tat, cost, BEGIN + at);
                let said = redis.check(&key, cost, Duration::from_micros(at)).await;
                prop_assert_eq!(!said.is_limited(), expected);
            }
            Ok(())
        })
    });
    outcome.unwrap();
}

#[tokio::test]
async fn it_decides_as_the_memory_store_does() {
    let server = Server::start().await.unwrap();
    let rules = [
        Rule::new("thirds", requests(3).per(seconds(1)).burst(7)).unwrap(),
        Rule::new("sevenths", requests(7).per(millis(1_100)).burst(9)).unwrap(),
        Rule::new("windows", requests(40).per(seconds(5)).fixed_window()).unwrap(),
        Rule::new("sliding", requests(60).per(seconds(6)).sliding_counter()).unwrap(),
        Rule::general().shadow(),
    ];
    let memory = crate::Limiter::new(MemoryStore::new().unwrap(), rules.clone()).unwrap();
    let mut redis = Asked::new(&server, rules).await;
    let (mut at, mut dice, mut refused) = (Duration::from_micros(1), 1_u64, 0);
    for step in 0..2_000 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        at += millis((dice >> 33) % 400);
        let (cost, key) = ((dice >> 50) % 4, if dice >> 63 == 0 { "a" } else { "b" });
        let there = redis.check(key, cost, at).await;
        let here = memory.check_at(key, cost, at);
        assert_eq!((there.rule(), there.is_limited()), (here.rule(), here.is_limited()), "{step}");
        assert_eq!(there.remaining(), here.remaining(), "{step}");
        let apart = |a: Duration, b: Duration| a.abs_diff(b) < Duration::from_micros(3);
        assert!(apart(there.reset_after(), here.reset_after()), "{step} {there:?} {here:?}");
        let waits = [there, here].map(|decision| decision.retry_after().unwrap_or_default());
        assert!(apart(waits[0], waits[1]), "{step} {there:?} {here:?}");
        refused += u32::from(here.is_limited());
    }
    assert!(refused > 100, "{refused}");
}

#[tokio::test]
async fn what_one_rule_refuses_no_other_is_charged_for() {
    let server = Server::start().await.unwrap();
    let mut redis = Asked::new(&server, [Rule::general(), Rule::burst()]).await;
    for _ in 0..10 {
        assert!(!redis.check("a", 1, seconds(0)).await.is_limited());
    }
    let eleventh = redis.check("a", 1, seconds(0)).await;
    assert_eq!((eleventh.rule(), eleventh.retry_after()), ("burst", Some(millis(100))));
    let general = redis.check("a", 0, seconds(2)).await;
    assert_eq!((general.rule(), general.remaining()), ("burst", 10));
    let mut general = Asked::new(&server, [Rule::general()]).await;
    assert_eq!(general.check("a", 0, seconds(0)).await.remaining(), 90);
}

#[tokio::test]
async fn every_count_expires_and_what_is_given_back_is_gone() {
    let server = Server::start().await.unwrap();
    let mut redis = Asked::new(&server, [Rule::general(), Rule::burst()]).await;
    redis.run(Mode::Check, "a", 1, seconds(0)).await;
    assert_eq!(server.command("DBSIZE").await.unwrap(), ":2");
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("*").query_async(&mut redis.connection).await.unwrap();
    for key in keys {
        let mut ttl = redis::cmd("PTTL");
        let left: i64 = ttl.arg(&key).query_async(&mut redis.connection).await.unwrap();
        assert!((1..=9_001).contains(&left), "{key} {left}");
    }
    redis.run(Mode::Refund, "a", 1, seconds(0)).await;
    assert_eq!(server.command("DBSIZE").await.unwrap(), ":0");
}

#[tokio::test]
async fn a_later_charge_is_not_refused_and_a_debt_has_an_end() {
    let server = Server::start().await.unwrap();
    let mut redis = Asked::new(&server, [Rule::general()]).await;
    redis.run(Mode::Force, "a", 150, seconds(0)).await;
    let decision = redis.check("a", 1, seconds(0)).await;
    assert_eq!(decision.retry_after(), Some(seconds(51 * 9)));
    redis.run(Mode::Force, "a", u64::MAX, seconds(0)).await;
    let decision = redis.check("a", 1, seconds(0)).await;
    assert_eq!(decision.reset_after(), minutes(16 * 15));
}

#[tokio::test]
async fn what_costs_nothing_passes_however_deep_the_debt() {
    let server = Server::start().await.unwrap();
    for algorithm in algorithms(5) {
        let mut redis = Asked::new(&server, [Rule::new("deep", algorithm).unwrap()]).await;
        let key = format!("{algorithm:?}");
        redis.run(Mode::Force, &key, 50, seconds(0)).await;
        assert!(redis.check(&key, 1, seconds(1)).await.is_limited(), "{key}");
        assert!(!redis.check(&key, 0, seconds(1)).await.is_limited(), "{key}");
    }
}

/// 5 in a minute, each way.
fn algorithms(n: u64) -> [crate::Algorithm; 3] {
    let quota = requests(n).per(minutes(1));
    [quota.into(), quota.fixed_window().into(), quota.sliding_counter().into()]
}

#[tokio::test]
async fn a_change_of_tier_keeps_the_time_at_which_the_debt_is_paid() {
    let server = Server::start().await.unwrap();
    let of = |n| Rule::new("api", requests(n).per(minutes(15))).unwrap();
    let (mut free, mut paid) =
        (Asked::new(&server, [of(100)]).await, Asked::new(&server, [of(1_000)]).await);
    assert_eq!(free.check("a", 60, seconds(0)).await.remaining(), 40);
    assert_eq!(paid.check("a", 100, seconds(0)).await.remaining(), 300);
    assert_eq!(free.check("a", 0, seconds(0)).await.remaining(), 30);
}

#[test]
fn what_is_not_told_yet_of_an_outage_is_kept() {
    let store = RedisStore::new("redis://127.0.0.1:1").unwrap();
    let limiter = RedisLimiter::new(store.clone(), [Rule::general()]).unwrap();
    for key in 0..100_u8 {
        // There is no runtime to connect on.
        assert!(limiter.check([key]).now_or_never().is_some());
    }
    let now = store.table().now();
    let told = [64, 64, 64].map(|most| store.link.outage.take(most, now).len());
    assert_eq!(told, [64, 36, 0]);
}
