//! The books in an embedded `SQLite`.

use std::path::Path;

use buttress::{
    health::{Entry, FnCheck},
    source::{CheckError, CheckReport},
};
use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Row, TransactionBehavior,
    ffi::SQLITE_CONSTRAINT_UNIQUE, params,
};

use super::{
    Book, Error, NewBook, NewOrder, OpenError, Order,
    migrations::{APPLIED, APPLY, TABLE, pending},
};
use crate::embedded::{self, Embedded};

const PAGE: &str =
    "SELECT id, isbn, title, author, stock FROM books ORDER BY id LIMIT ?1 OFFSET ?2";
const BOOK: &str = "SELECT id, isbn, title, author, stock FROM books WHERE id = ?1";
const ADD: &str = "INSERT INTO books (isbn, title, author, stock) VALUES (?1, ?2, ?3, ?4)";
const TAKE: &str = "UPDATE books SET stock = stock - ?2 WHERE id = ?1 AND stock >= ?2";
const STOCK: &str = "SELECT stock FROM books WHERE id = ?1";
const ORDER: &str = "INSERT INTO orders (book_id, copies) VALUES (?1, ?2)";
const ORDERED: &str = "SELECT id, book_id, copies FROM orders WHERE id = ?1";
/// It is read from the file; what names no table would be answered without it.
const PROBE: &str = "SELECT count(*) FROM schema_migrations";

/// The most pages of 4 KiB in memory: what clients send must not fill it. A file has its disk.
const MOST_PAGES: u32 = 4096;

#[derive(Clone, Debug)]
pub(crate) struct Books(Embedded<Connection>);

impl Books {
    pub(super) fn open(file: Option<&Path>) -> Result<Self, OpenError> {
        let mut connection = embedded::open(file)?;
        if file.is_none() {
            connection.pragma_update(None, "max_page_count", MOST_PAGES)?;
        }
        connection.pragma_update(None, "foreign_keys", true)?;
        migrate(&mut connection)?;
        Ok(Self(Embedded::new("books", connection)))
    }

    pub(super) fn checks(&self) -> Vec<Entry> {
        let books = self.0.clone();
        let check = FnCheck::new("books", move || {
            let books = books.clone();
            async move {
                let probe = |books: &mut Connection| {
                    books.query_row(PROBE, [], |_| Ok(()))?;
                    Ok::<_, Error>(())
                };
                books
                    .with(probe)
                    .await
                    .map_err(|error| CheckError::failed("no answer").because(error))?;
                Ok(CheckReport::ok())
            }
        });
        vec![Entry::critical(check)]
    }

    pub(super) async fn page(&self, limit: i64, offset: i64) -> Result<Vec<Book>, Error> {
        let page = move |books: &mut Connection| {
            let mut select = books.prepare(PAGE)?;
            let rows = select.query_map([limit, offset], book)?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.0.with(page).await
    }

    pub(super) async fn book(&self, id: i64) -> Result<Book, Error> {
        let find = move |books: &mut Connection| {
            books.query_row(BOOK, [id], book).optional()?.ok_or(Error::NoBook)
        };
        self.0.with(find).await
    }

    pub(super) async fn add(&self, new: NewBook) -> Result<Book, Error> {
        let add = move |books: &mut Connection| {
            let NewBook { isbn, title, author, stock } = &new;
            match books.execute(ADD, params![isbn, title, author, stock]) {
                Ok(_) => Ok(new.with_id(books.last_insert_rowid())),
                Err(error) if is_duplicate(&error) => Err(Error::Known),
                Err(error) => Err(error.into()),
            }
        };
        self.0.with(add).await
    }

    pub(super) async fn order(&self, new: NewOrder) -> Result<Order, Error> {
        let order = move |books: &mut Connection| {
            let NewOrder { book, copies } = new;
            // It writes in any case: so it has the file for itself from the start.
            let change = books.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if change.execute(TAKE, params![book, copies])? == 0 {
                let stock = change.query_row(STOCK, [book], |row| row.get(0)).optional()?;
                return Err(stock.map_or(Error::NoBook, |stock| Error::TooFew { stock }));
            }
            change.execute(ORDER, params![book, copies])?;
            let id = change.last_insert_rowid();
            change.commit()?;
            Ok(new.with_id(id))
        };
        self.0.with(order).await
    }

    pub(super) async fn ordered(&self, id: i64) -> Result<Order, Error> {
        let find = move |books: &mut Connection| {
            books.query_row(ORDERED, [id], order).optional()?.ok_or(Error::NoOrder)
        };
        self.0.with(find).await
    }
}

fn book(row: &Row<'_>) -> rusqlite::Result<Book> {
    Ok(Book {
        id: row.get(0)?,
        isbn: row.get(1)?,
        title: row.get(2)?,
        author: row.get(3)?,
        stock: row.get(4)?,
    })
}

fn order(row: &Row<'_>) -> rusqlite::Result<Order> {
    Ok(Order { id: row.get(0)?, book: row.get(1)?, copies: row.get(2)? })
}

fn is_duplicate(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::ConstraintViolation
            && error.extended_code == SQLITE_CONSTRAINT_UNIQUE
    })
}

/// All of them or none, with the file for itself: another instance waits, and finds them applied.
fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    change.execute_batch(TABLE)?;
    let applied: Vec<String> =
        change.prepare(APPLIED)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for (position, migration) in pending(&applied)? {
        change.execute_batch(migration.sqlite)?;
        change.execute(APPLY, params![position, migration.name])?;
    }
    Ok(change.commit()?)
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use buttress::problem::IntoProblem;

    use super::*;

    fn new(isbn: String) -> NewBook {
        NewBook { isbn, title: "Middlemarch".into(), author: "George Eliot".into(), stock: 1 }
    }

    #[tokio::test]
    async fn books_in_memory_do_not_fill_it() {
        let books = Books::open(None).unwrap();
        let first = books.add(new("first".into())).await.unwrap();
        let fill = |books: &mut Connection| {
            let insert = "INSERT INTO books (isbn, title, author, stock) \
                          VALUES (hex(randomblob(8)), '', zeroblob(?1), 1)";
            // Ever smaller ones, each more often than there is room for.
            for bytes in [1 << 20, 1 << 16, 1 << 12, 1 << 8] {
                for _ in 0..100 {
                    let _ = books.execute(insert, [bytes]);
                }
            }
            Ok::<_, Error>(books.query_row("PRAGMA page_count", [], |row| row.get::<_, u32>(0))?)
        };
        // The last one may have wanted some pages at once.
        let pages = books.0.with(fill).await.unwrap();
        assert!((MOST_PAGES - 8..=MOST_PAGES).contains(&pages), "{pages}");
        let mut isbns = (0..1000).map(|isbn| isbn.to_string());
        let full = loop {
            let isbn = isbns.next().expect("there is always room for another book");
            if let Err(error) = books.add(new(isbn)).await {
                break error;
            }
        };
        assert_eq!(full.to_problem().status(), StatusCode::INSUFFICIENT_STORAGE, "{full:?}");
        // What is there is there still.
        assert_eq!(books.book(first.id).await.unwrap().title, "Middlemarch");
    }
}
