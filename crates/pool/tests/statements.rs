//! Statements that take too long, that fail, and what they leave behind.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::time::{Duration, Instant};

use buttress_pool::{
    Limits, PgError, PgErrorKind, PgPool, Postgres,
    tokio_postgres::{NoTls, error::SqlState},
};
use buttress_testkit::postgres::Server;
use tokio::time::timeout;

use self::common::*;

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

const SLEEPING: &str = "SELECT count(*) FROM pg_stat_activity \
                        WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'";

fn pool(server: &Server, statement_timeout: Duration) -> PgPool {
    let settings = Postgres::new(server.url()).unwrap().statement_timeout(statement_timeout);
    settings.limits(Limits::new().size(1)).pool().unwrap()
}

async fn backend(pool: &PgPool) -> i32 {
    let row = pool.get().await.unwrap().query_one("SELECT pg_backend_pid()", &[]).await.unwrap();
    row.get(0)
}

/// What the server says that a connection is at.
async fn activity(server: &Server, backend: i32) -> String {
    let sql = "SELECT state || ': ' || query FROM pg_stat_activity WHERE pid = ";
    server.sql(&format!("{sql}{backend}")).await.unwrap()
}

#[tokio::test]
async fn a_statement_over_its_time_is_cancelled_by_the_server_and_the_connection_stays() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, ms(2000));
    let before = backend(&pool).await;
    let connection = pool.get().await.unwrap();
    let began = Instant::now();
    let (error, ()) = tokio::join!(connection.query("SELECT pg_sleep(30)", &[]), async {
        let runs = "active: SELECT pg_sleep(30)";
        until("it runs", async || activity(&server, before).await == runs).await;
    });
    let error = error.unwrap_err();
    assert!((ms(2000)..ms(4000)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(error.kind(), PgErrorKind::Timeout);
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
    assert_eq!(activity(&server, before).await, "idle: SELECT pg_sleep(30)");
    drop(connection);
    assert_eq!(backend(&pool).await, before);
    assert_eq!(metric(&pool, "pool_timeouts_total", "statement"), 1.0);
}

#[tokio::test]
async fn a_statement_over_the_callers_time_is_cancelled_and_the_connection_is_not_poisoned() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, ms(30_000));
    let before = backend(&pool).await;
    for turn in 0..5 {
        let connection = pool.get().await.unwrap();
        let within = connection.within(ms(if turn == 0 { 2000 } else { 100 }));
        let (error, ()) = tokio::join!(within.query("SELECT pg_sleep(30)", &[]), async {
            let runs = "active: SELECT pg_sleep(30)";
            if turn == 0 {
                until("it runs", async || activity(&server, before).await == runs).await;
            }
        });
        assert_eq!(error.unwrap_err().kind(), PgErrorKind::Timeout);
        assert_eq!(activity(&server, before).await, "idle: SELECT pg_sleep(30)");
        // What a late cancel would hit.
        for _ in 0..20 {
            connection.query("SELECT 1", &[]).await.unwrap();
        }
    }
    assert_eq!(backend(&pool).await, before, "each cancel was confirmed");
}

/// A connection over a socket of Unix, by its folder, percent-encoded, as the host.
#[tokio::test]
async fn over_a_socket_of_unix_a_cancel_is_confirmed_as_well() {
    let server = Server::start_with(&[("unix_socket_directories", "/tmp")]).await.unwrap();
    let url = server.url().replace("127.0.0.1", "%2Ftmp");
    let settings = Postgres::new(url).unwrap().limits(Limits::new().size(1));
    // A connector is for what goes over a network.
    settings.clone().tls(NoTls).pool().unwrap().get().await.unwrap();
    let at = format!("/tmp:{}/postgres", server.address().port());
    assert!(format!("{settings:?}").contains(&at), "{settings:?}");
    let pool = settings.pool().unwrap();
    let before = backend(&pool).await;
    let connection = pool.get().await.unwrap();
    let peer = connection.query_one("SELECT inet_client_addr()::text", &[]).await.unwrap();
    assert_eq!(peer.get::<_, Option<String>>(0), None, "it is no network's");
    let error = connection.within(ms(100)).query("SELECT pg_sleep(30)", &[]).await.unwrap_err();
    assert_eq!(error.kind(), PgErrorKind::Timeout);
    drop(connection);
    assert_eq!(backend(&pool).await, before);
}

#[tokio::test]
async fn no_option_of_the_address_undoes_the_servers_timeout() {
    let server = Server::start().await.unwrap();
    let options = "?options=-c%20statement_timeout%3D0%20-c%20search_path%3Dshop";
    let settings = Postgres::new(server.url() + options).unwrap().statement_timeout(ms(1500));
    let connection = settings.pool().unwrap().get().await.unwrap();
    for (name, value) in [("statement_timeout", "1500ms"), ("search_path", "shop")] {
        let row = connection.query_one(&format!("SHOW {name}"), &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), value);
    }
}

#[tokio::test]
async fn no_time_of_a_callers_is_too_long_or_too_short() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, ms(30_000));
    let connection = pool.get().await.unwrap();
    connection.within(Duration::MAX).query("SELECT 1", &[]).await.unwrap();
    let none = connection.within(Duration::ZERO).query("SELECT pg_sleep(30)", &[]).await;
    assert_eq!(none.unwrap_err().kind(), PgErrorKind::Timeout);
    drop(connection);
    pool.get().await.unwrap().query("SELECT 1", &[]).await.unwrap();
}

#[tokio::test]
async fn a_cancel_that_is_not_confirmed_costs_the_connection() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, ms(30_000));
    let before = backend(&pool).await;
    let connection = pool.get().await.unwrap();
    server.freeze().unwrap();
    let began = Instant::now();
    let error = connection.within(ms(200)).query("SELECT 1", &[]).await.unwrap_err();
    assert_eq!(error.kind(), PgErrorKind::Timeout);
    assert!((ms(200)..ms(2700)).contains(&began.elapsed()), "{:?}", began.elapsed());
    drop(connection);
    assert_eq!(pool.status().idle, 0, "at once, and not when somebody wants it");
    assert_eq!(metric(&pool, "pool_closed_total", "unconfirmed"), 1.0);
    server.thaw().unwrap();
    assert_ne!(backend(&pool).await, before);
}

#[tokio::test]
async fn where_the_driver_does_not_wait_for_the_servers_word_each_cancel_costs_the_connection() {
    let server = Server::start().await.unwrap();
    let at = server.address().to_string();
    let settings = [
        Postgres::new(server.url() + "?sslmode=prefer").unwrap().tls(NoTls),
        Postgres::new(server.url().replace(&at, &format!("{at},{at}"))).unwrap(),
    ];
    for settings in settings {
        let pool = settings.limits(Limits::new().size(1)).pool().unwrap();
        let before = backend(&pool).await;
        let connection = pool.get().await.unwrap();
        let error = connection.within(ms(100)).query("SELECT pg_sleep(30)", &[]).await.unwrap_err();
        assert_eq!(error.kind(), PgErrorKind::Timeout);
        assert_eq!(server.sql(SLEEPING).await.unwrap(), "0");
        drop(connection);
        assert_ne!(backend(&pool).await, before);
        assert_eq!(metric(&pool, "pool_closed_total", "unconfirmed"), 1.0);
    }
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_is_cancelled_and_its_connection_is_not_used_again() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, ms(30_000));
    let before = backend(&pool).await;
    let connection = pool.get().await.unwrap();
    let left = timeout(ms(200), connection.query("SELECT pg_sleep(30)", &[])).await;
    assert!(left.is_err());
    until("it is cancelled", async || server.sql(SLEEPING).await.unwrap() == "0").await;
    drop(connection);
    assert_ne!(backend(&pool).await, before);
    assert_eq!(metric(&pool, "pool_closed_total", "abandoned"), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_cancelled_or_left_no_cancel_hits_the_next_statement() {
    let server = Server::start().await.unwrap();
    // Where the server acts at about the same time, and where it is left to the client.
    for statement_timeout in [ms(8), ms(30_000)] {
        let settings = Postgres::new(server.url()).unwrap().statement_timeout(statement_timeout);
        let pool = settings.limits(Limits::new().size(4)).pool().unwrap();
        let tasks: Vec<_> =
            (0..8).map(|task| tokio::spawn(cancel_often(pool.clone(), task))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(pool.status().out, 0);
    }
}

async fn cancel_often(pool: PgPool, task: u64) {
    for turn in 0..16 {
        let connection = pool.get().await.unwrap();
        for _ in 0..3 {
            let hit = connection.within(ms(5000)).batch_execute("").await;
            assert!(hit.is_ok(), "{hit:?}");
        }
        // Around the times at which it ends by itself.
        let sleep = format!("SELECT pg_sleep(0.00{})", (task + turn) % 10);
        let time = ms(1 + (task * 7 + turn * 3) % 10);
        if turn % 4 == 0 {
            let _ = timeout(time, connection.batch_execute(&sleep)).await;
        } else {
            let _ = connection.within(time).batch_execute(&sleep).await;
        }
    }
}

#[tokio::test]
async fn a_cancel_by_somebody_else_is_no_timeout() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, ms(30_000));
    let connection = pool.get().await.unwrap();
    let (error, ()) = tokio::join!(connection.query("SELECT pg_sleep(30)", &[]), async {
        until("it sleeps", async || server.sql(SLEEPING).await.unwrap() == "1").await;
        let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity \
                      WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'";
        server.sql(cancel).await.unwrap();
    });
    let error = error.unwrap_err();
    assert_eq!(error.kind(), PgErrorKind::Refused);
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
}

#[tokio::test]
async fn a_connection_that_is_terminated_is_replaced() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, ms(30_000));
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

#[tokio::test]
async fn errors_tell_apart_what_was_refused_and_what_does_not_fit_and_show_no_value() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, ms(30_000));
    let connection = pool.get().await.unwrap();
    connection.batch_execute("CREATE TABLE people (email text PRIMARY KEY)").await.unwrap();
    let insert = "INSERT INTO people VALUES ($1)";
    assert_eq!(connection.execute(insert, &[&"planted"]).await.unwrap(), 1);
    let error = connection.execute(insert, &[&"planted"]).await.unwrap_err();
    assert_eq!(error.kind(), PgErrorKind::Refused);
    assert_eq!(error.code(), Some(&SqlState::UNIQUE_VIOLATION));
    assert!(error.to_string().contains("23505"), "{error}");
    assert!(!format!("{error} {error:?}").contains("planted"));
    assert!(format!("{:?}", error.driver_error()).contains("planted"));
    let error = connection.query_one("SELECT 1 WHERE false", &[]).await.unwrap_err();
    assert_eq!(error.kind(), PgErrorKind::Usage);
    let error = connection.execute(insert, &[&1_i32]).await.unwrap_err();
    assert_eq!(error.kind(), PgErrorKind::Usage);
    assert!(connection.query_opt("SELECT 1 WHERE false", &[]).await.unwrap().is_none());
}

#[tokio::test]
async fn the_drivers_own_errors_are_told_apart_as_well() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, ms(30_000));
    let mut connection = pool.get().await.unwrap();
    let row = connection.query_one("SELECT 'planted'", &[]).await.unwrap();
    let error = PgError::from(row.try_get::<_, i64>(0).unwrap_err());
    assert_eq!((error.kind(), error.code()), (PgErrorKind::Usage, None));
    let client = connection.client_mut();
    let error = PgError::from(client.batch_execute("SELECT 1/0").await.unwrap_err());
    let refused = (PgErrorKind::Refused, Some(&SqlState::DIVISION_BY_ZERO));
    assert_eq!((error.kind(), error.code()), refused);
    let ended = client.batch_execute("SELECT pg_terminate_backend(pg_backend_pid())").await;
    assert_eq!(PgError::from(ended.unwrap_err()).kind(), PgErrorKind::Lost);
}

#[tokio::test]
async fn a_plan_that_the_schema_has_outlived_is_made_anew() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, ms(30_000));
    let connection = pool.get().await.unwrap();
    connection.batch_execute("CREATE TABLE t (a int)").await.unwrap();
    connection.query("SELECT * FROM t", &[]).await.unwrap();
    server.sql("ALTER TABLE t ADD b int").await.unwrap();
    let error = connection.query("SELECT * FROM t", &[]).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::FEATURE_NOT_SUPPORTED));
    connection.query("SELECT * FROM t", &[]).await.unwrap();
}

#[tokio::test]
async fn values_in_statements_do_not_fill_the_memory() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, ms(30_000));
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
    let pool = pool(&server, ms(30_000));
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
async fn a_connection_that_was_changed_is_not_handed_on() {
    let server = Server::start().await.unwrap();
    let pool = pool(&server, ms(30_000));
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
