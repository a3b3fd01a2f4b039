//! The secrets in `SQLite`. It blocks.

use std::path::Path;

use buttress::seal::{SealError, Sealed};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::{embedded, error::Error};

/// How many there may be: a rotation writes each to the disk by itself, within a request's time.
const MOST: i64 = 500;

/// An id is never given twice: what somebody has kept of a row that is gone opens in no other one.
/// And what a rotation has replaced is overwritten.
const SCHEMA: &str = "
    PRAGMA secure_delete = ON;
    CREATE TABLE IF NOT EXISTS secrets (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        value TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS canary (
        is_one INTEGER PRIMARY KEY CHECK (is_one = 1),
        value TEXT NOT NULL
    );
";

#[derive(Debug)]
pub(super) struct Table(Connection);

/// A row.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) sealed: String,
}

impl Table {
    /// In this file, or in memory.
    pub(super) fn open(file: Option<&Path>) -> rusqlite::Result<Self> {
        let connection = embedded::open(file)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self(connection))
    }

    /// The canary; this one, where there is none yet.
    pub(super) fn canary_or(&self, canary: &str) -> rusqlite::Result<String> {
        self.0.execute("INSERT OR IGNORE INTO canary VALUES (1, ?1)", [canary])?;
        self.canary()
    }

    pub(super) fn canary(&self) -> rusqlite::Result<String> {
        self.0.query_row("SELECT value FROM canary", [], |row| row.get(0))
    }

    pub(super) fn put_canary(&self, canary: &str) -> rusqlite::Result<()> {
        self.0.execute("UPDATE canary SET value = ?1", [canary]).map(drop)
    }

    /// Adds a row, whose value is sealed once its id is known.
    pub(super) fn insert(
        &mut self,
        name: &str,
        seal: impl FnOnce(i64) -> Result<Sealed<String>, SealError>,
    ) -> Result<i64, Error> {
        let change = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let count: i64 = change.query_row("SELECT count(*) FROM secrets", [], |row| row.get(0))?;
        if count >= MOST {
            return Err(Error::Full);
        }
        change.execute("INSERT INTO secrets (name, value) VALUES (?1, '')", [name])?;
        let id = change.last_insert_rowid();
        let sealed = seal(id)?;
        let update = "UPDATE secrets SET value = ?2 WHERE id = ?1";
        change.execute(update, params![id, sealed.as_str()])?;
        change.commit()?;
        Ok(id)
    }

    pub(super) fn row(&self, id: i64) -> rusqlite::Result<Option<Stored>> {
        let select = "SELECT name, value FROM secrets WHERE id = ?1";
        let stored = self
            .0
            .query_row(select, [id], |row| Ok(Stored { name: row.get(0)?, sealed: row.get(1)? }));
        stored.optional()
    }

    /// The next rows after this one.
    pub(super) fn after(&self, id: i64, limit: usize) -> rusqlite::Result<Vec<(i64, String)>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let select = "SELECT id, value FROM secrets WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut select = self.0.prepare(select)?;
        let rows = select.query_map(params![id, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    /// Whether it still held what it did.
    pub(super) fn replace(&self, id: i64, held: &str, sealed: &str) -> rusqlite::Result<bool> {
        let update = "UPDATE secrets SET value = ?3 WHERE id = ?1 AND value = ?2";
        Ok(self.0.execute(update, params![id, held, sealed])? == 1)
    }
}
