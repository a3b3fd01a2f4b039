//! One connection and the statements on it.

use std::{
    fmt, io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Waker},
    time::{Duration, Instant},
};

use deadpool_postgres::ClientWrapper;
use tokio::{runtime::Handle, time::timeout};
use tokio_postgres::{Config, Error, Row, error::SqlState, types::ToSql};

use super::{
    dial::{Asked, Dial, Dialled},
    error::{PgError, PgErrorKind, kind},
    normal::{normalize, openings},
    statements::Statements,
};
use crate::{
    counts::Closed,
    kept::{Spoilable, Spoilt},
    work::{Account, Outcome},
};

/// How much longer than the server the client waits: the way there and back.
const GRACE: Duration = Duration::from_millis(500);
/// How long the request to cancel may take, and then the statement to end of it.
const CANCEL: Duration = Duration::from_secs(1);

pub(crate) struct Tuning {
    pub(crate) account: Account,
    pub(crate) statement_timeout: Duration,
    pub(crate) config: Config,
    pub(crate) dial: Arc<dyn Dial>,
}

/// The statements of a connection, also within a [`Transaction`](super::Transaction).
///
/// Each is prepared, and kept so for the next time, up to 256 of a connection, but for those of more
/// than 16 KiB. Each is bounded by
/// the [statement timeout](super::Postgres::statement_timeout), or by [`within`](Self::within).
/// One that runs over its time is cancelled on the server; where that is not confirmed, up to two
/// seconds later, the connection is thrown away when it comes back, since a cancel that is late
/// would hit the next statement. It never is with [TLS](super::Postgres::tls) or several hosts,
/// where the driver does not wait for the server's word. The same is done where whoever waits for
/// a statement leaves.
pub struct Session {
    client: ClientWrapper,
    tuning: Arc<Tuning>,
    spoilt: Spoilt,
    failed: Failed,
    /// Whether a transaction was begun that may be open still.
    is_begun: AtomicBool,
}

impl Session {
    pub(super) fn new(client: ClientWrapper, tuning: Arc<Tuning>) -> Self {
        let (spoilt, failed) = (Spoilt::default(), Failed::default());
        Self { client, tuning, spoilt, failed, is_begun: AtomicBool::new(false) }
    }

    /// Runs a statement, and answers how many rows it has touched.
    ///
    /// # Errors
    /// Any of [`PgErrorKind`] that is not about transactions; so do the others.
    pub async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, PgError> {
        self.statements().execute(sql, params).await
    }

    /// Runs a statement, and answers its rows.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn query(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, PgError> {
        self.statements().query(sql, params).await
    }

    /// The same for a statement that has exactly one row.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and [`Usage`](PgErrorKind::Usage) for another number of rows.
    pub async fn query_one(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, PgError> {
        self.statements().query_one(sql, params).await
    }

    /// The same for a statement that has one row or none.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and [`Usage`](PgErrorKind::Usage) for more rows.
    pub async fn query_opt(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, PgError> {
        self.statements().query_opt(sql, params).await
    }

    /// Runs statements that are parted by `;` and have no parameters: never with input of anyone's
    /// in them.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn batch_execute(&self, sql: &str) -> Result<(), PgError> {
        self.statements().batch_execute(sql).await
    }

    /// The same statements with another timeout, for this call. The server's own stays what it is,
    /// so that a longer one changes nothing.
    pub const fn within(&self, timeout: Duration) -> Statements<'_> {
        Statements { session: self, within: timeout }
    }

    fn statements(&self) -> Statements<'_> {
        self.within(self.tuning.statement_timeout + GRACE)
    }

    /// The one way on which all statements go.
    pub(super) async fn run<T>(
        &self,
        sql: &str,
        within: Duration,
        rows: fn(&T) -> Option<u64>,
        work: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, PgError> {
        let failures = self.failed.count();
        let mut running = Running { session: self, sql, began: Instant::now(), is_over: false };
        let mut work = pin!(work);
        let (ended, is_late) = match timeout(within, work.as_mut()).await {
            Ok(ended) => (Some(ended), false),
            Err(_) => (self.cancel(running.began, work).await, true),
        };
        running.is_over = true;
        let took = running.began.elapsed();
        let result = self.judge(sql, ended, failures, took, is_late);
        let (rows, outcome) = match &result {
            Ok(value) => (rows(value), Outcome::Done),
            Err(error) if error.kind() == PgErrorKind::Timeout => (None, Outcome::TimedOut),
            Err(_) => (None, Outcome::Failed),
        };
        self.tuning.account.ended(|| normalize(sql), took, rows, outcome);
        result
    }

    fn judge<T>(
        &self,
        sql: &str,
        ended: Option<Result<T, Error>>,
        failures: u32,
        took: Duration,
        is_late: bool,
    ) -> Result<T, PgError> {
        let error = match ended {
            Some(Ok(value)) => {
                // One of nothing is right in an aborted transaction, too.
                if self.failed.is_failed() && openings(sql).next().is_some() {
                    self.failed.clear(failures);
                }
                return Ok(value);
            }
            Some(Err(error)) => error,
            None => return Err(PgError::new(PgErrorKind::Timeout, None)),
        };
        let of_server = kind(&error);
        match of_server {
            PgErrorKind::Lost => self.spoilt.set(Closed::Lost),
            PgErrorKind::Refused => self.failed.note(error.code()),
            _ => {}
        }
        // The same code is that of a cancel by somebody else.
        let is_timeout = is_cancelled(&error) && (is_late || took >= self.tuning.statement_timeout);
        Err(PgError::new(if is_timeout { PgErrorKind::Timeout } else { of_server }, Some(error)))
    }

    /// Asks the server to cancel the statement, and waits for its end. Whatever cannot be proved to
    /// be the end of this very cancel spoils the connection: the statement that ended by itself and
    /// the one that ran into the server's own timeout leave a cancel on its way.
    async fn cancel<T>(
        &self,
        began: Instant,
        work: Pin<&mut impl Future<Output = Result<T, Error>>>,
    ) -> Option<Result<T, Error>> {
        let asked = timeout(CANCEL, self.ask_to_cancel()).await;
        let ended = timeout(CANCEL, work).await.ok();
        let is_done = matches!(asked, Ok(Ok(Asked::Done)));
        let is_ours = began.elapsed() < self.tuning.statement_timeout;
        let is_hit = matches!(&ended, Some(Err(error)) if is_cancelled(error));
        if !(is_done && is_ours && is_hit) {
            self.spoilt.set(Closed::Unconfirmed);
        }
        ended
    }

    fn ask_to_cancel(&self) -> Dialled<Asked, io::Error> {
        self.tuning.dial.cancel(self.client.cancel_token(), &self.tuning.config)
    }

    pub(super) const fn client(&self) -> &ClientWrapper {
        &self.client
    }

    pub(super) const fn client_mut(&mut self) -> &mut ClientWrapper {
        &mut self.client
    }

    pub(super) const fn failed(&self) -> &Failed {
        &self.failed
    }

    pub(super) fn spoil(&self, why: Closed) {
        self.spoilt.set(why);
    }

    /// Takes note of statements that leave something to whoever has the connection next. The words
    /// are looked at, since the driver does not show the server's state of the transaction.
    pub(super) fn heed(&self, sql: &str, statements: usize) {
        for [first, second] in openings(sql).take(statements) {
            let is =
                |words: &[&str], word: &str| words.iter().any(|w| w.eq_ignore_ascii_case(word));
            // These end with the transaction.
            let is_local = is(&["LOCAL", "TRANSACTION", "CONSTRAINTS"], second);
            if is(&["BEGIN", "START"], first) {
                self.is_begun.store(true, Relaxed);
            } else if is(&["LISTEN", "DISCARD", "DEALLOCATE"], first)
                || (is(&["SET", "PREPARE"], first) && !is_local)
            {
                self.spoil(Closed::Changed);
            }
        }
    }

    /// The transaction is over.
    pub(super) fn ended(&self) {
        self.is_begun.store(false, Relaxed);
    }
}

fn is_cancelled(error: &Error) -> bool {
    error.code() == Some(&SqlState::QUERY_CANCELED)
}

impl Spoilable for Session {
    fn spoilt(&self) -> Option<Closed> {
        self.spoilt.get().or_else(|| self.client.is_closed().then_some(Closed::Lost))
    }

    /// Puts a `ROLLBACK` behind whatever is on its way, without waiting for it: whoever has the
    /// connection next comes after it. A spoilt connection is closed, and the server rolls back.
    fn given_back(&self) {
        if self.is_begun.swap(false, Relaxed) && self.spoilt().is_none() {
            let rollback = pin!(self.client.batch_execute("ROLLBACK"));
            // It is sent by the first poll.
            let _ = rollback.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("spoilt", &self.spoilt).finish_non_exhaustive()
    }
}

/// A statement that is on its way. Dropped before its end, it is cancelled, and nobody uses the
/// connection any more.
struct Running<'a> {
    session: &'a Session,
    sql: &'a str,
    began: Instant,
    is_over: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.session.spoil(Closed::Abandoned);
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(timeout(CANCEL, self.session.ask_to_cancel())));
        }
        let took = self.began.elapsed();
        self.session.tuning.account.ended(|| normalize(self.sql), took, None, Outcome::Abandoned);
    }
}

/// Whether the last statement that the server has answered failed: then a transaction is aborted,
/// and a `COMMIT` would roll it back without a word.
#[derive(Debug, Default)]
pub(super) struct Failed {
    state: AtomicU8,
    count: AtomicU32,
}

const FAILED: u8 = 1;
const CONFLICT: u8 = 2;

impl Failed {
    /// How many there were so far.
    fn count(&self) -> u32 {
        self.count.load(Relaxed)
    }

    /// A statement was right that was begun after so many failures. If there was another one since,
    /// it was perhaps sent before that, and says nothing of it: answers that have come together are
    /// read in any order.
    fn clear(&self, failures: u32) {
        if self.count() == failures {
            self.state.store(0, Relaxed);
        }
    }

    fn note(&self, code: Option<&SqlState>) {
        let failure = if is_conflict(code) { CONFLICT } else { FAILED };
        // What comes after a conflict fails too (25P02), and says nothing new.
        self.state.fetch_max(failure, Relaxed);
        self.count.fetch_add(1, Relaxed);
    }

    pub(super) fn is_failed(&self) -> bool {
        self.state.load(Relaxed) >= FAILED
    }

    /// By another transaction: this one may be tried again.
    pub(super) fn is_conflict(&self) -> bool {
        self.state.load(Relaxed) == CONFLICT
    }
}

/// 40001 and 40P01.
pub(super) fn is_conflict(code: Option<&SqlState>) -> bool {
    let conflicts = [&SqlState::T_R_SERIALIZATION_FAILURE, &SqlState::T_R_DEADLOCK_DETECTED];
    code.is_some_and(|code| conflicts.contains(&code))
}
