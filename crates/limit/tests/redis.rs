//! Limits over a Redis that is hurt. Each test has a server of its own.

#![cfg(all(not(loom), feature = "redis"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::time::{Duration, Instant};

use buttress_limit::{
    ConfigErrorKind as Kind, Fallback, LimitLayer, RedisStore, Rule, minutes, requests, seconds,
};
use buttress_testkit::redis::Server;
use http::{Request, StatusCode};

use self::redis_nodes::*;

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod redis_nodes;

fn hundred() -> Rule {
    Rule::new("hundred", requests(100).per(minutes(15))).unwrap()
}

async fn store(server: &Server) -> RedisStore {
    connected(RedisStore::new(&server.url()).unwrap()).await
}

fn remaining(layer: &LimitLayer, who: &str) -> u64 {
    layer.handle().peek(&by(who))[0].remaining()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_one_limit_exactly() {
    let server = Server::start().await.unwrap();
    let nodes = [store(&server).await, store(&server).await].map(|store| layer(&store, hundred()));
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let node = nodes[task % 2].clone();
            tokio::spawn(async move { admitted(&node, "ada", 50).await })
        })
        .collect();
    let mut all = 0;
    for task in tasks {
        all += task.await.unwrap();
    }
    assert_eq!(all, 100);
    assert_eq!(admitted(&nodes[0], "grace", 10).await, 10);
}

#[tokio::test]
async fn a_refusal_says_the_same_as_that_of_the_memory_store() {
    let server = Server::start().await.unwrap();
    let layer = layer(&store(&server).await, hundred());
    assert_eq!(admitted(&layer, "ada", 100).await, 100);
    let no = send(&layer, by("ada")).await;
    assert_eq!(no.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(no.headers()["retry-after"], "9");
    assert_eq!(no.headers()["ratelimit"], r#""hundred";r=0;t=9"#);
    assert_eq!(no.headers()["ratelimit-policy"], r#""hundred";q=100;w=900"#);
}

#[tokio::test]
async fn a_lost_connection_makes_nobody_wait_and_what_was_counted_still_is() {
    let mut server = Server::start().await.unwrap();
    let store = store(&server).await;
    let layer = layer(&store, hundred());
    assert_eq!(admitted(&layer, "ada", 60).await, 60);
    server.kill().unwrap();
    let begin = Instant::now();
    assert_eq!(admitted(&layer, "ada", 100).await, 40);
    assert!(begin.elapsed() < TIMEOUT + SLACK, "{:?}", begin.elapsed());
    let stats = store.stats();
    assert_eq!((stats.is_up, stats.by_redis, stats.by_fallback), (false, 60, 100));

    server.restart().await.unwrap();
    let begin = Instant::now();
    store.connected().await;
    assert!(begin.elapsed() < seconds(1), "{:?}", begin.elapsed());
    // The server has forgotten, and was told.
    assert_eq!(admitted(&layer, "ada", 1).await, 0);
    assert_eq!(store.stats().by_redis, 61);
}

#[tokio::test]
async fn nobody_waits_past_the_timeout_for_a_frozen_server_and_then_nobody_at_all() {
    let server = Server::start().await.unwrap();
    let store = store(&server).await;
    let layer = layer(&store, hundred());
    assert_eq!(admitted(&layer, "ada", 10).await, 10);
    server.freeze().unwrap();
    for _ in 0..5 {
        let begin = Instant::now();
        assert_eq!(admitted(&layer, "ada", 1).await, 1);
        assert!(begin.elapsed() < TIMEOUT + SLACK, "{:?}", begin.elapsed());
    }
    assert!(!store.stats().is_up);
    let begin = Instant::now();
    assert_eq!(admitted(&layer, "ada", 200).await, 85);
    assert!(begin.elapsed() < TIMEOUT + SLACK, "{:?}", begin.elapsed());

    server.thaw().unwrap();
    let begin = Instant::now();
    store.connected().await;
    assert!(begin.elapsed() < seconds(1) + SLACK, "{:?}", begin.elapsed());
    // What was counted before is not forgiven.
    assert!(admitted(&layer, "ada", 100).await <= 90);
}

#[tokio::test]
async fn a_script_that_was_flushed_is_sent_once_more() {
    let server = Server::start().await.unwrap();
    let store = store(&server).await;
    let layer = layer(&store, hundred());
    for _ in 0..3 {
        assert_eq!(server.command("SCRIPT FLUSH").await.unwrap(), "+OK");
        assert_eq!(admitted(&layer, "ada", 2).await, 2);
    }
    let stats = store.stats();
    assert_eq!((stats.by_redis, stats.by_fallback, stats.failures), (6, 0, 0));
}

#[tokio::test]
async fn a_server_that_does_not_write_is_down_until_it_does() {
    for (hurt, heal) in [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE"),
    ] {
        let server = Server::start().await.unwrap();
        let store = store(&server).await;
        let layer = layer(&store, hundred());
        assert_eq!(server.command(hurt).await.unwrap(), "+OK");
        assert_eq!(admitted(&layer, "ada", 100).await, 100, "{hurt}");
        store.disconnected().await;
        assert_eq!(server.command(heal).await.unwrap(), "+OK");
        store.connected().await;
        // It was told what the outage has charged.
        assert_eq!(admitted(&layer, "ada", 1).await, 0, "{hurt}");
        assert_eq!(store.stats().by_redis, 1, "{hurt}");
    }
}

#[tokio::test]
async fn an_outage_is_decided_as_it_was_told() {
    let mut server = Server::start().await.unwrap();
    let table = [
        (Fallback::Local { share: 3 }, 33, StatusCode::TOO_MANY_REQUESTS),
        (Fallback::Open, 200, StatusCode::OK),
        (Fallback::Closed, 0, StatusCode::SERVICE_UNAVAILABLE),
    ];
    server.kill().unwrap();
    for (fallback, passed, then) in table {
        let store = RedisStore::new(&server.url()).unwrap().fallback(fallback);
        let layer = layer(&store, hundred());
        assert_eq!(admitted(&layer, "ada", 200).await, passed, "{fallback:?}");
        assert_eq!(send(&layer, by("ada")).await.status(), then);
        assert_eq!(store.stats().by_fallback, 201);
    }
}

#[tokio::test]
async fn a_success_gives_its_charge_back_to_all_nodes() {
    let server = Server::start().await.unwrap();
    let (one, two) = (store(&server).await, store(&server).await);
    let [one, two] = [one, two].map(|store| layer(&store, Rule::auth()));
    assert_eq!(admitted(&one, "ada", 4).await, 4);
    for node in [&two, &one, &two, &one, &two] {
        let mut wrong = by("ada");
        wrong.headers_mut().insert("wrong", http::HeaderValue::from_static("1"));
        // Until what was given back is counted as such.
        let mut status = send(node, wrong.clone()).await.status();
        while status == StatusCode::TOO_MANY_REQUESTS {
            tokio::task::yield_now().await;
            status = send(node, wrong.clone()).await.status();
        }
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(send(&one, by("ada")).await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_later_charge_is_counted_for_all_nodes() {
    let server = Server::start().await.unwrap();
    let (one, two) = (store(&server).await, store(&server).await);
    let (one, two) = (layer(&one, hundred()).charge_later(), layer(&two, hundred()));
    assert_eq!(admitted(&one, "ada", 1).await, 1);
    assert_eq!(remaining(&one, "ada"), 90);
    assert_eq!(admitted(&one, "ada", 9).await, 9);
    // It is sent in the background: a few more may come meanwhile.
    assert!(admitted(&two, "ada", 100).await < 50);
}

#[tokio::test]
async fn a_reset_forgets_in_redis_too() {
    let server = Server::start().await.unwrap();
    let layer = layer(&store(&server).await, Rule::auth());
    let wrong = || Request::builder().header("who", "ada").header("wrong", "1").body(()).unwrap();
    for _ in 0..5 {
        assert_eq!(send(&layer, wrong()).await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(send(&layer, wrong()).await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(layer.handle().reset(&wrong()));
    while send(&layer, wrong()).await.status() == StatusCode::TOO_MANY_REQUESTS {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn it_needs_no_more_rights_than_it_says() {
    let server = Server::start().await.unwrap();
    let rights = "+eval +evalsha +script|load +get +set +del +time";
    let user = format!("ACL SETUSER limits on >hunter2 ~limit:* {rights}");
    assert_eq!(server.command(&user).await.unwrap(), "+OK");
    let url = format!("redis://limits:hunter2@{}", server.address());
    let store = connected(RedisStore::new(&url).unwrap().timeout(seconds(5)).unwrap()).await;
    let layer = layer(&store, hundred());
    assert_eq!(admitted(&layer, "ada", 101).await, 100);
    assert_eq!(server.command("SCRIPT FLUSH").await.unwrap(), "+OK");
    assert!(layer.handle().reset(&by("ada")));
    while admitted(&layer, "ada", 1).await == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((store.stats().failures, store.stats().by_fallback), (0, 0));
}

#[test]
fn what_cannot_be_right_is_refused() {
    assert_eq!(RedisStore::new("http://localhost").unwrap_err().kind(), Kind::Redis);
    let store = RedisStore::new("redis://user:hunter2@localhost").unwrap();
    assert!(!format!("{store:?}").contains("hunter2"));
    assert_eq!(store.clone().timeout(Duration::ZERO).unwrap_err().kind(), Kind::Delay);
    for url in ["redis://u:hunter2@localhost:99999", "redis://u:hunter2@localhost/none"] {
        let error = RedisStore::new(url).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let error = RedisStore::new("rediss://u:hunter2@localhost").unwrap_err();
    assert!(error.to_string().contains("tunnel") && !error.to_string().contains("hunter2"));
    assert_eq!(store.clone().lease(0).unwrap_err().kind(), Kind::Requests);
    assert_eq!(store.prefix("two words").unwrap_err().kind(), Kind::Name);
}
