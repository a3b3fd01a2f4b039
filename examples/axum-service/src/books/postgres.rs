//! The books in Postgres.

use std::time::Duration;

use buttress::{
    health::Entry,
    pool::{
        self, Backoff, Limits, PgError, PgPool, TxOptions,
        tokio_postgres::{IsolationLevel, Row, error::SqlState, types::FromSql},
        with_transaction,
    },
    shutdown::Shutdown,
};

use super::{
    Book, Error, NewBook, NewOrder, OpenError, Order,
    migrations::{APPLIED, APPLY, TABLE, pending},
};
use crate::CLOSING;

/// Well below the 30 s of a request: who asks is answered, whatever the server does.
const LIMITS: Limits = Limits::new()
    .wait(Duration::from_secs(2))
    .create(Duration::from_secs(2))
    .recycle(Duration::from_secs(1));
const STATEMENT: Duration = Duration::from_secs(3);
/// A migration waits for those of other instances, and may rewrite a table.
const MIGRATION: Duration = Duration::from_secs(600);

/// Whoever migrates this service's tables has the lock of this number; any one does, as long as
/// nobody else has it.
const LOCK: i64 = 0x626f_6f6b_7368_6f70;

/// A statement looks at what was committed before it, and one that changes a row waits for whoever
/// changes it already, and looks at it anew then (the manual of Postgres, 13.2.1). Of two orders of
/// one book the second sees what the first has left, and neither has to be tried again.
const READ_COMMITTED: TxOptions = TxOptions::new().isolation(IsolationLevel::ReadCommitted);

const PAGE: &str =
    "SELECT id, isbn, title, author, stock FROM books ORDER BY id LIMIT $1 OFFSET $2";
const BOOK: &str = "SELECT id, isbn, title, author, stock FROM books WHERE id = $1";
const ADD: &str =
    "INSERT INTO books (isbn, title, author, stock) VALUES ($1, $2, $3, $4) RETURNING id";
const TAKE: &str = "UPDATE books SET stock = stock - $2 WHERE id = $1 AND stock >= $2";
const STOCK: &str = "SELECT stock FROM books WHERE id = $1";
const ORDER: &str = "INSERT INTO orders (book_id, copies) VALUES ($1, $2) RETURNING id";
const ORDERED: &str = "SELECT id, book_id, copies FROM orders WHERE id = $1";

/// The server at this address, with so many connections at most. What takes so long is slow.
pub(super) fn server(
    url: &str,
    size: usize,
    slow: Duration,
) -> Result<pool::Postgres, pool::ConfigError> {
    let server = pool::Postgres::new(url)?.limits(LIMITS.size(size));
    Ok(server.statement_timeout(STATEMENT).slow_statement(slow))
}

#[derive(Clone, Debug)]
pub(crate) struct Books(PgPool);

impl Books {
    pub(super) async fn open(
        server: pool::Postgres,
        shutdown: &Shutdown,
    ) -> Result<Self, OpenError> {
        let pool = server.pool()?;
        // Once every request is answered, or given up. What is still out then is named by the pool,
        // which needs a moment for it.
        let closing = pool.clone();
        let closed = async move { closing.close_and_wait(CLOSING * 9 / 10).await };
        shutdown.phase("postgres", CLOSING, closed)?;
        pool.connect_with_retry(Backoff::new()).await?;
        migrate(&pool).await?;
        Ok(Self(pool))
    }

    pub(super) const fn pool(&self) -> &PgPool {
        &self.0
    }

    /// The books are what the service is there for: without them it is not ready. A pool that is
    /// used to its limit works, and more instances may help.
    pub(super) fn checks(&self) -> Vec<Entry> {
        vec![Entry::critical(self.0.check()), Entry::optional(self.0.saturation())]
    }

    pub(super) async fn page(&self, limit: i64, offset: i64) -> Result<Vec<Book>, Error> {
        let rows = self.0.get().await?.query(PAGE, &[&limit, &offset]).await?;
        rows.iter().map(book).collect()
    }

    pub(super) async fn book(&self, id: i64) -> Result<Book, Error> {
        let row = self.0.get().await?.query_opt(BOOK, &[&id]).await?;
        row.as_ref().map_or(Err(Error::NoBook), book)
    }

    /// In a transaction: where the connection breaks, it is known whether there is a new book.
    pub(super) async fn add(&self, new: NewBook) -> Result<Book, Error> {
        let NewBook { isbn, title, author, stock } = &new;
        let added = with_transaction(&self.0, READ_COMMITTED, |tx| {
            Box::pin(async move {
                let row = tx.query_one(ADD, &[isbn, title, author, stock]).await?;
                column(&row, 0)
            })
        });
        match added.await {
            Ok(id) => Ok(new.with_id(id)),
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Err(Error::Known),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn order(&self, new: NewOrder) -> Result<Order, Error> {
        with_transaction(&self.0, READ_COMMITTED, |tx| {
            Box::pin(async move {
                let NewOrder { book, copies } = new;
                if tx.execute(TAKE, &[&book, &copies]).await? == 0 {
                    let row = tx.query_opt(STOCK, &[&book]).await?.ok_or(Error::NoBook)?;
                    return Err(Error::TooFew { stock: column(&row, 0)? });
                }
                let row = tx.query_one(ORDER, &[&book, &copies]).await?;
                Ok(new.with_id(column(&row, 0)?))
            })
        })
        .await
    }

    pub(super) async fn ordered(&self, id: i64) -> Result<Order, Error> {
        let row = self.0.get().await?.query_opt(ORDERED, &[&id]).await?.ok_or(Error::NoOrder)?;
        Ok(Order { id: column(&row, 0)?, book: column(&row, 1)?, copies: column(&row, 2)? })
    }
}

fn book(row: &Row) -> Result<Book, Error> {
    Ok(Book {
        id: column(row, 0)?,
        isbn: column(row, 1)?,
        title: column(row, 2)?,
        author: column(row, 3)?,
        stock: column(row, 4)?,
    })
}

/// `Row::get` panics where the type is another one.
fn column<'r, T: FromSql<'r>>(row: &'r Row, index: usize) -> Result<T, PgError> {
    Ok(row.try_get(index)?)
}

/// Applies what is left, all of it or nothing. Of instances that start at once one does it, and the
/// others wait: for the lock, which ends with the transaction, however that ends.
async fn migrate(pool: &PgPool) -> Result<(), OpenError> {
    let applied = with_transaction(pool, READ_COMMITTED, |tx| {
        Box::pin(async move {
            let tx = tx.within(MIGRATION);
            let millis = MIGRATION.as_millis();
            tx.batch_execute(&format!("SET LOCAL statement_timeout = {millis}")).await?;
            tx.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
            tx.batch_execute(TABLE).await?;
            let rows = tx.query(APPLIED, &[]).await?;
            let applied: Vec<String> =
                rows.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?;
            let pending: Vec<_> = pending(&applied)?.collect();
            for (position, migration) in &pending {
                tx.batch_execute(migration.postgres).await?;
                tx.execute(APPLY, &[position, &migration.name]).await?;
            }
            Ok::<_, OpenError>(pending)
        })
    });
    for (position, migration) in applied.await? {
        tracing::info!(target: "books", "migrated: {position}, {}", migration.name);
    }
    Ok(())
}
