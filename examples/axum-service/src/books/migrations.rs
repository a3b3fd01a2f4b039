//! The tables, step by step.

use super::OpenError;

/// A step. Once it has been applied anywhere it is never changed: the next one mends it.
#[derive(Debug)]
pub(super) struct Migration {
    pub(super) name: &'static str,
    pub(super) postgres: &'static str,
    pub(super) sqlite: &'static str,
}

/// In their order, from 1. An older instance works on while a newer one applies them, and after
/// that: so they add, and take away only what no instance uses any more.
pub(super) const MIGRATIONS: [Migration; 3] = [
    Migration {
        name: "books",
        postgres: "CREATE TABLE books (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            isbn text NOT NULL CONSTRAINT books_isbn UNIQUE,
            title text NOT NULL,
            author text NOT NULL,
            stock integer NOT NULL CHECK (stock >= 0)
        )",
        sqlite: "CREATE TABLE books (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            isbn TEXT NOT NULL UNIQUE,
            title TEXT NOT NULL,
            author TEXT NOT NULL,
            stock INTEGER NOT NULL CHECK (stock >= 0)
        )",
    },
    Migration {
        name: "orders",
        postgres: "CREATE TABLE orders (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            book_id bigint NOT NULL REFERENCES books,
            copies integer NOT NULL CHECK (copies > 0),
            ordered_at timestamptz NOT NULL DEFAULT now()
        )",
        sqlite: "CREATE TABLE orders (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            book_id INTEGER NOT NULL REFERENCES books,
            copies INTEGER NOT NULL CHECK (copies > 0),
            ordered_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
        )",
    },
    Migration {
        name: "orders_by_book",
        postgres: "CREATE INDEX orders_by_book ON orders (book_id)",
        sqlite: "CREATE INDEX orders_by_book ON orders (book_id)",
    },
];

/// Which of them were applied, by their names.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    position integer PRIMARY KEY,
    name text NOT NULL
)";
pub(super) const APPLIED: &str = "SELECT name FROM schema_migrations ORDER BY position";
/// To both, `$1` and `$2` are parameters.
pub(super) const APPLY: &str = "INSERT INTO schema_migrations (position, name) VALUES ($1, $2)";

/// Those that are left, each with its position. Where a newer instance has applied more than this
/// one knows, there are none.
pub(super) fn pending(
    applied: &[String],
) -> Result<impl Iterator<Item = (i32, &'static Migration)> + use<>, OpenError> {
    for (position, (known, applied)) in (1..).zip(MIGRATIONS.iter().zip(applied)) {
        if known.name != applied {
            let (applied, known) = (applied.clone(), known.name);
            return Err(OpenError::Diverged { position, applied, known });
        }
    }
    Ok((1..).zip(&MIGRATIONS).skip(applied.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(applied: &[&str]) -> Result<Vec<(i32, &'static str)>, String> {
        let applied: Vec<_> = applied.iter().map(|&name| name.to_owned()).collect();
        let left = pending(&applied).map_err(|error| error.to_string())?;
        Ok(left.map(|(position, migration)| (position, migration.name)).collect())
    }

    #[test]
    fn what_was_applied_is_not_applied_again() {
        let all = [(1, "books"), (2, "orders"), (3, "orders_by_book")];
        assert_eq!(left(&[]).unwrap(), all);
        assert_eq!(left(&["books"]).unwrap(), all[1..]);
        assert_eq!(left(&["books", "orders", "orders_by_book"]).unwrap(), []);
        let newer = ["books", "orders", "orders_by_book", "of another version"];
        assert_eq!(left(&newer).unwrap(), []);
    }

    #[test]
    fn tables_of_another_history_are_left_alone() {
        let error = left(&["books", "customers"]).unwrap_err();
        assert!(error.contains(r#"migration 2 was "customers""#), "{error}");
    }
}
