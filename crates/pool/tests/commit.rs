//! Whether a transaction was committed, and who knows it.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    time::Instant,
};

use buttress_pool::{
    Limits, PgErrorKind, PgPool, Postgres, TxOptions,
    deadpool_postgres::tokio_postgres::error::SqlState, with_transaction,
};
use buttress_testkit::{
    postgres::Server,
    proxy::{Loss, Proxy},
};

use self::common::{table::*, *};

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

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

/// The pool's one connection goes over the proxy.
async fn start_over_proxy() -> (Server, Proxy, PgPool) {
    let (server, direct) = start(1).await;
    direct.close();
    let proxy = Proxy::start(server.address()).await.unwrap();
    let url = server.url().replace(&server.address().to_string(), &proxy.address().to_string());
    let pool = Postgres::new(url).unwrap().limits(Limits::new().size(1));
    let pool = pool.statement_timeout(ms(1000)).pool().unwrap();
    (server, proxy, pool)
}

/// The connection is cut at `COMMIT`: once before the server hears of it, once after it has
/// committed, and once nobody says anything any more. It is never tried again, or there would be
/// two rows.
#[tokio::test]
async fn a_commit_on_a_connection_that_is_cut_is_unknown_and_not_tried_again() {
    for (loss, rows) in [(Loss::Question, "0"), (Loss::Answer, "1"), (Loss::Silence, "1")] {
        let (server, proxy, pool) = start_over_proxy().await;
        server.sql("CREATE TABLE orders (id serial PRIMARY KEY)").await.unwrap();
        let attempts = AtomicU32::new(0);
        proxy.lose(b"COMMIT", loss);
        let failed: Result<(), Own> = with_transaction(&pool, TxOptions::serializable(), |tx| {
            attempts.fetch_add(1, SeqCst);
            Box::pin(async move {
                Ok(tx.execute("INSERT INTO orders DEFAULT VALUES", &[]).await.map(drop)?)
            })
        })
        .await;
        assert_eq!(failed, Err(Own::Postgres(PgErrorKind::CommitUnknown, None)), "{loss:?}");
        assert_eq!(attempts.into_inner(), 1, "{loss:?}");
        assert_eq!(metric(&pool, "pool_tx_retries_total", "postgres"), 0.0, "{loss:?}");
        assert_eq!(server.sql("SELECT count(*) FROM orders").await.unwrap(), rows, "{loss:?}");
        // Whatever it was, its connection is not used again.
        assert_eq!(pool.status().idle, 0, "{loss:?}");
        pool.get().await.unwrap().query("SELECT 1", &[]).await.unwrap();
    }
}

/// What is lost before is sure: nothing was asked to be committed. It is not tried again either.
#[tokio::test]
async fn a_connection_that_is_cut_before_its_commit_has_committed_nothing() {
    for loss in [Loss::Question, Loss::Answer] {
        let (server, proxy, pool) = start_over_proxy().await;
        let attempts = AtomicU32::new(0);
        proxy.lose(b"pg_backend_pid", loss);
        let failed: Result<(), Own> = with_transaction(&pool, TxOptions::new(), |tx| {
            attempts.fetch_add(1, SeqCst);
            Box::pin(async move {
                tx.execute(INSERT, &[&1]).await?;
                Ok(tx.batch_execute("SELECT pg_backend_pid()").await?)
            })
        })
        .await;
        assert_eq!(failed, Err(Own::Postgres(PgErrorKind::Lost, None)), "{loss:?}");
        assert_eq!(attempts.into_inner(), 1);
        assert_eq!(ids(&server).await, "");
    }
}

/// With the pool's only connection: the one that was lost is given back before another is asked for.
#[tokio::test]
async fn a_transaction_whose_connection_is_lost_at_its_begin_begins_on_another() {
    for loss in [Loss::Question, Loss::Answer] {
        let (server, proxy, pool) = start_over_proxy().await;
        let before = backend(&pool).await;
        let attempts = AtomicU32::new(0);
        proxy.lose(b"BEGIN", loss);
        let began = Instant::now();
        let done: Result<(), Own> = with_transaction(&pool, TxOptions::new(), |tx| {
            attempts.fetch_add(1, SeqCst);
            Box::pin(async move { Ok(tx.execute(INSERT, &[&1]).await.map(drop)?) })
        })
        .await;
        assert_eq!(done, Ok(()), "{loss:?}");
        assert!(began.elapsed() < ms(3000), "{:?}", began.elapsed());
        assert_eq!(attempts.into_inner(), 1);
        assert_eq!(ids(&server).await, "1");
        assert_ne!(backend(&pool).await, before);
    }
}
