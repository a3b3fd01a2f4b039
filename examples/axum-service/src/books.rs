//! A bookshop's stock and its orders: in Postgres where there is `DATABASE_URL`, else in an
//! embedded `SQLite`. The routes do not know which.

use std::path::PathBuf;

use buttress::{health::Entry, pool, sanitize::Page, shutdown::Shutdown};
use garde::Validate;
use serde::{Deserialize, Serialize};

pub(crate) use self::error::{Error, OpenError};
use crate::settings::Settings;

mod error;
mod migrations;
mod postgres;
pub(crate) mod routes;
mod sqlite;

/// The most copies of a book.
const MOST: i32 = 1_000_000;
/// The most copies of an order.
const MOST_AT_ONCE: i32 = 100;

/// Where the books are.
#[derive(Clone, Debug)]
pub(crate) enum Shelf {
    Postgres(Box<pool::Postgres>),
    /// In this file, or in memory.
    Sqlite(Option<PathBuf>),
}

/// The books and the orders. A clone shares them.
#[derive(Clone, Debug)]
pub(crate) enum Books {
    Postgres(postgres::Books),
    Sqlite(sqlite::Books),
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBook {
    /// ISBN-13, its digits alone.
    #[garde(custom(is_isbn))]
    isbn: String,
    #[garde(length(chars, min = 1, max = 200))]
    title: String,
    #[garde(length(chars, min = 1, max = 100))]
    author: String,
    #[garde(range(min = 0, max = MOST))]
    stock: i32,
}

#[derive(Debug, Serialize)]
pub(crate) struct Book {
    id: i64,
    isbn: String,
    title: String,
    author: String,
    stock: i32,
}

#[derive(Clone, Copy, Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrder {
    /// Its id.
    #[garde(range(min = 1))]
    book: i64,
    #[garde(range(min = 1, max = MOST_AT_ONCE))]
    copies: i32,
}

#[derive(Debug, Serialize)]
pub(crate) struct Order {
    id: i64,
    book: i64,
    copies: i32,
}

impl Shelf {
    pub(crate) fn of(settings: &Settings) -> Result<Self, pool::ConfigError> {
        let Some(url) = &settings.database_url else {
            return Ok(Self::Sqlite(settings.books_db.clone()));
        };
        let (size, slow) = (settings.database_pool.into(), settings.database_slow);
        Ok(Self::Postgres(Box::new(postgres::server(url.expose().as_str(), size, slow)?)))
    }

    /// Opens it, and brings its tables up to date. A server that is not up yet is waited for.
    pub(crate) async fn open(self, shutdown: &Shutdown) -> Result<Books, OpenError> {
        Ok(match self {
            Self::Postgres(server) => {
                Books::Postgres(postgres::Books::open(*server, shutdown).await?)
            }
            Self::Sqlite(file) => Books::Sqlite(sqlite::Books::open(file.as_deref())?),
        })
    }
}

impl Books {
    /// For the registry of health.
    pub(crate) fn checks(&self) -> Vec<Entry> {
        match self {
            Self::Postgres(books) => books.checks(),
            Self::Sqlite(books) => books.checks(),
        }
    }

    /// For a page of metrics, where there is one.
    pub(crate) const fn pool(&self) -> Option<&pool::PgPool> {
        match self {
            Self::Postgres(books) => Some(books.pool()),
            Self::Sqlite(_) => None,
        }
    }

    /// The books of a page, by their ids, and whether there are more.
    async fn page(&self, page: Page) -> Result<(Vec<Book>, bool), Error> {
        // One more than is shown.
        let (limit, offset) = (i64::from(page.limit()) + 1, page.offset().cast_signed());
        let mut books = match self {
            Self::Postgres(books) => books.page(limit, offset).await?,
            Self::Sqlite(books) => books.page(limit, offset).await?,
        };
        let shown = page.limit() as usize;
        let is_more = books.len() > shown;
        books.truncate(shown);
        Ok((books, is_more))
    }

    async fn book(&self, id: i64) -> Result<Book, Error> {
        match self {
            Self::Postgres(books) => books.book(id).await,
            Self::Sqlite(books) => books.book(id).await,
        }
    }

    async fn add(&self, book: NewBook) -> Result<Book, Error> {
        match self {
            Self::Postgres(books) => books.add(book).await,
            Self::Sqlite(books) => books.add(book).await,
        }
    }

    /// Takes the copies from the book's stock and writes the order: both, or neither.
    async fn order(&self, order: NewOrder) -> Result<Order, Error> {
        match self {
            Self::Postgres(books) => books.order(order).await,
            Self::Sqlite(books) => books.order(order).await,
        }
    }

    async fn ordered(&self, id: i64) -> Result<Order, Error> {
        match self {
            Self::Postgres(books) => books.ordered(id).await,
            Self::Sqlite(books) => books.ordered(id).await,
        }
    }
}

impl NewBook {
    fn with_id(self, id: i64) -> Book {
        let Self { isbn, title, author, stock } = self;
        Book { id, isbn, title, author, stock }
    }
}

impl NewOrder {
    const fn with_id(self, id: i64) -> Order {
        let Self { book, copies } = self;
        Order { id, book, copies }
    }
}

/// The weights of ISBN-13 are 1 and 3 in turn, and the sum is a multiple of ten (ISBN Users'
/// Manual, "Check digit").
fn is_isbn(isbn: &str, _: &()) -> garde::Result {
    let digits: Option<Vec<u32>> = isbn.chars().map(|digit| digit.to_digit(10)).collect();
    let sum = |digits: &[u32]| -> u32 {
        digits.iter().zip([1, 3].into_iter().cycle()).map(|(digit, weight)| digit * weight).sum()
    };
    match digits {
        Some(digits) if digits.len() == 13 && sum(&digits) % 10 == 0 => Ok(()),
        _ => {
            Err(garde::Error::new("is no ISBN-13: 13 digits, the last of which checks the others"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_isbn_has_its_check_digit_and_nothing_else() {
        for isbn in ["9780306406157", "9783161484100", "0000000000000"] {
            assert!(is_isbn(isbn, &()).is_ok(), "{isbn}");
        }
        for isbn in [
            "",
            "9780306406158",
            "978030640615",
            "97803064061570",
            "978-0-306-40615-7",
            "٩780306406157",
        ] {
            assert!(is_isbn(isbn, &()).is_err(), "{isbn}");
        }
    }
}
