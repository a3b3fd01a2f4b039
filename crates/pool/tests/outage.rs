//! A server that is hurt while the service runs.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use buttress_core::source::{Check, CheckError};
use buttress_pool::{AcquireErrorKind, Limits, PgErrorKind, PgPool, Postgres};
use buttress_testkit::postgres::Server;
use tokio::time::sleep;

use self::common::*;

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

fn pool(server: &Server, limits: Limits) -> PgPool {
    let settings = Postgres::new(server.url()).unwrap().statement_timeout(ms(1000));
    settings.limits(limits).pool().unwrap()
}

/// When it began, how long it took, and whether it went well.
type Call = (Instant, Duration, bool);

async fn load(pool: PgPool, is_over: Arc<AtomicBool>) -> Vec<Call> {
    let mut calls = Vec::new();
    while !is_over.load(SeqCst) {
        let began = Instant::now();
        let is_ok = match pool.get().await {
            Ok(connection) => connection.query("SELECT 1", &[]).await.is_ok(),
            Err(_) => false,
        };
        calls.push((began, began.elapsed(), is_ok));
        sleep(ms(1)).await;
    }
    calls
}

#[tokio::test]
async fn after_a_restart_under_load_errors_end_within_a_second_and_nothing_hangs() {
    let mut server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().size(4).wait(ms(1000)));
    let is_over = Arc::new(AtomicBool::new(false));
    let loads: Vec<_> =
        (0..8).map(|_| tokio::spawn(load(pool.clone(), Arc::clone(&is_over)))).collect();
    sleep(ms(300)).await;
    server.kill().unwrap();
    sleep(ms(300)).await;
    server.restart().await.unwrap();
    let back = Instant::now();
    sleep(ms(1500)).await;
    is_over.store(true, SeqCst);
    let (mut failed, mut late) = (0, 0);
    for load in loads {
        for (began, took, is_ok) in load.await.unwrap() {
            assert!(took < ms(4500), "{took:?}");
            failed += u32::from(!is_ok);
            late += u32::from(is_ok && began > back);
            assert!(is_ok || began < back + ms(1000), "{:?} after", began - back);
        }
    }
    assert!(failed > 0 && late > 100, "{failed} {late}");
    let status = pool.status();
    assert_eq!((status.out, status.waiting), (0, 0), "{status:?}");
    assert!(status.idle <= 4, "{status:?}");
}

#[tokio::test]
async fn while_the_server_is_frozen_waiters_time_out_as_set() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().size(2).wait(ms(300)).create(ms(500)));
    let held = [pool.get().await.unwrap(), pool.get().await.unwrap()];
    server.freeze().unwrap();
    let stuck = held.map(|connection| {
        tokio::spawn(async move {
            let began = Instant::now();
            (connection.query("SELECT 1", &[]).await.unwrap_err().kind(), began.elapsed())
        })
    });
    let waiters: Vec<_> = (0..5)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let began = Instant::now();
                (pool.get().await.unwrap_err().kind(), began.elapsed())
            })
        })
        .collect();
    for waiter in waiters {
        let (kind, took) = waiter.await.unwrap();
        assert_eq!(kind, AcquireErrorKind::Wait);
        assert!((ms(300)..ms(800)).contains(&took), "{took:?}");
    }
    for stuck in stuck {
        // The server's second, half of one for the way, and two at most for a cancel in vain.
        let (kind, took) = stuck.await.unwrap();
        assert_eq!(kind, PgErrorKind::Timeout);
        assert!((ms(1500)..ms(4500)).contains(&took), "{took:?}");
    }
    // Those are thrown away, and a new one cannot be made.
    let began = Instant::now();
    assert_eq!(pool.get().await.unwrap_err().kind(), AcquireErrorKind::Connect);
    assert!((ms(500)..ms(1000)).contains(&began.elapsed()), "{:?}", began.elapsed());
    server.thaw().unwrap();
    pool.get().await.unwrap().query("SELECT 1", &[]).await.unwrap();
    assert_eq!(metric(&pool, "pool_timeouts_total", "wait"), 5.0);
    assert_eq!(pool.status().out, 0);
}

#[tokio::test]
async fn while_the_pool_is_exhausted_health_is_truthful_and_saturation_degraded() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().size(1).wait(ms(100)));
    let (check, saturation) = (pool.check(), pool.saturation());
    assert_eq!((check.name(), saturation.name()), ("postgres", "postgres-saturation"));
    saturation.check().await.unwrap();
    let held = pool.get().await.unwrap();
    saturation.check().await.unwrap();
    // One waits at this moment.
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.get().await.unwrap_err().kind() }
    });
    until("it waits", async || pool.status().waiting == 1).await;
    assert!(saturation.check().await.unwrap_err().is_degraded());
    assert_eq!(waiter.await.unwrap(), AcquireErrorKind::Wait);
    // One has waited in vain since the last look.
    let degraded = saturation.check().await.unwrap_err();
    assert!(degraded.is_degraded());
    assert!(degraded.data().any(|(name, value)| (name, value) == ("timeouts", &1_u64.into())));
    check.check().await.unwrap();
    drop(held);
    saturation.check().await.unwrap();
}

#[tokio::test]
async fn the_check_fails_while_the_server_is_gone_and_keeps_its_connection() {
    let mut server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().create(ms(1000)));
    let check = pool.check();
    let mine = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT 1' AND pid <> pg_backend_pid()";
    for _ in 0..3 {
        check.check().await.unwrap();
        assert_eq!(server.sql(mine).await.unwrap(), "1");
    }
    let failure = |error: CheckError| {
        assert!(!error.is_degraded());
        error.public()
    };
    server.freeze().unwrap();
    assert_eq!(failure(check.check().await.unwrap_err()), "no answer in time");
    server.thaw().unwrap();
    check.check().await.unwrap();
    server.kill().unwrap();
    assert_eq!(failure(check.check().await.unwrap_err()), "no connection");
    server.restart().await.unwrap();
    check.check().await.unwrap();
    assert_eq!(metric(&pool, "pool_created_total", "postgres"), 0.0, "it is none of the pool's");
}

#[tokio::test]
async fn a_server_that_is_gone_for_long_costs_no_connection_of_the_pool() {
    let mut server = Server::start().await.unwrap();
    let pool = pool(&server, Limits::new().size(2));
    drop((pool.get().await.unwrap(), pool.get().await.unwrap()));
    server.kill().unwrap();
    until("both are found lost", async || pool.status().idle == 0).await;
    for _ in 0..10 {
        assert_eq!(pool.get().await.unwrap_err().kind(), AcquireErrorKind::Connect);
    }
    server.restart().await.unwrap();
    let both = [pool.get().await.unwrap(), pool.get().await.unwrap()];
    for connection in &both {
        connection.query("SELECT 1", &[]).await.unwrap();
    }
}
