//! Transactions that are tried again, and those that are not.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
};

use buttress_pool::{
    PgError, PgErrorKind, TxOptions, deadpool_postgres::tokio_postgres::error::SqlState,
    with_transaction,
};
use tokio::sync::Barrier;

use self::common::{table::*, *};

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

const CONFLICT: &str = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$";

#[tokio::test]
async fn two_serialization_failures_and_then_success_are_three_attempts_and_one_commit() {
    let (server, pool) = start(1).await;
    let attempts = AtomicU32::new(0);
    let value: Result<_, Own> = with_transaction(&pool, TxOptions::serializable(), |tx| {
        let attempt = attempts.fetch_add(1, SeqCst) + 1;
        Box::pin(async move {
            tx.execute(INSERT, &[&i32::try_from(attempt).unwrap()]).await?;
            if attempt < 3 {
                // Whatever error comes of it.
                tx.batch_execute(CONFLICT).await.map_err(|_| Own::SoldOut)?;
            }
            Ok(attempt)
        })
    })
    .await;
    assert_eq!(value, Ok(3));
    assert_eq!(attempts.into_inner(), 3);
    assert_eq!(ids(&server).await, "3");
    assert_eq!(metric(&pool, "pool_tx_retries_total", "postgres"), 2.0);
}

#[tokio::test]
async fn after_the_last_attempt_the_error_is_handed_on() {
    let (server, pool) = start(1).await;
    let attempts = AtomicU32::new(0);
    let options = TxOptions::new().attempts(NonZeroU32::new(2).unwrap());
    let failed: Result<(), Own> = with_transaction(&pool, options, |tx| {
        attempts.fetch_add(1, SeqCst);
        Box::pin(async move { Ok(tx.batch_execute(CONFLICT).await?) })
    })
    .await;
    let code = Some(SqlState::T_R_SERIALIZATION_FAILURE);
    assert_eq!(failed, Err(Own::Postgres(PgErrorKind::Refused, code)));
    assert_eq!(attempts.into_inner(), 2);
    assert_eq!(ids(&server).await, "");
}

#[tokio::test]
async fn a_serialization_failure_at_commit_is_tried_again() {
    let (server, pool) = start(1).await;
    // A sequence is not rolled back.
    server.sql("CREATE SEQUENCE tries").await.unwrap();
    let fails_twice =
        "IF nextval('tries') < 3 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF";
    server.sql(&at_commit(fails_twice)).await.unwrap();
    let attempts = AtomicU32::new(0);
    let done: Result<(), PgError> = with_transaction(&pool, TxOptions::new(), |tx| {
        attempts.fetch_add(1, SeqCst);
        Box::pin(async move { tx.execute(INSERT, &[&7]).await.map(drop) })
    })
    .await;
    done.unwrap();
    assert_eq!(attempts.into_inner(), 3);
    assert_eq!(ids(&server).await, "7");
}

#[tokio::test]
async fn a_unique_violation_is_one_attempt() {
    let (server, pool) = start(1).await;
    server.sql("INSERT INTO t VALUES (1)").await.unwrap();
    let attempts = AtomicU32::new(0);
    let failed: Result<(), Own> = with_transaction(&pool, TxOptions::new(), |tx| {
        attempts.fetch_add(1, SeqCst);
        Box::pin(async move { Ok(tx.execute(INSERT, &[&1]).await.map(drop)?) })
    })
    .await;
    let code = Some(SqlState::UNIQUE_VIOLATION);
    assert_eq!(failed, Err(Own::Postgres(PgErrorKind::Refused, code)));
    assert_eq!(attempts.into_inner(), 1);
    assert_eq!(metric(&pool, "pool_tx_retries_total", "postgres"), 0.0);
}

#[tokio::test]
async fn the_victim_of_a_deadlock_is_tried_again() {
    let (server, pool) = start(2).await;
    server.sql("INSERT INTO t VALUES (1), (2)").await.unwrap();
    let barrier = Barrier::new(2);
    let attempts = AtomicU32::new(0);
    let both = [(1, 2), (2, 1)].map(|(first, second)| {
        with_transaction(&pool, TxOptions::new(), {
            let (barrier, attempts) = (&barrier, &attempts);
            move |tx| {
                let attempt = attempts.fetch_add(1, SeqCst);
                Box::pin(async move {
                    let add = "UPDATE t SET n = n + 1 WHERE id = $1";
                    tx.execute(add, &[&first]).await?;
                    if attempt < 2 {
                        barrier.wait().await;
                    }
                    tx.execute(add, &[&second]).await.map(drop)
                })
            }
        })
    });
    let [one, two] = both;
    let (one, two): (Result<_, PgError>, Result<_, PgError>) = tokio::join!(one, two);
    one.unwrap();
    two.unwrap();
    assert_eq!(attempts.load(SeqCst), 3);
    assert_eq!(server.sql("SELECT sum(n) FROM t").await.unwrap(), "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_writers_at_serializable_make_the_right_sum() {
    let (server, pool) = start(8).await;
    server.sql("INSERT INTO t VALUES (1)").await.unwrap();
    let options = TxOptions::serializable().attempts(NonZeroU32::new(1000).unwrap());
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    with_transaction(&pool, options, |tx| {
                        Box::pin(async move {
                            let row = tx.query_one("SELECT n FROM t WHERE id = 1", &[]).await?;
                            let next = row.get::<_, i64>(0) + 1;
                            tx.execute("UPDATE t SET n = $1 WHERE id = 1", &[&next]).await
                        })
                    })
                    .await
                    .unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(server.sql("SELECT n FROM t").await.unwrap(), "80");
    let retries = metric(&pool, "pool_tx_retries_total", "postgres");
    assert!(retries > 0.0, "they were never in each other's way");
}
