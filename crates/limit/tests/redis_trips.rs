//! How often Redis is asked, and what is decided without asking.

#![cfg(all(not(loom), feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use buttress_core::client_ip::Peer;
use buttress_limit::{
    Decision, Key, LimitLayer, RedisStore, Rule, Source, days, hours, minutes, requests, seconds,
};
use buttress_testkit::redis::Server;
use http::{Request, StatusCode};

use self::redis_nodes::*;

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod redis_nodes;

fn hundred() -> Rule {
    Rule::new("hundred", requests(100).per(hours(1))).unwrap()
}

fn rule(name: &'static str, n: u64, period: Duration) -> Rule {
    Rule::new(name, requests(n).per(period)).unwrap()
}

#[tokio::test]
async fn one_round_trip_decides_whatever_the_number_of_rules() {
    let server = Server::start().await.unwrap();
    let store = patient(&server).await;
    let many = (0..12).map(|n| Rule::new(format!("rule{n}"), requests(100).per(hours(1))).unwrap());
    for rules in [vec![hundred()], many.collect()] {
        let limiter = limiter(&store, rules);
        scripts(&server).await;
        assert_eq!(passed(&limiter, "ada", 50).await, 50);
        assert_eq!(scripts(&server).await, 50);
    }
}

#[tokio::test]
async fn a_key_that_is_refused_is_not_asked_for_until_its_time() {
    let server = Server::start().await.unwrap();
    let limiter = limiter(&patient(&server).await, [rule("few", 3, seconds(3))]);
    assert_eq!(passed(&limiter, "ada", 3).await, 3);
    scripts(&server).await;
    let refused = limiter.check("ada").await;
    assert_eq!((refused.is_limited(), refused.source()), (true, Source::Redis));
    let begin = Instant::now();
    let wait = refused.retry_after().unwrap();
    let mut last = wait;
    loop {
        let decision = limiter.check("ada").await;
        if !decision.is_limited() {
            assert_eq!(decision.source(), Source::Redis);
            break;
        }
        if begin.elapsed() < wait / 2 {
            assert_eq!((decision.source(), decision.rule()), (Source::DenyCache, "few"));
        }
        let left = decision.retry_after().unwrap();
        assert!(left <= last + Duration::from_micros(10), "{left:?} {last:?}");
        last = left;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(begin.elapsed() < wait + seconds(1), "{:?} {wait:?}", begin.elapsed());
    // The first, the last, and those of the last millisecond.
    assert!((2..=4).contains(&scripts(&server).await));
    assert!(limiter.store().stats().by_deny_cache > 10);
    assert_eq!(limiter.check("grace").await.source(), Source::Redis);
}

#[tokio::test]
async fn what_is_given_back_here_is_not_refused_from_memory() {
    let server = Server::start().await.unwrap();
    let limiter = limiter(&patient(&server).await, [hundred()]);
    assert_eq!(passed(&limiter, "ada", 120).await, 100);
    limiter.refund("ada", 10, Duration::ZERO);
    while limiter.check("ada").await.is_limited() {
        tokio::task::yield_now().await;
    }
    assert_eq!(passed(&limiter, "ada", 20).await, 9);
    limiter.reset("ada");
    while limiter.check("ada").await.is_limited() {
        tokio::task::yield_now().await;
    }
    assert_eq!(passed(&limiter, "ada", 120).await, 99);
}

#[tokio::test]
async fn what_costs_too_much_is_refused_and_the_rest_is_still_asked() {
    let server = Server::start().await.unwrap();
    let limiter = limiter(&patient(&server).await, [hundred()]);
    for _ in 0..3 {
        let never = limiter.check_cost("ada", 101).await;
        assert_eq!((never.is_limited(), never.retry_after()), (true, None));
    }
    assert_eq!(limiter.store().stats().by_deny_cache, 2);
    assert_eq!(limiter.check("ada").await.source(), Source::Redis);
    assert_eq!(limiter.check_cost("ada", 0).await.remaining(), 99);
}

#[tokio::test]
async fn what_another_node_gives_back_is_not_hidden_by_what_another_rule_refuses() {
    let server = Server::start().await.unwrap();
    let failures = || Rule::new("failures", requests(5).per(hours(1))).unwrap().failures_only();
    let (here, there) = (patient(&server).await, limiter(&patient(&server).await, [failures()]));
    let (all, failures) = (limiter(&here, [hundred()]), limiter(&here, [failures()]));
    assert_eq!(passed(&there, "ada", 4).await, 4);
    assert_eq!(passed(&failures, "ada", 1).await, 1);
    assert_eq!(passed(&all, "ada", 101).await, 100);
    there.refund("ada", 4, Duration::ZERO);
    while there.check_cost("ada", 0).await.remaining() < 4 {
        tokio::task::yield_now().await;
    }
    let decision = failures.check("ada").await;
    assert_eq!((decision.is_limited(), decision.source()), (false, Source::Redis));
    assert_eq!(all.check("ada").await.source(), Source::DenyCache);
}

#[tokio::test]
async fn a_lease_asks_once_for_so_many() {
    let server = Server::start().await.unwrap();
    let store = patient(&server).await.lease(10).unwrap();
    let limiter = limiter(&connected(store).await, [hundred()]);
    scripts(&server).await;
    for left in (0..100).rev() {
        let decision = limiter.check("ada").await;
        let source = if left % 10 == 9 { Source::Redis } else { Source::Lease };
        assert_eq!((decision.is_limited(), decision.remaining()), (false, left));
        assert_eq!(decision.source(), source, "{left}");
    }
    assert!(limiter.check("ada").await.is_limited());
    assert_eq!(scripts(&server).await, 11);
    let stats = limiter.store().stats();
    assert_eq!((stats.by_redis, stats.by_lease), (11, 90));
}

#[tokio::test]
async fn a_lease_takes_what_there_is_of_every_rule_and_no_more() {
    let server = Server::start().await.unwrap();
    let store = patient(&server).await.lease(7).unwrap();
    let rules = [hundred(), rule("ten", 10, hours(1)), rule("three", 3, hours(1)).shadow()];
    let limiter = limiter(&connected(store).await, rules);
    assert_eq!(passed(&limiter, "ada", 30).await, 10);
    let left: Vec<u64> = limiter.peek("ada").iter().map(Decision::remaining).collect();
    assert_eq!(left[..2], [90, 0]);
}

#[tokio::test]
async fn what_a_lease_has_left_comes_back_after_a_second() {
    let server = Server::start().await.unwrap();
    let leasing = connected(patient(&server).await.lease(10).unwrap()).await;
    let nodes = [limiter(&leasing, [hundred()]), limiter(&patient(&server).await, [hundred()])];
    assert_eq!(passed(&nodes[0], "ada", 1).await, 1);
    let begin = Instant::now();
    // Nine are held back, and no more.
    assert_eq!(passed(&nodes[1], "ada", 91).await, 90);
    let mut more = 0;
    while more < 9 && begin.elapsed() < seconds(5) {
        // One that has not been told yet that there is nothing left.
        more += passed(&limiter(&patient(&server).await, [hundred()]), "ada", 1).await;
    }
    assert_eq!(more, 9);
    assert!(begin.elapsed() > Duration::from_millis(900), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn what_a_lease_took_for_one_who_left_comes_back() {
    let server = Server::start().await.unwrap();
    let delay = Duration::from_millis(50);
    let store = RedisStore::new(&far_away(&server, delay).await).unwrap();
    let leasing = connected(store.timeout(seconds(5)).unwrap().lease(10).unwrap()).await;
    let limiter = limiter(&leasing, [hundred()]);
    assert!(tokio::time::timeout(delay / 2, limiter.check("ada")).await.is_err());
    let other = self::limiter(&patient(&server).await, [hundred()]);
    let begin = Instant::now();
    let mut left = 0;
    // The one is charged.
    while left != 99 && begin.elapsed() < seconds(5) {
        left = other.check_cost("ada", 0).await.remaining();
        tokio::task::yield_now().await;
    }
    assert_eq!(left, 99);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_charges_over_two_nodes_pass_as_often_as_the_bound_says() {
    const BOUND: usize = 5_000;
    let server = Server::start().await.unwrap();
    let rules = || [rule("all", BOUND as u64, days(366)), rule("more", 100_000, days(366))];
    let nodes =
        [limiter(&patient(&server).await, rules()), limiter(&patient(&server).await, rules())];
    let tasks: Vec<_> = (0..200)
        .map(|task| {
            let node = nodes[task % 2].clone();
            tokio::spawn(async move { passed(&node, "ada", 500).await })
        })
        .collect();
    let mut all = 0;
    for task in tasks {
        all += task.await.unwrap();
    }
    assert_eq!(all, BOUND);
    assert!(nodes.iter().all(|node| node.store().stats().by_fallback == 0));
}

#[tokio::test]
async fn a_ladder_counts_its_wide_networks_over_all_of_their_narrow_ones() {
    let server = Server::start().await.unwrap();
    let key = Key::peer().ipv6_ladder([(64, 1), (48, 2)]).unwrap();
    let rule = rule("rungs", 10, minutes(10));
    let layer = LimitLayer::with_store(patient(&server).await, key, [rule]).unwrap();
    let from = |address: &str| {
        let peer: IpAddr = address.parse().unwrap();
        Request::builder().extension(Peer(peer)).body(()).unwrap()
    };
    let mut admitted = Vec::new();
    for subnet in ["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1", "2001:db8:1:1::1"] {
        let mut passed = 0;
        for _ in 0..15 {
            passed += u32::from(send(&layer, from(subnet)).await.status() == StatusCode::OK);
        }
        admitted.push(passed);
    }
    assert_eq!(admitted, [10, 10, 0, 10]);
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("*rungs*").query_async(&mut connection).await.unwrap();
    let mut tags: Vec<&str> = keys.iter().map(|key| key.split_once('}').unwrap().0).collect();
    tags.sort_unstable();
    tags.dedup();
    assert_eq!((keys.len(), tags.len()), (5, 2), "{keys:?}");
}

#[tokio::test]
async fn two_services_with_prefixes_of_their_own_do_not_share() {
    let server = Server::start().await.unwrap();
    let store = |prefix| RedisStore::new(&server.url()).unwrap().prefix(prefix).unwrap();
    let one = limiter(&connected(store("one:")).await, [hundred()]);
    let two = limiter(&connected(store("two:")).await, [hundred()]);
    assert_eq!(passed(&one, "ada", 100).await + passed(&two, "ada", 100).await, 200);
}
