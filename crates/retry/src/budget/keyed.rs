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
    pots: Mutex<Pots>,
}

#[derive(Default)]
struct Pots {
    of: HashMap<Box<str>, Arc<Pot>>,
    /// So many newcomers do not look for room: all were in use a moment ago.
    turned_away: usize,
    #[cfg(test)]
    looked_at: usize,
}

/// A search of all of them is paid for by this share of as many newcomers, so that each costs the
/// same however many are kept.
const SEARCHED_EVERY: usize = 16;

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
        if let Some(pot) = pots.of.get(host) {
            return Arc::clone(pot);
        }
        if pots.of.len() >= hosts.capacity && !pots.make_room() {
            return Arc::clone(&self.common);
        }
        let pot = hosts.budget.pot();
        pots.of.insert(host.into(), Arc::clone(&pot));
        pot
    }

    /// How many hosts have one of their own.
    pub(crate) fn hosts(&self) -> usize {
        self.hosts.as_ref().map_or(0, |hosts| hosts.lock().of.len())
    }
}

impl Hosts {
    fn lock(&self) -> MutexGuard<'_, Pots> {
        self.pots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pots {
    /// All at once that nobody uses and that say nothing, so that the next newcomers need not look.
    fn make_room(&mut self) -> bool {
        if self.turned_away > 0 {
            self.turned_away -= 1;
            return false;
        }
        let before = self.of.len();
        #[cfg(test)]
        {
            self.looked_at += before;
        }
        self.of.retain(|_, pot| Arc::strong_count(pot) > 1 || !pot.is_at_rest());
        let is_room = self.of.len() < before;
        if !is_room {
            self.turned_away = before / SEARCHED_EVERY;
        }
        is_room
    }
}

#[cfg(test)]
impl Budgets {
    /// How many budgets were looked at for one that can go.
    pub(crate) fn looked_at(&self) -> usize {
        self.hosts.as_ref().map_or(0, |hosts| hosts.lock().looked_at)
    }
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets")
            .field("common", &self.common)
            .field("hosts", &self.hosts())
            .finish()
    }
}
