//! What a pool does by itself, and how it ends.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{collections::HashSet, time::Instant};

use buttress_core::{
    context::{self, RequestContext},
    source::{Kind, Metrics},
};
use buttress_pool::{AcquireErrorKind, Backoff, Limits, PgPool, Postgres};
use buttress_testkit::postgres::Server;
use http::HeaderValue;

use self::common::*;

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

fn pool(server: &Server, limits: Limits) -> PgPool {
    Postgres::new(server.url()).unwrap().limits(limits).pool().unwrap()
}

async fn backend(pool: &PgPool) -> i32 {
    let row = pool.get().await.unwrap().query_one("SELECT pg_backend_pid()", &[]).await.unwrap();
    row.get(0)
}

#[tokio::test]
async fn a_connection_ends_with_its_lifetime() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().size(1).lifetime(ms(400)));
    let first = backend(&pool).await;
    until("it is closed", async || pool.status().idle == 0).await;
    assert_ne!(backend(&pool).await, first);
    assert_eq!(metric(&pool, "pool_closed_total", "lifetime"), 1.0);
}

#[tokio::test]
async fn unused_connections_are_closed_but_for_the_least_number() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().size(4).min_idle(1).idle(ms(200)));
    let all = [pool.get(), pool.get(), pool.get(), pool.get()];
    let mut held = Vec::new();
    for one in all {
        held.push(one.await.unwrap());
    }
    drop(held);
    assert_eq!(pool.status().idle, 4);
    until("three are closed", async || pool.status().idle == 1).await;
    let created = metric(&pool, "pool_created_total", "postgres");
    assert_eq!((created, metric(&pool, "pool_closed_total", "idle")), (4.0, 3.0), "{pool:?}");
    backend(&pool).await;
    assert_eq!(metric(&pool, "pool_created_total", "postgres"), 4.0);
}

#[tokio::test]
async fn the_least_number_is_kept_open() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().min_idle(2).lifetime(ms(1500)));
    pool.connect_with_retry(Backoff::new()).await.unwrap();
    until("both are replaced", async || metric(&pool, "pool_created_total", "postgres") >= 4.0)
        .await;
    until("two are there", async || pool.status().idle == 2).await;
}

#[tokio::test]
async fn a_connection_that_is_out_for_long_is_warned_of_with_its_place_once() {
    let log = Log::new();
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().long_use(ms(100)));
    let request = RequestContext::new();
    request.set_request_id(HeaderValue::from_static("0189-request"));
    let take = request.scope(|| {
        context::in_request(async {
            let line = line!() + 1;
            (pool.get().await.unwrap(), line)
        })
    });
    let (held, line) = take.await;
    let began = Instant::now();
    until("it is warned of", async || !log.lines("out for long").is_empty()).await;
    assert!(began.elapsed() < ms(1000));
    let leases = pool.leases();
    assert_eq!((leases[0].place().line(), leases[0].request_id()), (line, Some("0189-request")));
    // Some more looks.
    tokio::time::sleep(ms(300)).await;
    let warnings = log.lines("out for long");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let place = format!("{}:{line}:", file!());
    for part in ["WARN", &place, "0189-request", "pool=\"postgres\""] {
        assert!(warnings[0].contains(part), "{part}: {}", warnings[0]);
    }
    drop(held);
    assert!(pool.leases().is_empty());
}

#[tokio::test]
async fn closing_waits_until_all_are_back() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().size(3));
    let (one, two) = (pool.get().await.unwrap(), pool.get().await.unwrap());
    drop(pool.get().await.unwrap());
    let back = tokio::spawn(async move {
        tokio::time::sleep(ms(200)).await;
        // Work that was begun is done.
        one.query("SELECT 1", &[]).await.unwrap();
        drop((one, two));
    });
    let began = Instant::now();
    pool.close_and_wait(ms(5000)).await.unwrap();
    assert!((ms(200)..ms(2000)).contains(&began.elapsed()));
    back.await.unwrap();
    assert_eq!(pool.get().await.unwrap_err().kind(), AcquireErrorKind::Closed);
    let mine = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    until("they are gone", async || server.sql(mine).await.unwrap() == "0").await;
    // What is closed is closed at once the next time.
    pool.close_and_wait(ms(0)).await.unwrap();
}

#[tokio::test]
async fn closing_names_what_is_still_out() {
    let log = Log::new();
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().size(3));
    let (held, line) = (pool.get().await.unwrap(), line!());
    let still = pool.close_and_wait(ms(100)).await.unwrap_err();
    assert_eq!(still.leases().len(), 1);
    let place = format!("{}:{line}:", file!());
    assert!(still.to_string().starts_with("postgres: still out: 1: "), "{still}");
    assert!(still.to_string().contains(&place), "{still}");
    assert!(log.lines("still out")[0].contains(&place));
    drop(held);
    pool.close_and_wait(ms(1000)).await.unwrap();
}

#[tokio::test]
async fn a_pool_that_nobody_has_closes() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().min_idle(2));
    pool.connect_with_retry(Backoff::new()).await.unwrap();
    let held = pool.get().await.unwrap();
    drop(pool);
    held.query("SELECT 1", &[]).await.unwrap();
    drop(held);
    let theirs = "SELECT count(*) FROM pg_stat_activity \
                  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    until("they are gone", async || server.sql(theirs).await.unwrap() == "0").await;
}

#[tokio::test]
async fn who_waits_when_the_pool_closes_is_sent_away() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().size(1));
    let held = pool.get().await.unwrap();
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.get().await.unwrap_err().kind() }
    });
    until("it waits", async || pool.status().waiting == 1).await;
    pool.close();
    assert_eq!(waiter.await.unwrap(), AcquireErrorKind::Closed);
    assert_eq!(pool.status().waiting, 0);
    drop(held);
}

#[tokio::test]
async fn a_waiter_that_leaves_is_not_counted_on() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().size(1));
    let held = pool.get().await.unwrap();
    assert!(tokio::time::timeout(ms(50), pool.get()).await.is_err());
    assert_eq!(pool.status().waiting, 0);
    drop(held);
    let status = pool.status();
    assert_eq!((status.idle, status.out), (1, 0));
    pool.get().await.unwrap();
}

#[tokio::test]
async fn the_numbers_are_shown_by_name_with_nothing_between() {
    let server = Server::start().await.unwrap();
    let pool = Postgres::new(server.url()).unwrap().name("shop").pool().unwrap();
    let held = pool.get().await.unwrap();
    held.query("SELECT 1", &[]).await.unwrap();
    drop(pool.get().await.unwrap());
    let (mut seen, mut last) = (HashSet::new(), String::new());
    pool.collect(&mut |sample| {
        assert!(sample.labels.contains(&("pool", "shop")), "{sample:?}");
        assert_eq!(sample.kind == Kind::Counter, sample.name.ends_with("_total"), "{sample:?}");
        if sample.name != last {
            assert!(seen.insert(sample.name.to_owned()), "{} is torn apart", sample.name);
            last = sample.name.to_owned();
        }
    });
    let expected = [
        ("pool_connections", "idle", 1.0),
        ("pool_connections", "out", 1.0),
        ("pool_connections_max", "shop", 10.0),
        ("pool_waiting", "shop", 0.0),
        ("pool_acquires_total", "shop", 2.0),
        ("pool_acquires_within_total", "60", 2.0),
        ("pool_usages_total", "shop", 1.0),
        ("pool_usages_within_total", "60", 1.0),
        ("pool_statements_total", "shop", 1.0),
        ("pool_created_total", "shop", 2.0),
        ("pool_slow_total", "shop", 0.0),
    ];
    for (name, label, value) in expected {
        assert_eq!(metric(&pool, name, label), value, "{name} {label}");
    }
    assert!(metric(&pool, "pool_acquire_seconds_total", "shop") > 0.0);
}

#[tokio::test]
async fn keeping_the_least_number_takes_no_connection_from_anybody() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().size(2).min_idle(2).wait(ms(2000)));
    pool.connect_with_retry(Backoff::new()).await.unwrap();
    let (held, other) = (pool.get().await.unwrap(), pool.get().await.unwrap());
    // One is out, and the other one is lost: one is to be made.
    assert!(
        other
            .within(ms(50))
            .batch_execute("SELECT pg_terminate_backend(pg_backend_pid())")
            .await
            .is_err()
    );
    drop(other);
    let created = || metric(&pool, "pool_created_total", "postgres");
    until("it is replaced", async || created() >= 3.0).await;
    let began = Instant::now();
    for _ in 0..20 {
        backend(&pool).await;
    }
    assert!(began.elapsed() < ms(1000), "{:?}", began.elapsed());
    drop(held);
    assert_eq!((pool.status().idle, created()), (2, 3.0));
}

#[tokio::test]
async fn closing_waits_for_a_connection_that_is_just_made() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().size(1));
    server.freeze().unwrap();
    let asked = tokio::spawn({
        let pool = pool.clone();
        async move { pool.get().await.unwrap_err().kind() }
    });
    until("it is made", async || pool.status().waiting == 1).await;
    assert!(pool.close_and_wait(ms(100)).await.unwrap_err().leases().is_empty());
    server.thaw().unwrap();
    pool.close_and_wait(ms(5000)).await.unwrap();
    assert_eq!(asked.await.unwrap(), AcquireErrorKind::Closed);
}

#[tokio::test]
async fn the_histograms_end_with_everything() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new());
    backend(&pool).await;
    for name in
        ["pool_acquires_within_total", "pool_usages_within_total", "pool_statements_within_total"]
    {
        assert_eq!(metric(&pool, name, "+Inf"), 1.0, "{name}");
    }
}

#[tokio::test]
async fn who_leaves_while_a_connection_is_made_frees_its_place() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().size(1));
    server.freeze().unwrap();
    assert!(tokio::time::timeout(ms(100), pool.get()).await.is_err());
    let status = pool.status();
    assert_eq!((status.idle, status.out, status.waiting), (0, 0, 0));
    assert_eq!(metric(&pool, "pool_create_failures_total", "postgres"), 1.0);
    server.thaw().unwrap();
    backend(&pool).await;
}
