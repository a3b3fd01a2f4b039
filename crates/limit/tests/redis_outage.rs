//! What an outage admits, and what Redis learns of it.

#![cfg(all(not(loom), feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::time::{Duration, Instant};

use buttress_limit::{
    Algorithm, Fallback, LimitLayer, RedisStore, Rule, Source, hours, minutes, requests, seconds,
};
use buttress_testkit::redis::Server;
use futures_util::FutureExt;
use http::{HeaderValue, StatusCode};

use self::redis_nodes::*;

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod redis_nodes;

fn hundred() -> Rule {
    Rule::new("hundred", requests(100).per(hours(1))).unwrap()
}

/// 100 in an hour, each way.
fn hundreds() -> [Rule; 3] {
    let quota = requests(100).per(hours(1));
    let ways: [Algorithm; 3] =
        [quota.into(), quota.fixed_window().into(), quota.sliding_counter().into()];
    ways.map(|way| Rule::new("hundred", way).unwrap())
}

async fn local(server: &Server, share: u32) -> RedisStore {
    patient(server).await.fallback(Fallback::Local { share })
}

async fn down(stores: &[&RedisStore], server: &mut Server) {
    server.kill().unwrap();
    for store in stores {
        let limiter = limiter(store, [Rule::burst()]);
        while store.stats().is_up {
            let _ = limiter.check("nobody").await;
        }
    }
}

#[tokio::test]
async fn two_nodes_together_admit_no_more_in_an_outage_than_was_left() {
    for rule in hundreds() {
        let mut server = Server::start().await.unwrap();
        let stores = [local(&server, 2).await, local(&server, 2).await];
        let nodes = stores.each_ref().map(|store| limiter(store, [rule.clone()]));
        assert_eq!(passed(&nodes[0], "ada", 40).await + passed(&nodes[1], "ada", 20).await, 60);
        // The first node knows of 40, the second of 60.
        down(&[&stores[0], &stores[1]], &mut server).await;
        let [one, two] = [passed(&nodes[0], "ada", 99).await, passed(&nodes[1], "ada", 99).await];
        assert_eq!((one, two), (30, 20), "{rule}");
        // A client that is new.
        let [one, two] = [passed(&nodes[0], "bob", 99).await, passed(&nodes[1], "bob", 99).await];
        assert_eq!((one, two), (50, 50), "{rule}");
    }
}

#[tokio::test]
async fn a_share_of_less_than_one_is_one_and_cuts_no_other_rule() {
    let mut server = Server::start().await.unwrap();
    let store = local(&server, 20).await;
    let five = Rule::new("five", requests(5).per(hours(1))).unwrap();
    let (few, both) = (limiter(&store, [five]), limiter(&store, [hundred(), Rule::burst()]));
    down(&[&store], &mut server).await;
    assert_eq!(passed(&few, "ada", 9).await, 1);
    let begin = Instant::now();
    let mut all = 0;
    while begin.elapsed() < Duration::from_millis(100) {
        all += passed(&both, "bob", 1).await;
    }
    assert_eq!(all, 1);
    let hundred = both.peek("bob")[0];
    assert_eq!((hundred.rule(), hundred.remaining()), ("hundred", 80));
}

#[tokio::test]
async fn what_the_nodes_charged_in_an_outage_is_counted_together_when_redis_is_back() {
    for rule in hundreds() {
        // Redis keeps its counts, and loses them.
        for keeps in [true, false] {
            let mut server = Server::start().await.unwrap();
            let stores = [local(&server, 1).await, local(&server, 2).await];
            let nodes = stores.each_ref().map(|store| limiter(store, [rule.clone()]));
            assert_eq!(passed(&nodes[0], "ada", 40).await, 40);
            assert_eq!(passed(&nodes[1], "ada", 1).await, 1);
            if keeps {
                assert_eq!(server.command("CONFIG SET maxmemory 1").await.unwrap(), "+OK");
                for node in &nodes {
                    while node.store().stats().is_up {
                        let _ = node.check("nobody").await;
                    }
                }
            } else {
                down(&[&stores[0], &stores[1]], &mut server).await;
            }
            for node in &nodes {
                assert_eq!(passed(node, "ada", 10).await, 10);
                assert_eq!(node.check_cost("ada", 0).await.source(), Source::Fallback);
            }
            if keeps {
                assert_eq!(server.command("CONFIG SET maxmemory 0").await.unwrap(), "+OK");
            } else {
                server.restart().await.unwrap();
            }
            for store in &stores {
                store.connected().await;
            }
            let fresh = limiter(&patient(&server).await, [rule.clone()]);
            // Nobody told Redis more than it knew where it has forgotten: of 40 and 41 the one that
            // came first.
            let left = fresh.check_cost("ada", 0).await.remaining();
            let expected = if keeps { 39..=39 } else { 39..=40 };
            assert!(expected.contains(&left), "{rule} {keeps}: {left}");
        }
    }
}

#[tokio::test]
async fn who_was_refused_before_a_restart_is_refused_after_it() {
    let mut server = Server::start().await.unwrap();
    let store = patient(&server).await;
    let limiter = limiter(&store, [hundred()]);
    assert_eq!(passed(&limiter, "ada", 100).await, 100);
    assert_eq!(passed(&limiter, "bob", 99).await, 99);
    down(&[&store], &mut server).await;
    // Nobody asks for either of them meanwhile.
    server.restart().await.unwrap();
    let begin = Instant::now();
    store.connected().await;
    assert!(begin.elapsed() < seconds(1), "{:?}", begin.elapsed());
    let ada = limiter.check("ada").await;
    assert_eq!((ada.is_limited(), ada.source()), (true, Source::Redis));
    assert_eq!(passed(&limiter, "bob", 5).await, 1);
    // It was told once: what is forgiven since stays so.
    limiter.reset("ada");
    while limiter.check("ada").await.is_limited() {
        tokio::task::yield_now().await;
    }
    assert_eq!(limiter.check_cost("ada", 0).await.remaining(), 99);
}

#[tokio::test]
async fn what_one_limit_tells_after_a_restart_forgives_nothing_in_another() {
    let mut server = Server::start().await.unwrap();
    let store = patient(&server).await;
    let general = limiter(&store, [hundred()]);
    let auth = limiter(&store, [Rule::new("auth", requests(5).per(hours(1))).unwrap()]);
    assert_eq!((passed(&general, "ada", 1).await, passed(&auth, "ada", 5).await), (1, 5));
    down(&[&store], &mut server).await;
    server.restart().await.unwrap();
    store.connected().await;
    assert_eq!((passed(&general, "ada", 1).await, passed(&auth, "ada", 9).await), (1, 0));
    assert_eq!(general.check_cost("ada", 0).await.remaining(), 98);
}

#[tokio::test]
async fn a_later_charge_after_a_restart_forgives_nothing() {
    let mut server = Server::start().await.unwrap();
    let store = patient(&server).await;
    let limiter = limiter(&store, [hundred()]);
    assert_eq!(passed(&limiter, "ada", 90).await, 90);
    down(&[&store], &mut server).await;
    server.restart().await.unwrap();
    store.connected().await;
    limiter.charge("ada", 5);
    let fresh = self::limiter(&patient(&server).await, [hundred()]);
    let mut left = 100;
    while left == 100 {
        left = fresh.check_cost("ada", 0).await.remaining();
    }
    assert_eq!(left, 5);
}

#[tokio::test]
async fn a_server_that_loads_its_data_is_down_until_it_has() {
    let (full, server) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    let store = connected(RedisStore::new(&server.url()).unwrap()).await;
    let limiter = limiter(&store, [hundred()]);
    let fill = r#"EVAL "for i = 1, 1000 do redis.call('SET', i, i) end" 0"#;
    let _ = full.command(fill).await.unwrap();
    for (server, setting) in [
        (&full, "repl-diskless-sync-delay 0"),
        // A millisecond for each key, and time for others after each.
        (&server, "key-load-delay 1000"),
        (&server, "loading-process-events-interval-bytes 1024"),
    ] {
        let set = format!("CONFIG SET {setting}");
        assert_eq!(server.command(&set).await.unwrap(), "+OK");
    }
    let (host, port) = (full.address().ip(), full.address().port());
    assert_eq!(server.command(&format!("REPLICAOF {host} {port}")).await.unwrap(), "+OK");
    while !server.command("GET 1").await.unwrap().starts_with("-LOADING") {
        tokio::task::yield_now().await;
    }
    let begin = Instant::now();
    assert_eq!(passed(&limiter, "ada", 200).await, 100);
    assert!(!store.stats().is_up);
    assert!(begin.elapsed() < seconds(1), "{:?}", begin.elapsed());
    while server.command("REPLICAOF NO ONE").await.unwrap() != "+OK" {
        tokio::task::yield_now().await;
    }
    store.connected().await;
    let decision = limiter.check("ada").await;
    assert_eq!((decision.is_limited(), decision.source()), (true, Source::Redis));
}

#[tokio::test]
async fn the_keys_come_back_one_after_another() {
    let mut server = Server::start().await.unwrap();
    let store = patient(&server).await;
    let limiter = limiter(&store, [Rule::general()]);
    down(&[&store], &mut server).await;
    server.restart().await.unwrap();
    let begin = Instant::now();
    let mut shares = Vec::new();
    while !store.stats().is_up && begin.elapsed() < seconds(5) {
        let mut by_redis = 0;
        for key in 0..64_u8 {
            let decision = limiter.check_cost([key], 0).await;
            by_redis += u32::from(decision.source() == Source::Redis);
        }
        shares.push(by_redis);
        tokio::task::yield_now().await;
    }
    assert!(begin.elapsed() < seconds(1) + SLACK, "{:?}", begin.elapsed());
    assert!(shares.iter().any(|by_redis| (1..60).contains(by_redis)), "{shares:?}");
    assert!(shares.is_sorted(), "{shares:?}");
}

#[tokio::test]
async fn a_success_in_an_outage_is_not_charged_after_it() {
    let mut server = Server::start().await.unwrap();
    let store = patient(&server).await;
    let layer = layer(&store, Rule::auth());
    assert_eq!(admitted(&layer, "ada", 1).await, 1);
    down(&[&store], &mut server).await;
    assert_eq!(admitted(&layer, "ada", 20).await, 20);
    server.restart().await.unwrap();
    store.connected().await;
    let mut wrong = by("ada");
    wrong.headers_mut().insert("wrong", HeaderValue::from_static("1"));
    for _ in 0..5 {
        assert_eq!(send(&layer, wrong.clone()).await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(send(&layer, wrong).await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_charge_that_is_known_later_is_told_after_an_outage() {
    let mut server = Server::start().await.unwrap();
    let store = patient(&server).await;
    let charging = layer(&store, hundred()).charge_later();
    down(&[&store], &mut server).await;
    assert_eq!(admitted(&charging, "ada", 3).await, 3);
    server.restart().await.unwrap();
    store.connected().await;
    assert_eq!(admitted(&layer(&patient(&server).await, hundred()), "ada", 99).await, 70);
}

#[tokio::test]
async fn clients_that_leave_at_once_are_no_outage() {
    let server = Server::start().await.unwrap();
    let store = connected(RedisStore::new(&server.url()).unwrap()).await;
    let limiter = limiter(&store, [hundred()]);
    let begin = Instant::now();
    while begin.elapsed() < TIMEOUT * 4 {
        assert!(limiter.check_cost("ada", 0).now_or_never().is_none());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(store.stats().is_up);
}

#[tokio::test]
async fn a_deadline_outside_that_is_shorter_than_the_timeout_opens_the_breaker_too() {
    let server = Server::start().await.unwrap();
    let store = connected(RedisStore::new(&server.url()).unwrap()).await;
    let limiter = limiter(&store, [hundred()]);
    assert_eq!(passed(&limiter, "ada", 1).await, 1);
    server.freeze().unwrap();
    let begin = Instant::now();
    while store.stats().is_up && begin.elapsed() < seconds(5) {
        let _ = tokio::time::timeout(TIMEOUT / 3, limiter.check("ada")).await;
    }
    assert!(begin.elapsed() < seconds(1), "{:?}", begin.elapsed());
    let begin = Instant::now();
    assert_eq!(limiter.check("ada").await.source(), Source::Fallback);
    assert!(begin.elapsed() < SLACK);
}

#[tokio::test]
async fn the_fall_back_that_lets_nobody_or_everybody_pass_says_so() {
    let mut server = Server::start().await.unwrap();
    let store = patient(&server).await;
    down(&[&store], &mut server).await;
    let open = limiter(&store.clone().fallback(Fallback::Open), [hundred()]);
    let closed = limiter(&store.fallback(Fallback::Closed), [hundred()]);
    for _ in 0..200 {
        let (open, closed) = (open.check("ada").await, closed.check("ada").await);
        assert_eq!((open.is_limited(), open.source()), (false, Source::Fallback));
        assert_eq!((closed.is_limited(), closed.source()), (true, Source::Fallback));
        assert_eq!((closed.remaining(), closed.retry_after()), (0, Some(seconds(1))));
    }
}

#[test]
fn a_store_outlives_the_runtime_that_it_began_on() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let server = second.block_on(Server::start()).unwrap();
    let store = first.block_on(patient(&server));
    let limiter = limiter(&store, [hundred()]);
    assert_eq!(first.block_on(passed(&limiter, "ada", 10)), 10);
    drop(first);
    assert!(!store.stats().is_up);
    assert_eq!(second.block_on(limiter.check("ada")).source(), Source::Fallback);
    second.block_on(store.connected());
    let decision = second.block_on(limiter.check_cost("ada", 0));
    assert_eq!((decision.source(), decision.remaining()), (Source::Redis, 89));
}

#[tokio::test]
async fn a_server_that_is_as_far_away_as_the_timeout_allows_is_connected() {
    let server = Server::start().await.unwrap();
    let url = far_away(&server, Duration::from_millis(200)).await;
    let store = RedisStore::new(&url).unwrap().timeout(seconds(1)).unwrap();
    tokio::time::timeout(seconds(10), store.connected()).await.unwrap();
    assert_eq!(limiter(&store, [hundred()]).check("ada").await.source(), Source::Redis);
}

#[tokio::test]
async fn a_foreign_value_under_a_key_is_no_outage() {
    let server = Server::start().await.unwrap();
    let limiter = limiter(&patient(&server).await, [hundred()]);
    assert_eq!(passed(&limiter, "ada", 1).await, 1);
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> =
        redis::cmd("KEYS").arg("*hundred*").query_async(&mut connection).await.unwrap();
    let endless = format!("g {} 1 1", "9".repeat(400));
    let none = "g 0 5 0";
    let odd = ["g 1e9 0 0", "g 9 9", "w 9 9 9", "g 1 99999999999999999999999999999 1"];
    for value in ["", none, "g 7 5 0", &endless].into_iter().chain(odd) {
        let mut set = redis::cmd("SET");
        set.arg(&keys[0]).arg(value).query_async::<()>(&mut connection).await.unwrap();
        assert_eq!(passed(&limiter, "ada", 1).await, 1, "{value}");
    }
    redis::cmd("DEL").arg(&keys[0]).query_async::<()>(&mut connection).await.unwrap();
    let mut push = redis::cmd("LPUSH");
    push.arg(&keys[0]).arg("x").query_async::<()>(&mut connection).await.unwrap();
    assert_eq!(passed(&limiter, "ada", 1).await, 1);
    assert_eq!(limiter.store().stats().failures, 0);
}

#[tokio::test]
async fn a_layer_tells_who_has_decided() {
    use buttress_core::source::Metrics;

    let mut server = Server::start().await.unwrap();
    let store = patient(&server).await;
    let rule = Rule::new("five", requests(5).per(minutes(15))).unwrap();
    let layer: LimitLayer = layer(&store, rule);
    assert_eq!(admitted(&layer, "ada", 9).await, 5);
    down(&[&store], &mut server).await;
    assert_eq!(admitted(&layer, "bob", 3).await, 3);
    let stats = layer.handle().stats().redis.unwrap();
    // One of them has found that Redis is down.
    assert_eq!((stats.by_redis, stats.by_deny_cache, stats.by_fallback), (6, 3, 4));
    assert_eq!((stats.is_up, stats.by_lease, stats.lost), (false, 0, 0));
    let mut sources = Vec::new();
    layer.handle().collect(&mut |sample| {
        let text = format!("{sample:?}");
        if text.contains("limit_store_decisions_total") {
            sources.push(text);
        }
    });
    assert_eq!(sources.len(), 4, "{sources:?}");
}
