//! Background tasks that somebody watches.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::task::AbortHandle;

use crate::gauge::Gauge;

type Name = Cow<'static, str>;

/// Those that run, and the names of those that have panicked.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    pub(crate) gauge: Arc<Gauge>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    running: BTreeMap<u64, (Name, AbortHandle)>,
    panicked: Vec<Name>,
}

impl Tasks {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn started(&self, name: Name, task: AbortHandle) -> u64 {
        let mut table = self.table();
        table.next += 1;
        let id = table.next;
        table.running.insert(id, (name, task));
        id
    }

    pub(crate) fn ended(&self, id: u64) {
        self.table().running.remove(&id);
    }

    pub(crate) fn panicked(&self, name: Name) {
        self.table().panicked.push(name);
    }

    pub(crate) fn names_of_panicked(&self) -> Vec<Name> {
        self.table().panicked.clone()
    }

    /// Ends those that still run, and names them.
    pub(crate) fn abort(&self) -> Vec<Name> {
        let running = std::mem::take(&mut self.table().running);
        running
            .into_values()
            .filter(|(_, task)| !task.is_finished())
            .map(|(name, task)| {
                task.abort();
                name
            })
            .collect()
    }
}
