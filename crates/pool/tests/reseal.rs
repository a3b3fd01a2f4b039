//! A rotation of sealed values over the pool: a connection for each step, and none for the run.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use buttress_pool::{
    Limits, PgError, PgErrorKind, PgPool, Postgres, deadpool_postgres::tokio_postgres::Row as PgRow,
};
use buttress_seal::{Context, Key, KeyRing, Report, Reseal, ResealStore, Row, Sealed};
use buttress_testkit::postgres::Server;

use self::common::*;

#[allow(unreachable_pub, dead_code, reason = "each test uses a part of it")]
mod common;

const ROWS: i64 = 300;

/// The table `api_keys`, over a pool.
struct ApiKeys {
    pool: PgPool,
}

fn place(id: i64) -> Context {
    Context::new("api_keys.secret").part(id)
}

impl ResealStore for ApiKeys {
    type Key = i64;
    type Error = PgError;

    async fn fetch(&mut self, after: Option<&i64>, limit: usize) -> Result<Vec<Row<i64>>, PgError> {
        let page = "SELECT id, secret FROM api_keys WHERE id > $1 ORDER BY id LIMIT $2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let after = after.copied().unwrap_or(i64::MIN);
        let rows = self.pool.get().await?.query(page, &[&after, &limit]).await?;
        let row = |row: &PgRow| {
            let id: i64 = row.get(0);
            Row::new(id, row.get::<_, String>(1), place(id))
        };
        Ok(rows.iter().map(row).collect())
    }

    async fn replace(&mut self, row: &Row<i64>, sealed: &str) -> Result<bool, PgError> {
        let swap = "UPDATE api_keys SET secret = $3 WHERE id = $1 AND secret = $2";
        let connection = self.pool.get().await?;
        Ok(connection.execute(swap, &[&row.key, &row.sealed, &sealed]).await? == 1)
    }
}

fn key(id: &str, byte: u8) -> Key {
    Key::from_bytes(&[byte; 32]).unwrap().with_id(id).unwrap()
}

fn before() -> KeyRing {
    KeyRing::new(key("k1", 1))
}

fn after() -> KeyRing {
    KeyRing::new(key("k2", 2)).and_old(key("k1", 1)).unwrap()
}

async fn start() -> (Server, ApiKeys) {
    let server = Server::start().await.unwrap();
    let limits = Limits::new().size(1).wait(ms(2000));
    let pool = Postgres::new(server.url()).unwrap().limits(limits).pool().unwrap();
    let connection = pool.get().await.unwrap();
    let table = "CREATE TABLE api_keys (id bigint PRIMARY KEY, secret text NOT NULL)";
    connection.batch_execute(table).await.unwrap();
    let ring = before();
    for id in 1..=ROWS {
        let sealed = ring.seal(&format!("secret of {id}"), place(id)).unwrap().into_string();
        let insert = "INSERT INTO api_keys VALUES ($1, $2)";
        connection.execute(insert, &[&id, &sealed]).await.unwrap();
    }
    drop(connection);
    (server, ApiKeys { pool })
}

/// All rows open with the new key alone.
async fn is_rotated(pool: &PgPool) {
    let rows = pool.get().await.unwrap().query("SELECT id, secret FROM api_keys", &[]).await;
    let (rows, ring) = (rows.unwrap(), KeyRing::new(key("k2", 2)));
    assert_eq!(rows.len(), usize::try_from(ROWS).unwrap());
    for row in rows {
        let (id, sealed): (i64, String) = (row.get(0), row.get(1));
        let opened = ring.open(&Sealed::<String>::parse(sealed).unwrap(), place(id)).unwrap();
        assert_eq!(*opened.expose(), format!("secret of {id}"));
    }
}

#[tokio::test]
async fn a_rotation_takes_a_connection_for_each_step_and_keeps_it_from_nobody() {
    let (_server, mut keys) = start().await;
    let pool = keys.pool.clone();
    let ring = after();
    let is_over = AtomicBool::new(false);
    let rotation = async {
        let report = Reseal::new(&ring).batch(50).run(&mut keys).await.unwrap();
        is_over.store(true, SeqCst);
        report
    };
    // Somebody else wants the pool's only connection all the while.
    let others = async {
        let mut served = 0;
        while !is_over.load(SeqCst) {
            pool.get().await.unwrap().query("SELECT 1", &[]).await.unwrap();
            served += 1;
        }
        served
    };
    let (report, served) = tokio::join!(rotation, others);
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.resealed(), u64::try_from(ROWS).unwrap());
    assert!(served > 50, "{served}");
    assert_eq!(pool.status().out, 0);
    is_rotated(&pool).await;
}

#[tokio::test]
async fn a_rotation_whose_server_dies_is_gone_on_with_over_the_same_pool() {
    let (mut server, mut keys) = start().await;
    let ring = after();
    let kill = |report: &Report<i64>| {
        if report.seen() == 100 {
            server.kill().unwrap();
        }
    };
    let error = Reseal::new(&ring).batch(50).on_progress(kill).run(&mut keys).await.unwrap_err();
    let done = *error.report().done().unwrap();
    assert_eq!((error.report().resealed(), done), (100, 100));
    let kind = error.into_inner().kind();
    assert!(matches!(kind, PgErrorKind::Lost | PgErrorKind::Acquire), "{kind:?}");
    server.restart().await.unwrap();
    let report = Reseal::new(&ring).after(done).run(&mut keys).await.unwrap();
    assert_eq!((report.resealed(), report.failed()), (200, 0));
    let report = Reseal::new(&ring).run(&mut keys).await.unwrap();
    assert!(report.is_complete() && report.resealed() == 0, "{report}");
    is_rotated(&keys.pool).await;
}
