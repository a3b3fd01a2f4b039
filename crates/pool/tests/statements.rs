//! Statements that take too long, and what is said of those that do not.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::time::{Duration, Instant};

use buttress_core::context::{self, Operation, RequestContext};
use buttress_pool::{
    Limits, PgError, PgErrorKind, PgPool, Postgres,
    tokio_postgres::{NoTls, error::SqlState},
};
use buttress_testkit::postgres::Server;
use http::HeaderValue;
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
            let Err(hit) = connection.within(ms(5000)).batch_execute("").await else { continue };
            // On a busy machine the server's own few milliseconds may be over, and it says so.
            let said = hit.driver_error().and_then(|error| error.as_db_error()).unwrap().message();
            assert!(said.ends_with("due to statement timeout"), "{said}");
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
async fn slow_lines_have_no_literal_and_no_parameter_but_the_requests_id() {
    let log = Log::new();
    let server = Server::start().await.unwrap();
    let settings = Postgres::new(server.url()).unwrap().slow_statement(Duration::ZERO);
    let pool = settings.name("shop").pool().unwrap();
    let request = RequestContext::new();
    request.set_request_id(HeaderValue::from_static("0189-request"));
    let serve = request.scope(|| {
        context::in_request(async {
            let connection = pool.get().await.unwrap();
            let sql = "SELECT 'planted', $1::text,\n  g FROM generate_series(1, 4567) g -- planted";
            connection.query(sql, &[&"planted too"]).await.unwrap();
            connection.batch_execute("SELECT 'planted'; SELECT E'\\'planted'").await.unwrap();
            connection.query("SELEC 'planted'", &[]).await.unwrap_err();
        })
    });
    serve.await;
    let lines = log.lines("slow statement");
    assert_eq!(lines.len(), 3);
    let whole = "SELECT ?, $1::text, g FROM generate_series(?, ?) g";
    assert!(lines[0].contains(whole), "{}", lines[0]);
    for part in ["rows=4567", "request_id=\"0189-request\"", "pool=\"shop\"", "outcome=\"done\""] {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
    assert!(lines[1].contains("SELECT ?; SELECT ?"), "{}", lines[1]);
    assert!(lines[2].contains("outcome=\"failed\""), "{}", lines[2]);
    assert!(!lines.concat().contains("planted"), "{lines:?}");
    assert_eq!(metric(&pool, "pool_slow_total", "shop"), 3.0);
    // And onto the access line.
    assert_eq!(request.operations(Operation::Db).count, 3);
    assert!(!request.operations(Operation::Db).took.is_zero());
}

/// The driver itself tells of parameters, statements and notices: but for a notice, at the level
/// `debug`, as the README says.
#[tokio::test]
async fn down_to_the_level_info_nothing_of_the_data_is_logged() {
    let log = Log::new();
    let server = Server::start().await.unwrap();
    let settings = Postgres::new(server.url()).unwrap().slow_statement(Duration::ZERO);
    let pool = settings.pool().unwrap();
    let connection = pool.get().await.unwrap();
    let notice = "DO $$ BEGIN RAISE NOTICE 'planted'; RAISE WARNING 'planted'; END $$";
    connection.batch_execute(notice).await.unwrap();
    connection.query("SELECT $1::text, 'planted'", &[&"planted"]).await.unwrap();
    connection.execute("SELECT 'planted'::int", &[]).await.unwrap_err();
    // The driver's task logs on its own, and is asked last.
    drop(connection);
    pool.close_and_wait(ms(1000)).await.unwrap();
    let notices = log.lines("the server has a notice");
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(notices[0].contains("severity=\"NOTICE\" code=\"00000\""), "{notices:?}");
    let told = log.lines("planted");
    let is_quiet = |line: &String| line.contains("DEBUG") || line.contains("TRACE");
    assert!(told.iter().all(is_quiet), "{told:?}");
}

#[tokio::test]
async fn what_is_not_slow_is_not_logged() {
    let log = Log::new();
    let server = Server::start().await.unwrap();
    let settings = Postgres::new(server.url()).unwrap();
    assert!(format!("{settings:?}").contains("slow_statement: 1s"), "unless one says otherwise");
    let settings = settings.slow_statement(ms(200));
    let pool = settings.pool().unwrap();
    let connection = pool.get().await.unwrap();
    connection.query("SELECT 1", &[]).await.unwrap();
    connection.query("SELECT pg_sleep(0.2)", &[]).await.unwrap();
    let lines = log.lines("slow statement");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("pg_sleep(?)"), "{lines:?}");
}
