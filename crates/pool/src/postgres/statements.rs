//! Statements with a timeout.

use std::time::Duration;

use tokio_postgres::{Error, Row, Statement, error::SqlState, types::ToSql};

use super::{error::PgError, session::Session};

/// How many statements of a connection are kept prepared.
const PREPARED: usize = 256;
/// The longest of them, in bytes. Longer ones have mostly as many parameters as somebody has rows,
/// and are never the same again.
const LONGEST: usize = 16 * 1024;

/// The statements of a [`Session`], with [a timeout](Session::within) of their own.
///
/// ```no_run
/// # async fn run(pool: buttress_pool::PgPool) -> Result<(), Box<dyn std::error::Error>> {
/// let connection = pool.get().await?;
/// let quick = connection.within(std::time::Duration::from_millis(200));
/// let rows = quick.query("SELECT title FROM books WHERE title LIKE $1", &[&"%tower%"]).await?;
/// # let _ = rows;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Statements<'a> {
    pub(super) session: &'a Session,
    pub(super) within: Duration,
}

impl Statements<'_> {
    /// As [`Session::execute`].
    ///
    /// # Errors
    /// As there.
    pub async fn execute(self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, PgError> {
        let work = async {
            let statement = self.prepare(sql).await?;
            let done = self.session.client().execute(&statement, params).await;
            self.forget_stale(sql, done)
        };
        self.session.run(sql, self.within, |rows| Some(*rows), work).await
    }

    /// As [`Session::query`].
    ///
    /// # Errors
    /// As there.
    pub async fn query(
        self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, PgError> {
        let work = async {
            let statement = self.prepare(sql).await?;
            let done = self.session.client().query(&statement, params).await;
            self.forget_stale(sql, done)
        };
        self.session.run(sql, self.within, |rows| u64::try_from(rows.len()).ok(), work).await
    }

    /// As [`Session::query_one`].
    ///
    /// # Errors
    /// As there.
    pub async fn query_one(
        self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, PgError> {
        let work = async {
            let statement = self.prepare(sql).await?;
            let done = self.session.client().query_one(&statement, params).await;
            self.forget_stale(sql, done)
        };
        self.session.run(sql, self.within, |_| Some(1), work).await
    }

    /// As [`Session::query_opt`].
    ///
    /// # Errors
    /// As there.
    pub async fn query_opt(
        self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, PgError> {
        let work = async {
            let statement = self.prepare(sql).await?;
            let done = self.session.client().query_opt(&statement, params).await;
            self.forget_stale(sql, done)
        };
        self.session.run(sql, self.within, |row| Some(row.is_some().into()), work).await
    }

    /// As [`Session::batch_execute`].
    ///
    /// # Errors
    /// As there.
    pub async fn batch_execute(self, sql: &str) -> Result<(), PgError> {
        self.session.heed(sql, usize::MAX);
        let work = self.session.client().batch_execute(sql);
        self.session.run(sql, self.within, |()| None, work).await
    }

    async fn prepare(self, sql: &str) -> Result<Statement, Error> {
        // There is but one.
        self.session.heed(sql, 1);
        let client = self.session.client();
        // Whoever writes values into its statements must not fill the memory of two processes.
        if sql.len() > LONGEST {
            return client.prepare(sql).await;
        }
        if client.statement_cache.size() >= PREPARED {
            client.statement_cache.clear();
        }
        client.prepare_cached(sql).await
    }

    /// A plan that a change of the schema has made invalid (0A000), or that the server does not
    /// know any more (26000), is prepared anew the next time.
    fn forget_stale<T>(self, sql: &str, done: Result<T, Error>) -> Result<T, Error> {
        let stale = [&SqlState::FEATURE_NOT_SUPPORTED, &SqlState::INVALID_SQL_STATEMENT_NAME];
        if let Err(error) = &done
            && error.code().is_some_and(|code| stale.contains(&code))
        {
            self.session.client().statement_cache.remove(sql, &[]);
        }
        done
    }
}
