//! What a connection brings to whoever has it next.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use buttress_pool::{Limits, PgErrorKind, PgPool, Postgres, tokio_postgres::error::SqlState};
use buttress_testkit::postgres::Server;

use self::common::{table::backend, *};

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

fn pool(server: &Server) -> PgPool {
    Postgres::new(server.url()).unwrap().limits(Limits::new().size(1)).pool().unwrap()
}

#[tokio::test]
async fn a_connection_that_was_changed_is_not_handed_on() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server);
    let changes = [
        "SET search_path = nowhere",
        "SELECT 1; set session role test",
        "LISTEN news",
        "PREPARE mine AS SELECT 1",
    ];
    for change in changes {
        let before = backend(&pool).await;
        pool.get().await.unwrap().batch_execute(change).await.unwrap();
        assert_ne!(backend(&pool).await, before, "{change}");
    }
    // Nobody knows what was done with the driver's own client.
    let before = backend(&pool).await;
    let mut connection = pool.get().await.unwrap();
    connection.client_mut().batch_execute("SET search_path = nowhere").await.unwrap();
    drop(connection);
    assert_ne!(backend(&pool).await, before);
    assert_eq!(metric(&pool, "pool_closed_total", "changed"), 5.0);
    // What ends with the transaction changes nothing.
    let before = backend(&pool).await;
    let local = "BEGIN; SET LOCAL search_path = nowhere; SET TRANSACTION READ ONLY; COMMIT";
    pool.get().await.unwrap().batch_execute(local).await.unwrap();
    assert_eq!(backend(&pool).await, before);
}

#[tokio::test]
async fn values_in_statements_do_not_fill_the_memory() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server);
    let connection = pool.get().await.unwrap();
    for number in 0..600 {
        connection.query(&format!("SELECT {number}"), &[]).await.unwrap();
    }
    let row = connection.query_one("SELECT count(*) FROM pg_prepared_statements", &[]).await;
    let prepared: i64 = row.unwrap().get(0);
    assert!(prepared <= 257, "{prepared}");
}

#[tokio::test]
async fn a_long_statement_is_not_kept() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server);
    let connection = pool.get().await.unwrap();
    let prepared = async || -> i64 {
        let kept = "SELECT count(*) FROM pg_prepared_statements WHERE length(statement) > 15000";
        connection.query_one(kept, &[]).await.unwrap().get(0)
    };
    for (length, kept) in [(16 * 1024, 1), (16 * 1024 + 1, 1), (100_000, 1)] {
        let sql = format!("SELECT{}1", " ".repeat(length - "SELECT1".len()));
        assert_eq!(sql.len(), length);
        connection.query(&sql, &[]).await.unwrap();
        assert_eq!(prepared().await, kept, "{length}");
    }
}

#[tokio::test]
async fn a_plan_that_the_schema_has_outlived_is_made_anew() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server);
    let connection = pool.get().await.unwrap();
    connection.batch_execute("CREATE TABLE t (a int)").await.unwrap();
    connection.query("SELECT * FROM t", &[]).await.unwrap();
    server.sql("ALTER TABLE t ADD b int").await.unwrap();
    let error = connection.query("SELECT * FROM t", &[]).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::FEATURE_NOT_SUPPORTED));
    connection.query("SELECT * FROM t", &[]).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_terminated_is_replaced() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server);
    let before = backend(&pool).await;
    let connection = pool.get().await.unwrap();
    server.sql(&format!("SELECT pg_terminate_backend({before})")).await.unwrap();
    let error = connection.query("SELECT 1", &[]).await.unwrap_err();
    assert_eq!(error.kind(), PgErrorKind::Lost);
    drop(connection);
    assert_ne!(backend(&pool).await, before);
    // And one that is terminated while it lies in the pool.
    let idle = backend(&pool).await;
    server.sql(&format!("SELECT pg_terminate_backend({idle})")).await.unwrap();
    until("it is noticed", async || pool.status().idle == 0).await;
    assert_ne!(backend(&pool).await, idle);
    assert_eq!(metric(&pool, "pool_closed_total", "lost"), 2.0);
}
