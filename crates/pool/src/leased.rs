//! A connection that is out, until it is given back.

use std::{
    ops::{Deref, DerefMut},
    panic::Location,
    sync::Arc,
    time::Instant,
};

use deadpool::managed::Object;

use crate::{
    core::Core,
    kept::{Driver, Kept, Manager, Spoilable},
};

/// A connection that is out. Its parts are dropped in this order: given back first, told then.
pub(crate) struct Leased<D: Driver> {
    object: Object<Manager<D>>,
    end: End<D>,
}

struct End<D: Driver> {
    core: Arc<Core<D>>,
    id: u64,
    is_spoilt: bool,
}

impl<D: Driver> Leased<D> {
    pub(crate) fn new(
        object: Object<Manager<D>>,
        core: Arc<Core<D>>,
        place: &'static Location<'static>,
    ) -> Self {
        let id = core.leases.begin(place);
        Self { object, end: End { core, id, is_spoilt: false } }
    }
}

impl<D: Driver> Deref for Leased<D> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        &self.object.connection
    }
}

impl<D: Driver> DerefMut for Leased<D> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        &mut self.object.connection
    }
}

impl<D: Driver> Drop for Leased<D> {
    fn drop(&mut self) {
        self.object.connection.given_back();
        self.object.idle_since = Instant::now();
        self.end.is_spoilt = self.object.connection.spoilt().is_some();
    }
}

impl<D: Driver> Drop for End<D> {
    fn drop(&mut self) {
        if self.is_spoilt {
            // At once, and not when somebody wants it next: the server holds its end open.
            let removed =
                self.core.pool.retain(|kept: &Kept<_>, _| kept.connection.spoilt().is_none());
            drop(removed);
        }
        let out = self.core.leases.end(self.id);
        self.core.counts.usages.add(out);
    }
}
