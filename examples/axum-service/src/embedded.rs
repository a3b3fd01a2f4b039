//! `SQLite` within the process. It blocks its thread, so it has one of its own.

use std::{path::Path, sync::Arc, time::Duration};

use buttress::{
    context::blocking,
    log::{Operation, operation},
};
use rusqlite::{Connection, OpenFlags};
use tokio::{
    sync::{Mutex, MutexGuard},
    task::JoinError,
};

/// How long another process may have the file for itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// Something that blocks. A clone shares it.
///
/// Every use is done even where its client has left: there is nothing to close when the service
/// ends.
#[derive(Debug)]
pub(crate) struct Embedded<T> {
    /// On the access line's counts, and in the log where it is slow.
    name: &'static str,
    /// One asks at a time, in the order in which they came: no more than one thread is blocked.
    held: Arc<Mutex<T>>,
}

impl<T: Send + 'static> Embedded<T> {
    pub(crate) fn new(name: &'static str, held: T) -> Self {
        Self { name, held: Arc::new(Mutex::new(held)) }
    }

    /// For what does not block.
    pub(crate) async fn lock(&self) -> MutexGuard<'_, T> {
        self.held.lock().await
    }

    /// Does what blocks.
    pub(crate) async fn with<R, E, F>(&self, work: F) -> Result<R, E>
    where
        R: Send + 'static,
        E: From<JoinError> + Send + 'static,
        F: FnOnce(&mut T) -> Result<R, E> + Send + 'static,
    {
        let work = async {
            let mut held = Arc::clone(&self.held).lock_owned().await;
            blocking(move || work(&mut held)).await?
        };
        // `db_count` and `db_ms` on the access line.
        operation(Operation::Db, self.name).time(work).await
    }
}

impl<T> Clone for Embedded<T> {
    fn clone(&self) -> Self {
        Self { name: self.name, held: Arc::clone(&self.held) }
    }
}

/// The database of this file, or one in memory.
pub(crate) fn open(file: Option<&Path>) -> rusqlite::Result<Connection> {
    let connection = match file {
        // A path, and never one of SQLite's URIs.
        Some(file) => Connection::open_with_flags(
            file,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        )?,
        None => Connection::open_in_memory()?,
    };
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}
