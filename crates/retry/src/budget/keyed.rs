//! The budgets of a layer: one, or one for each host, as many as there may be.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Budget, Pot};

pub(crate) struct Budgets {
    /// Of all requests, or of those whose host has none of its own.
    common: Arc<Pot>,
    hosts: Option<Hosts>,
}

struct Hosts {
    budget: Budget,
    capacity: usize,
    pots: Mutex<HashMap<Box<str>, Arc<Pot>>>,
}

impl Budgets {
    pub(crate) fn new(budget: &Budget) -> Self {
        let hosts = budget.hosts().map(|capacity| Hosts {
            budget: *budget,
            capacity,
            pots: Mutex::default(),
        });
        Self { common: budget.pot(), hosts }
    }

    #[inline]
    pub(crate) const fn common(&self) -> &Arc<Pot> {
        &self.common
    }

    /// The budget of a request, where it is not simply the common one: that of its host, or one
    /// that has to know when the request has ended.
    #[inline]
    pub(crate) fn own<'h>(&self, host: impl FnOnce() -> Option<&'h str>) -> Option<Arc<Pot>> {
        if self.hosts.is_some()
            && let Some(host) = host()
        {
            return Some(self.of(host));
        }
        self.common.counts_active().then(|| Arc::clone(&self.common))
    }

    /// The host's own.
    pub(crate) fn of(&self, host: &str) -> Arc<Pot> {
        let Some(hosts) = &self.hosts else { return Arc::clone(&self.common) };
        let mut pots = hosts.lock();
        if let Some(pot) = pots.get(host) {
            return Arc::clone(pot);
        }
        if pots.len() >= hosts.capacity && !make_room(&mut pots) {
            return Arc::clone(&self.common);
        }
        let pot = hosts.budget.pot();
        pots.insert(host.into(), Arc::clone(&pot));
        pot
    }

    /// How many hosts have one of their own.
    pub(crate) fn hosts(&self) -> usize {
        self.hosts.as_ref().map_or(0, |hosts| hosts.lock().len())
    }
}

impl Hosts {
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Pot>>> {
        self.pots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All at once that nobody uses and that say nothing, so that the next newcomers need not look.
fn make_room(pots: &mut HashMap<Box<str>, Arc<Pot>>) -> bool {
    let before = pots.len();
    pots.retain(|_, pot| Arc::strong_count(pot) > 1 || !pot.is_at_rest());
    pots.len() < before
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets")
            .field("common", &self.common)
            .field("hosts", &self.hosts())
            .finish()
    }
}
