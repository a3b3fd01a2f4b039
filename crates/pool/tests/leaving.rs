//! Whoever leaves: at any point of waiting, with the runtime, on another thread.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll, Waker},
    thread,
};

use buttress_pool::{
    AcquireErrorKind, Backoff, Limits, PgError, PgErrorKind, Postgres, TxOptions, with_transaction,
};
use buttress_testkit::postgres::Server;
use tokio::runtime::Runtime;

use self::common::{table::*, *};

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

/// Its end, if it comes with so many polls; else it is dropped then.
async fn polled<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// No future needs more.
const MOST: usize = 200;

#[tokio::test]
async fn whoever_leaves_while_a_connection_is_got_leaves_nothing_behind() {
    let server = Server::start().await.unwrap();
    for polls in 0..MOST {
        let pool = Postgres::new(server.url()).unwrap().limits(Limits::new().size(1));
        let pool = pool.pool().unwrap();
        let got = polled(pool.get(), polls).await.map(Result::unwrap);
        assert_eq!(pool.status().out, usize::from(got.is_some()));
        assert_eq!(pool.status().waiting, 0);
        let is_over = got.is_some();
        drop(got);
        // Were its place lost, the only one, this would wait in vain.
        pool.get().await.unwrap().query("SELECT 1", &[]).await.unwrap();
        pool.close_and_wait(ms(1000)).await.unwrap();
        if is_over {
            assert!(polls > 2, "it was over at once");
            return;
        }
    }
    panic!("it is never over");
}

#[tokio::test]
async fn whoever_leaves_while_the_pool_is_connected_leaves_nothing_behind() {
    let server = Server::start().await.unwrap();
    for polls in 0..MOST {
        let limits = Limits::new().size(2).min_idle(2);
        let pool = Postgres::new(server.url()).unwrap().limits(limits).pool().unwrap();
        let is_over = polled(pool.connect_with_retry(Backoff::new()), polls).await.is_some();
        assert_eq!((pool.status().out, pool.status().waiting), (0, 0));
        pool.connect_with_retry(Backoff::new()).await.unwrap();
        assert_eq!(pool.status().idle, 2);
        pool.close_and_wait(ms(1000)).await.unwrap();
        if is_over {
            assert!(polls > 4, "it was over at once");
            return;
        }
    }
    panic!("it is never over");
}

/// Both rows or none, no lock and no open transaction, wherever it is dropped.
#[tokio::test]
async fn a_transaction_that_is_dropped_at_any_point_is_whole_or_nothing() {
    let (server, pool) = start(1).await;
    for polls in 0..MOST {
        let [one, other] = [2, 3].map(|n| i32::try_from(polls).unwrap() * 4 + n);
        let transaction = with_transaction(&pool, TxOptions::new(), |tx| {
            Box::pin(async move {
                tx.execute(INSERT, &[&one]).await?;
                tx.execute(INSERT, &[&other]).await.map(drop)
            })
        });
        let ended: Option<Result<(), PgError>> = polled(transaction, polls).await;
        assert_eq!((pool.status().out, pool.status().waiting), (0, 0));
        let count = format!("SELECT count(*) FROM t WHERE id IN ({one}, {other})");
        let rows = server.sql(&count).await.unwrap();
        assert!(rows == "0" || rows == "2", "{rows} after {polls}");
        // A lock that is held would be waited for, and what goes into an open transaction is not
        // seen by others.
        let again = "INSERT INTO t VALUES ($1), ($2) ON CONFLICT DO NOTHING";
        let connection = pool.get().await.unwrap();
        connection.within(ms(5000)).execute(again, &[&one, &other]).await.unwrap();
        drop(connection);
        assert_eq!(server.sql(&count).await.unwrap(), "2", "after {polls}");
        if let Some(ended) = ended {
            ended.unwrap();
            // BEGIN, two statements and COMMIT.
            assert!(polls > 4, "it was over at once");
            return;
        }
    }
    panic!("it is never over");
}

#[tokio::test]
async fn whoever_leaves_while_the_pool_is_closed_has_closed_it() {
    let server = Server::start().await.unwrap();
    for is_back in [false, true] {
        let pool = Postgres::new(server.url()).unwrap().pool().unwrap();
        let held = pool.get().await.unwrap();
        let mut held = Some(held);
        {
            let mut closing = pin!(pool.close_and_wait(ms(60_000)));
            let mut noop = Context::from_waker(Waker::noop());
            assert!(closing.as_mut().poll(&mut noop).is_pending());
            if is_back {
                drop(held.take());
                let _ = closing.poll(&mut noop);
            }
        }
        assert_eq!(pool.get().await.unwrap_err().kind(), AcquireErrorKind::Closed);
        drop(held);
        pool.close_and_wait(ms(1000)).await.unwrap();
    }
}

#[test]
fn a_pool_outlives_the_runtime_that_it_was_made_in() {
    let first = Runtime::new().unwrap();
    let (server, pool, held) = first.block_on(async {
        let server = Server::start().await.unwrap();
        let pool = Postgres::new(server.url()).unwrap().limits(Limits::new().size(2));
        let pool = pool.pool().unwrap();
        let both = (pool.get().await.unwrap(), pool.get().await.unwrap());
        (server, pool, both.0)
    });
    drop(first);
    let second = Runtime::new().unwrap();
    second.block_on(async {
        // What moved its bytes ended with the runtime.
        let lost = held.query("SELECT 1", &[]).await.unwrap_err();
        assert_eq!(lost.kind(), PgErrorKind::Lost);
        drop(held);
        let both = (pool.get().await.unwrap(), pool.get().await.unwrap());
        both.0.query("SELECT 1", &[]).await.unwrap();
        both.1.query("SELECT 1", &[]).await.unwrap();
        drop(both);
        pool.close_and_wait(ms(1000)).await.unwrap();
    });
    drop((second, pool, server));
}

#[tokio::test]
async fn a_connection_that_is_dropped_where_no_runtime_is_is_given_back_and_rolled_back() {
    let (server, pool) = start(1).await;
    let before = backend(&pool).await;
    let connection = pool.get().await.unwrap();
    connection.batch_execute("BEGIN").await.unwrap();
    connection.execute(INSERT, &[&1]).await.unwrap();
    thread::spawn(move || drop(connection)).join().unwrap();
    is_clean(&pool, before).await;
    assert_eq!(ids(&server).await, "");
}
