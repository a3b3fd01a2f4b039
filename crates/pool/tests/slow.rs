//! What is said of statements, and what never is.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::time::Duration;

use buttress_core::context::{self, Operation, RequestContext};
use buttress_pool::Postgres;
use buttress_testkit::postgres::Server;
use http::HeaderValue;

use self::common::*;

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

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
