//! A Redis that is hurt while the service runs.

#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Instant,
};

use buttress_core::source::Check;
use buttress_pool::{
    AcquireErrorKind, Backoff, ConnectErrorKind, Limits, Redis, RedisPool,
    deadpool_redis::redis::AsyncCommands,
};
use buttress_testkit::redis::Server;
use tokio::time::sleep;

use self::common::*;

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

fn pool(url: String, limits: Limits) -> RedisPool {
    Redis::new(url).unwrap().limits(limits).command_timeout(ms(300)).pool().unwrap()
}

#[tokio::test]
async fn after_a_restart_under_load_errors_end_within_a_second_and_nothing_hangs() {
    let mut server = Server::start().await.unwrap();
    let pool = pool(server.url(), Limits::new().size(4).wait(ms(1000)).create(ms(1000)));
    let is_over = Arc::new(AtomicBool::new(false));
    let load = async |pool: RedisPool, is_over: Arc<AtomicBool>| {
        let mut calls = Vec::new();
        while !is_over.load(SeqCst) {
            let began = Instant::now();
            let is_ok = match pool.get().await {
                Ok(mut connection) => connection.incr::<_, _, ()>("n", 1).await.is_ok(),
                Err(_) => false,
            };
            calls.push((began, began.elapsed(), is_ok));
            sleep(ms(1)).await;
        }
        calls
    };
    let hurt = async {
        sleep(ms(200)).await;
        server.kill().unwrap();
        sleep(ms(200)).await;
        server.restart().await.unwrap();
        let back = Instant::now();
        sleep(ms(1500)).await;
        is_over.store(true, SeqCst);
        back
    };
    let run = || load(pool.clone(), Arc::clone(&is_over));
    let loads = async { tokio::join!(run(), run(), run(), run(), run(), run(), run(), run()) };
    let (back, (a, b, c, d, e, f, g, h)) = tokio::join!(hurt, loads);
    let (mut failed, mut late) = (0, 0);
    for (began, took, is_ok) in [a, b, c, d, e, f, g, h].into_iter().flatten() {
        assert!(took < ms(2000), "{took:?}");
        failed += u32::from(!is_ok);
        late += u32::from(is_ok && began > back);
        assert!(is_ok || began < back + ms(1000), "{:?} after", began - back);
    }
    assert!(failed > 0 && late > 100, "{failed} {late}");
    assert_eq!((pool.status().out, pool.status().waiting), (0, 0));
}

#[tokio::test]
async fn while_the_pool_is_exhausted_health_is_truthful_and_saturation_degraded() {
    let mut server = Server::start().await.unwrap();
    let pool = pool(server.url(), Limits::new().size(1).wait(ms(50)).create(ms(300)));
    let (check, saturation) = (pool.check(), pool.saturation());
    let held = pool.get().await.unwrap();
    assert_eq!(pool.get().await.unwrap_err().kind(), AcquireErrorKind::Wait);
    assert!(saturation.check().await.unwrap_err().is_degraded());
    check.check().await.unwrap();
    drop(held);
    saturation.check().await.unwrap();
    server.freeze().unwrap();
    assert!(!check.check().await.unwrap_err().is_degraded());
    server.thaw().unwrap();
    check.check().await.unwrap();
    server.kill().unwrap();
    assert_eq!(check.check().await.unwrap_err().public(), "no connection");
    server.restart().await.unwrap();
    check.check().await.unwrap();
}

#[tokio::test]
async fn many_that_do_not_answer_are_no_exhausted_pool() {
    let server = Server::start().await.unwrap();
    let limits = Limits::new().size(8).wait(ms(100)).create(ms(200)).recycle(ms(200));
    let pool = pool(server.url(), limits);
    let mut all = Vec::new();
    for _ in 0..8 {
        all.push(pool.get().await.unwrap());
    }
    drop(all);
    let saturation = pool.saturation();
    server.freeze().unwrap();
    let began = Instant::now();
    let error = pool.get().await.unwrap_err();
    assert!(began.elapsed() < ms(1000), "{:?}", began.elapsed());
    assert_eq!(error.connect_error().unwrap().kind(), ConnectErrorKind::Timeout);
    saturation.check().await.unwrap();
    let once = Backoff::new().give_up_after(ms(0));
    assert_eq!(pool.connect_with_retry(once).await.unwrap_err().kind(), ConnectErrorKind::Timeout);
}
