//! Transactions that end, one way or the other.

use std::{fmt, marker::PhantomData, ops::Deref, panic::Location, pin::Pin, time::Duration};

use tokio::time::sleep;
use tokio_postgres::error::SqlState;

use super::{
    PgPool,
    connection::PgConnection,
    error::{PgError, PgErrorKind as Kind},
    options::TxOptions,
    session::{Session, is_conflict},
};
use crate::{
    backoff::{Backoff, random},
    counts::Closed,
    kept::Spoilable,
};

/// Between two attempts: what has collided should not meet again.
const PAUSES: Backoff =
    Backoff::new().first(Duration::from_millis(10)).longest(Duration::from_millis(500));

/// What a transaction's closure answers: a boxed future. (A bound of `AsyncFn` would not do: its
/// future cannot be shown to be `Send`, and so not be spawned.)
pub type TxFuture<'t, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 't>>;

/// Runs `run` in a transaction: commits when it answers `Ok`, rolls back when it answers `Err`,
/// panics, or is dropped.
///
/// A transaction that could not be serialized (40001) or was the victim of a deadlock (40P01) is
/// tried again from its start, also where that came out at `COMMIT`, after a random pause of up to
/// 10 ms, then 20, to 500 ms, as often as the [options](TxOptions::attempts) say. So `run` is
/// called again, and what it does outside of the database it does again. It is enough that the
/// statement has failed that way: `run` may answer any error for it.
///
/// Nothing else is tried again, and least of all a `COMMIT` that has had no answer: the server may
/// have committed ([`PgErrorKind::CommitUnknown`](Kind::CommitUnknown)). Where a statement fails
/// and `run` answers `Ok` all the same, without having gone back to a savepoint, nothing is
/// committed, and that is an error ([`Aborted`](Kind::Aborted)); the server itself would not say a
/// word.
///
/// ```
/// use buttress_pool::{PgError, PgPool, TxOptions, with_transaction};
///
/// async fn transfer(pool: &PgPool, from: i64, to: i64, amount: i64) -> Result<(), PgError> {
///     with_transaction(pool, TxOptions::serializable(), |tx| Box::pin(async move {
///         tx.execute("UPDATE accounts SET n = n - $1 WHERE id = $2", &[&amount, &from]).await?;
///         tx.execute("UPDATE accounts SET n = n + $1 WHERE id = $2", &[&amount, &to]).await?;
///         Ok(())
///     }))
///     .await
/// }
/// ```
///
/// # Errors
/// Those of `run`, and those of the pool and of `COMMIT`, made into the same type.
#[track_caller]
pub fn with_transaction<'s, T, E, F>(
    pool: &PgPool,
    options: TxOptions,
    run: F,
) -> impl Future<Output = Result<T, E>> + Send + use<'s, T, E, F>
where
    F: for<'t> FnMut(&'t mut Transaction<'s>) -> TxFuture<'t, T, E> + Send,
    T: Send,
    E: From<PgError> + Send,
{
    attempts(pool.clone(), Location::caller(), options, run)
}

async fn attempts<'s, T, E, F>(
    pool: PgPool,
    place: &'static Location<'static>,
    options: TxOptions,
    mut run: F,
) -> Result<T, E>
where
    F: for<'t> FnMut(&'t mut Transaction<'s>) -> TxFuture<'t, T, E> + Send,
    T: Send,
    E: From<PgError> + Send,
{
    let mut attempt = 1;
    loop {
        let mut tx = Transaction::begin(&pool, place, options).await?;
        let is_last = attempt >= options.attempts.get();
        match run(&mut tx).await {
            Ok(value) => match tx.commit().await {
                Ok(()) => return Ok(value),
                Err(NotCommitted { error, is_conflict: true }) if !is_last => drop(error),
                Err(NotCommitted { error, .. }) => return Err(error.into()),
            },
            Err(error) => {
                let is_conflict = tx.connection.failed().is_conflict();
                tx.rollback().await;
                if !is_conflict || is_last {
                    return Err(error);
                }
            }
        }
        pool.tx_retried();
        tracing::debug!(%place, attempt, "a transaction is tried again");
        sleep(PAUSES.pause(attempt, random())).await;
        attempt += 1;
    }
}

/// A transaction that is open, with the statements of [`Session`]. For a savepoint, run
/// `SAVEPOINT name` and `ROLLBACK TO name`; `COMMIT` and `ROLLBACK` are not yours to run.
///
/// The lifetime is that of what the closure borrows, which its futures may then borrow as well.
pub struct Transaction<'s> {
    connection: PgConnection,
    borrows: PhantomData<&'s ()>,
}

struct NotCommitted {
    error: PgError,
    is_conflict: bool,
}

impl Transaction<'_> {
    async fn begin(
        pool: &PgPool,
        place: &'static Location<'static>,
        options: TxOptions,
    ) -> Result<Self, PgError> {
        match Self::begin_once(pool, place, options).await {
            // It was lost while it lay in the pool, and is given back. Nothing has happened yet.
            Err(error) if error.kind() == Kind::Lost => {
                Self::begin_once(pool, place, options).await
            }
            begun => begun,
        }
    }

    /// Whoever leaves leaves it to the session to roll back.
    async fn begin_once(
        pool: &PgPool,
        place: &'static Location<'static>,
        options: TxOptions,
    ) -> Result<Self, PgError> {
        let tx = Self { connection: pool.get_at(place).await?, borrows: PhantomData };
        tx.batch_execute(options.begin()).await?;
        Ok(tx)
    }

    async fn commit(self) -> Result<(), NotCommitted> {
        let failed = self.connection.failed();
        // What was changed (`SET`, `LISTEN`) is to be committed, and costs the connection then.
        let spoilt = self.connection.spoilt().filter(|why| *why != Closed::Changed);
        if failed.is_failed() || spoilt.is_some() {
            let is_conflict = failed.is_conflict();
            let kind = if spoilt == Some(Closed::Lost) { Kind::Lost } else { Kind::Aborted };
            self.rollback().await;
            return Err(NotCommitted { error: PgError::new(kind, None), is_conflict });
        }
        let committed = self.connection.batch_execute("COMMIT").await;
        self.connection.ended();
        let Err(error) = committed else { return Ok(()) };
        if is_conflict(error.code()) {
            return Err(NotCommitted { error, is_conflict: true });
        }
        let error = if is_known(&error) {
            error
        } else {
            self.connection.spoil(Closed::Lost);
            error.with_kind(Kind::CommitUnknown)
        };
        Err(NotCommitted { error, is_conflict: false })
    }

    async fn rollback(self) {
        // A spoilt connection is closed, and the server rolls back then.
        if self.connection.spoilt().is_none()
            && self.connection.batch_execute("ROLLBACK").await.is_err()
        {
            self.connection.spoil(Closed::Lost);
        }
        self.connection.ended();
    }
}

/// Whether the server has said that the transaction is not committed: with an error that does not
/// end the session, but for 40003, which says that it does not know, and class 08, with which a
/// proxy tells that it has lost the server.
fn is_known(error: &PgError) -> bool {
    let is_unknown = |code: &SqlState| {
        *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN || code.code().starts_with("08")
    };
    error.kind() != Kind::Lost && error.code().is_some_and(|code| !is_unknown(code))
}

impl Deref for Transaction<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.connection
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}
