//! Transactions that end, one way or the other.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{
    future::pending,
    num::NonZeroU32,
    pin::pin,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    task::{Context, Waker},
};

use buttress_pool::{
    Limits, PgError, PgErrorKind, PgPool, Postgres, TxOptions,
    deadpool_postgres::tokio_postgres::error::SqlState, with_transaction,
};
use buttress_testkit::postgres::Server;
use tokio::{sync::Barrier, time::timeout};

use self::common::*;

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

const INSERT: &str = "INSERT INTO t VALUES ($1)";
const CONFLICT: &str = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$";

async fn start(size: usize) -> (Server, PgPool) {
    let server = Server::start_with(&[("deadlock_timeout", "50ms")]).await.unwrap();
    server.sql("CREATE TABLE t (id int PRIMARY KEY, n bigint DEFAULT 0)").await.unwrap();
    let pool = Postgres::new(server.url()).unwrap().limits(Limits::new().size(size));
    (server, pool.pool().unwrap())
}

async fn ids(server: &Server) -> String {
    server.sql("SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM t").await.unwrap()
}

/// The only connection of the pool is in no transaction, and still the same one.
async fn is_clean(pool: &PgPool, backend: i32) {
    let connection = pool.get().await.unwrap();
    connection.execute("INSERT INTO t VALUES (99)", &[]).await.unwrap();
    connection.execute("DELETE FROM t WHERE id = 99", &[]).await.unwrap();
    let row = connection.query_one("SELECT pg_backend_pid()", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), backend);
}

async fn backend(pool: &PgPool) -> i32 {
    let row = pool.get().await.unwrap().query_one("SELECT pg_backend_pid()", &[]).await.unwrap();
    row.get(0)
}

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

#[derive(Debug, PartialEq)]
enum Own {
    Postgres(PgErrorKind, Option<SqlState>),
    SoldOut,
}

impl From<PgError> for Own {
    fn from(error: PgError) -> Self {
        Self::Postgres(error.kind(), error.code().cloned())
    }
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

/// A trigger that runs at `COMMIT`.
fn at_commit(body: &str) -> String {
    format!(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN {body}; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION late()"
    )
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
}

#[tokio::test]
async fn an_error_at_commit_that_is_sure_is_handed_on_as_it_is() {
    let (server, pool) = start(1).await;
    let before = backend(&pool).await;
    server.sql(&at_commit("RAISE EXCEPTION USING ERRCODE = '23514'")).await.unwrap();
    let failed: Result<(), Own> = with_transaction(&pool, TxOptions::new(), |tx| {
        Box::pin(async move { Ok(tx.execute(INSERT, &[&1]).await.map(drop)?) })
    })
    .await;
    let code = Some(SqlState::CHECK_VIOLATION);
    assert_eq!(failed, Err(Own::Postgres(PgErrorKind::Refused, code)));
    server.sql("DROP TRIGGER late ON t").await.unwrap();
    is_clean(&pool, before).await;
}

#[tokio::test]
async fn a_commit_that_has_no_answer_is_not_tried_again() {
    for by_kill in [false, true] {
        let (mut server, pool) = start(1).await;
        server.sql(&at_commit("PERFORM pg_sleep(30)")).await.unwrap();
        let attempts = AtomicU32::new(0);
        let transaction = with_transaction(&pool, TxOptions::serializable(), |tx| {
            attempts.fetch_add(1, SeqCst);
            Box::pin(async move { Ok::<_, Own>(tx.execute(INSERT, &[&1]).await.map(drop)?) })
        });
        let (failed, ()) = tokio::join!(transaction, async {
            let active = "SELECT count(pid) FROM pg_stat_activity \
                          WHERE query = 'COMMIT' AND state = 'active'";
            until("it commits", async || server.sql(active).await.unwrap() == "1").await;
            if by_kill {
                server.kill().unwrap();
            } else {
                let terminate = active.replace("count(pid)", "pg_terminate_backend(pid)");
                server.sql(&terminate).await.unwrap();
            }
        });
        let Err(Own::Postgres(kind, _)) = failed else { panic!("{failed:?}") };
        assert_eq!(kind, PgErrorKind::CommitUnknown);
        assert_eq!(attempts.into_inner(), 1);
    }
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

#[tokio::test]
async fn a_commit_of_which_a_proxy_lost_the_server_is_unknown() {
    let (server, pool) = start(1).await;
    server.sql(&at_commit("RAISE EXCEPTION USING ERRCODE = '08006'")).await.unwrap();
    let failed: Result<(), Own> = with_transaction(&pool, TxOptions::new(), |tx| {
        Box::pin(async move { Ok(tx.execute(INSERT, &[&1]).await.map(drop)?) })
    })
    .await;
    let code = Some(SqlState::CONNECTION_FAILURE);
    assert_eq!(failed, Err(Own::Postgres(PgErrorKind::CommitUnknown, code)));
}
