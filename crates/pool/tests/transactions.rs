//! Transactions that end, one way or the other.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{
    future::pending,
    pin::pin,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    task::{Context, Waker},
};

use buttress_pool::{
    PgError, PgErrorKind, TxFuture, TxOptions, deadpool_postgres::tokio_postgres::error::SqlState,
    with_transaction,
};
use tokio::{sync::Notify, time::timeout};

use self::common::{table::*, *};

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

#[tokio::test]
async fn it_commits_and_answers_the_value() {
    let (server, pool) = start(1).await;
    let value: Result<_, PgError> = with_transaction(&pool, TxOptions::new(), |tx| {
        Box::pin(async move {
            tx.execute(INSERT, &[&1]).await?;
            Ok("done")
        })
    })
    .await;
    assert_eq!(value.unwrap(), "done");
    assert_eq!(ids(&server).await, "1");
}

#[tokio::test]
async fn an_error_rolls_back() {
    let (server, pool) = start(1).await;
    let before = backend(&pool).await;
    let failed: Result<(), Own> = with_transaction(&pool, TxOptions::new(), |tx| {
        Box::pin(async move {
            tx.execute(INSERT, &[&1]).await?;
            Err(Own::SoldOut)
        })
    })
    .await;
    assert_eq!(failed, Err(Own::SoldOut));
    is_clean(&pool, before).await;
    assert_eq!(ids(&server).await, "");
}

#[tokio::test]
async fn a_panic_rolls_back() {
    let (server, pool) = start(1).await;
    let before = backend(&pool).await;
    let task = tokio::spawn({
        let pool = pool.clone();
        async move {
            with_transaction(&pool, TxOptions::new(), |tx| {
                Box::pin(async move {
                    tx.execute(INSERT, &[&1]).await?;
                    assert!(tx.query("SELECT 1", &[]).await?.is_empty(), "as is meant");
                    Ok::<_, PgError>(())
                })
            })
            .await
        }
    });
    assert!(task.await.unwrap_err().is_panic());
    is_clean(&pool, before).await;
    assert_eq!(ids(&server).await, "");
}

#[tokio::test]
async fn a_panic_of_the_closure_itself_rolls_back() {
    let (_server, pool) = start(1).await;
    let before = backend(&pool).await;
    let task = tokio::spawn({
        let pool = pool.clone();
        async move {
            with_transaction(&pool, TxOptions::new(), |_| -> TxFuture<'_, (), PgError> {
                panic!("as is meant")
            })
            .await
        }
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(pool.status().out, 0);
    is_clean(&pool, before).await;
}

#[tokio::test]
async fn a_drop_between_statements_rolls_back() {
    let (server, pool) = start(1).await;
    let before = backend(&pool).await;
    let transaction = with_transaction(&pool, TxOptions::new(), |tx| {
        Box::pin(async move {
            tx.execute(INSERT, &[&1]).await?;
            pending::<Result<(), PgError>>().await
        })
    });
    assert!(timeout(ms(200), transaction).await.is_err());
    is_clean(&pool, before).await;
    assert_eq!(ids(&server).await, "");
}

#[tokio::test]
async fn a_drop_within_a_statement_rolls_back_and_frees_its_locks() {
    let (server, pool) = start(1).await;
    let transaction = with_transaction(&pool, TxOptions::new(), |tx| {
        Box::pin(async move {
            tx.execute(INSERT, &[&1]).await?;
            tx.execute("SELECT pg_sleep(30)", &[]).await
        })
    });
    assert!(timeout(ms(200), transaction).await.is_err());
    // It would wait for the lock, were it held.
    let connection = pool.get().await.unwrap();
    connection.within(ms(5000)).execute(INSERT, &[&1]).await.unwrap();
    assert_eq!(ids(&server).await, "1");
}

#[tokio::test]
async fn a_backend_that_is_terminated_in_the_middle_commits_nothing() {
    let (server, pool) = start(1).await;
    let attempts = AtomicU32::new(0);
    let failed: Result<(), Own> = with_transaction(&pool, TxOptions::new(), |tx| {
        attempts.fetch_add(1, SeqCst);
        Box::pin(async move {
            tx.execute(INSERT, &[&1]).await?;
            tx.execute("SELECT pg_terminate_backend(pg_backend_pid())", &[]).await?;
            Ok(())
        })
    })
    .await;
    let Err(Own::Postgres(kind, _)) = failed else { panic!("{failed:?}") };
    assert_eq!((kind, attempts.into_inner()), (PgErrorKind::Lost, 1));
    assert_eq!(ids(&server).await, "");
    pool.get().await.unwrap().query("SELECT 1", &[]).await.unwrap();
}

#[tokio::test]
async fn a_backend_that_is_terminated_between_two_statements_commits_nothing() {
    let (server, pool) = start(1).await;
    let (inserted, terminated) = (Notify::new(), Notify::new());
    let attempts = AtomicU32::new(0);
    let transaction = with_transaction(&pool, TxOptions::new(), |tx| {
        attempts.fetch_add(1, SeqCst);
        let (inserted, terminated) = (&inserted, &terminated);
        Box::pin(async move {
            tx.execute(INSERT, &[&1]).await?;
            inserted.notify_one();
            terminated.notified().await;
            Ok::<_, Own>(tx.execute(INSERT, &[&2]).await.map(drop)?)
        })
    });
    let (failed, ()) = tokio::join!(transaction, async {
        inserted.notified().await;
        let in_transaction = "SELECT count(pid) FROM pg_stat_activity \
                              WHERE state = 'idle in transaction'";
        assert_eq!(server.sql(in_transaction).await.unwrap(), "1");
        let terminate = in_transaction.replace("count(pid)", "pg_terminate_backend(pid)");
        server.sql(&terminate).await.unwrap();
        terminated.notify_one();
    });
    let Err(Own::Postgres(kind, _)) = failed else { panic!("{failed:?}") };
    assert_eq!((kind, attempts.into_inner()), (PgErrorKind::Lost, 1));
    assert_eq!(ids(&server).await, "");
    pool.get().await.unwrap().query("SELECT 1", &[]).await.unwrap();
}

#[tokio::test]
async fn an_error_that_is_swallowed_commits_nothing_and_says_so() {
    let (server, pool) = start(1).await;
    let before = backend(&pool).await;
    let failed: Result<(), Own> = with_transaction(&pool, TxOptions::new(), |tx| {
        Box::pin(async move {
            tx.execute(INSERT, &[&1]).await?;
            let _ = tx.execute(INSERT, &[&1]).await;
            Ok(())
        })
    })
    .await;
    assert_eq!(failed, Err(Own::Postgres(PgErrorKind::Aborted, None)));
    is_clean(&pool, before).await;
    assert_eq!(ids(&server).await, "");
}

/// The server takes it in an aborted transaction, too.
#[tokio::test]
async fn a_statement_of_nothing_does_not_hide_a_failure() {
    let (server, pool) = start(1).await;
    for nothing in ["", " ;; ", "-- nothing"] {
        let failed: Result<(), Own> = with_transaction(&pool, TxOptions::new(), |tx| {
            Box::pin(async move {
                tx.execute(INSERT, &[&1]).await?;
                tx.execute(INSERT, &[&1]).await.unwrap_err();
                Ok(tx.batch_execute(nothing).await?)
            })
        })
        .await;
        assert_eq!(failed, Err(Own::Postgres(PgErrorKind::Aborted, None)), "{nothing}");
        assert_eq!(ids(&server).await, "");
    }
}

#[tokio::test]
async fn who_goes_back_to_a_savepoint_commits_the_rest() {
    let (server, pool) = start(1).await;
    let done: Result<(), PgError> = with_transaction(&pool, TxOptions::new(), |tx| {
        Box::pin(async move {
            tx.execute(INSERT, &[&1]).await?;
            tx.batch_execute("SAVEPOINT one").await?;
            assert!(tx.execute(INSERT, &[&1]).await.is_err());
            tx.batch_execute("ROLLBACK TO one").await?;
            tx.execute(INSERT, &[&2]).await.map(drop)
        })
    })
    .await;
    done.unwrap();
    assert_eq!(ids(&server).await, "1,2");
}

#[tokio::test]
async fn a_transaction_begins_on_a_connection_that_lives() {
    let (mut server, pool) = start(1).await;
    backend(&pool).await;
    server.restart().await.unwrap();
    let done: Result<(), PgError> = with_transaction(&pool, TxOptions::new(), |tx| {
        Box::pin(async move { tx.execute(INSERT, &[&1]).await.map(drop) })
    })
    .await;
    done.unwrap();
    assert_eq!(ids(&server).await, "1");
}

/// What is changed for the session is committed, and costs the connection afterwards.
#[tokio::test]
async fn a_transaction_that_changes_its_connection_commits() {
    let (server, pool) = start(1).await;
    for (id, change) in (1..).zip(["SET work_mem = '1MB'", "LISTEN news", "PREPARE a AS SELECT 1"])
    {
        let before = backend(&pool).await;
        let done: Result<(), Own> = with_transaction(&pool, TxOptions::new(), |tx| {
            Box::pin(async move {
                tx.batch_execute(change).await?;
                Ok(tx.execute(INSERT, &[&id]).await.map(drop)?)
            })
        })
        .await;
        assert_eq!(done, Ok(()), "{change}");
        assert_ne!(backend(&pool).await, before, "{change}");
    }
    assert_eq!(ids(&server).await, "1,2,3");
}

/// Its answer may be an error that nobody has read, and the cancel may hit the `COMMIT`.
#[tokio::test]
async fn a_transaction_of_which_a_statement_was_left_commits_nothing() {
    let (server, pool) = start(1).await;
    for change in ["SELECT 1", "SET work_mem = '1MB'"] {
        let failed: Result<(), Own> = with_transaction(&pool, TxOptions::new(), |tx| {
            Box::pin(async move {
                tx.batch_execute(change).await?;
                tx.execute(INSERT, &[&1]).await?;
                assert!(timeout(ms(50), tx.query("SELECT pg_sleep(30)", &[])).await.is_err());
                Ok(())
            })
        })
        .await;
        assert_eq!(failed, Err(Own::Postgres(PgErrorKind::Aborted, None)), "{change}");
        assert_eq!(ids(&server).await, "");
    }
}

#[tokio::test]
async fn the_place_of_a_transaction_is_that_of_its_call() {
    let (_server, pool) = start(1).await;
    let line = line!() + 1;
    let done: Result<(), PgError> = with_transaction(&pool, TxOptions::new(), |_| {
        let place = pool.leases().first().unwrap().place();
        Box::pin(async move {
            assert_eq!((place.file(), place.line()), (file!(), line));
            Ok(())
        })
    })
    .await;
    done.unwrap();
}

#[tokio::test]
async fn read_only_is_read_only() {
    let (_server, pool) = start(1).await;
    let failed: Result<(), Own> = with_transaction(&pool, TxOptions::new().read_only(), |tx| {
        Box::pin(async move { Ok(tx.execute(INSERT, &[&1]).await.map(drop)?) })
    })
    .await;
    let code = Some(SqlState::READ_ONLY_SQL_TRANSACTION);
    assert_eq!(failed, Err(Own::Postgres(PgErrorKind::Refused, code)));
}

#[tokio::test]
async fn what_was_sent_before_a_failure_does_not_hide_it() {
    let (server, pool) = start(1).await;
    let failed: Result<(), Own> = with_transaction(&pool, TxOptions::new(), |tx| {
        Box::pin(async move {
            tx.execute(INSERT, &[&1]).await?;
            // Both are on their way, and the answer of the first is read last.
            let mut right = pin!(tx.batch_execute("SELECT 1"));
            let mut wrong = pin!(tx.batch_execute("SELECT 1 / 0"));
            let noop = || Context::from_waker(Waker::noop());
            assert!(right.as_mut().poll(&mut noop()).is_pending());
            assert!(wrong.as_mut().poll(&mut noop()).is_pending());
            wrong.await.unwrap_err();
            right.await?;
            Ok(())
        })
    })
    .await;
    assert_eq!(failed, Err(Own::Postgres(PgErrorKind::Aborted, None)));
    assert_eq!(ids(&server).await, "");
}

#[tokio::test]
async fn a_begin_of_ones_own_is_rolled_back_before_the_next_one_has_the_connection() {
    let (server, pool) = start(1).await;
    let before = backend(&pool).await;
    let begins = ["BEGIN", "SELECT 1; /* it */ begin", "start transaction read write"];
    for begin in begins {
        let connection = pool.get().await.unwrap();
        connection.batch_execute(begin).await.unwrap();
        connection.execute(INSERT, &[&1]).await.unwrap();
        drop(connection);
        is_clean(&pool, before).await;
        assert_eq!(ids(&server).await, "", "{begin}");
    }
    let connection = pool.get().await.unwrap();
    connection.execute("BEGIN", &[]).await.unwrap();
    connection.execute(INSERT, &[&1]).await.unwrap();
    drop(connection);
    is_clean(&pool, before).await;
    assert_eq!(ids(&server).await, "");
}
