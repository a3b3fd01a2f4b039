//! A server with a table, and a pool on it.

use buttress_pool::{
    Limits, PgError, PgErrorKind, PgPool, Postgres,
    deadpool_postgres::tokio_postgres::error::SqlState,
};
use buttress_testkit::postgres::Server;

pub const INSERT: &str = "INSERT INTO t VALUES ($1)";

pub async fn start(size: usize) -> (Server, PgPool) {
    let server = Server::start_with(&[("deadlock_timeout", "50ms")]).await.unwrap();
    server.sql("CREATE TABLE t (id int PRIMARY KEY, n bigint DEFAULT 0)").await.unwrap();
    let pool = Postgres::new(server.url()).unwrap().limits(Limits::new().size(size));
    (server, pool.pool().unwrap())
}

pub async fn ids(server: &Server) -> String {
    server.sql("SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM t").await.unwrap()
}

/// The only connection of the pool is in no transaction, and still the same one.
pub async fn is_clean(pool: &PgPool, backend: i32) {
    let connection = pool.get().await.unwrap();
    connection.execute("INSERT INTO t VALUES (99)", &[]).await.unwrap();
    connection.execute("DELETE FROM t WHERE id = 99", &[]).await.unwrap();
    let row = connection.query_one("SELECT pg_backend_pid()", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), backend);
}

pub async fn backend(pool: &PgPool) -> i32 {
    let row = pool.get().await.unwrap().query_one("SELECT pg_backend_pid()", &[]).await.unwrap();
    row.get(0)
}

/// A trigger that runs at `COMMIT`.
pub fn at_commit(body: &str) -> String {
    format!(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN {body}; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION late()"
    )
}

/// An error of a service's own.
#[derive(Debug, PartialEq)]
pub enum Own {
    Postgres(PgErrorKind, Option<SqlState>),
    SoldOut,
}

impl From<PgError> for Own {
    fn from(error: PgError) -> Self {
        Self::Postgres(error.kind(), error.code().cloned())
    }
}
