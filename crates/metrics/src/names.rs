//! Routes, and the peers of a client: few, and each known again without an allocation.

use std::hash::{BuildHasher, RandomState};

use crate::{labels::Place, latency::Latency, table::Table};

/// A route, or a peer's host and port, and how long requests to it took.
pub(crate) struct Name {
    pub(crate) place: Place,
    pub(crate) text: Box<str>,
    /// A peer's; 0 is none.
    pub(crate) port: u16,
    pub(crate) latency: Latency,
}

impl Name {
    fn new(place: Place, text: &str, port: u16) -> Self {
        Self { place, text: text.into(), port, latency: Latency::new() }
    }
}

/// At most so many names; the rest counts as one.
pub(crate) struct Names {
    table: Table<Box<Name>>,
    unknown: Name,
    overflow: Name,
    /// So that nobody who chooses names can make them collide.
    seed: u64,
}

impl Names {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            table: Table::new(limit),
            unknown: Name::new(Place::UNKNOWN, "", 0),
            overflow: Name::new(Place::OVERFLOW, "", 0),
            seed: RandomState::new().hash_one(0),
        }
    }

    #[inline]
    pub(crate) fn find(&self, text: &str, port: u16) -> &Name {
        let key = hash(self.seed ^ u64::from(port), text.as_bytes());
        let make = |at| Box::new(Name::new(Place::named(at), text, port));
        self.table
            .find_or_add(key, |name| name.port == port && *name.text == *text, make)
            .map_or(&self.overflow, AsRef::as_ref)
    }

    pub(crate) fn at(&self, place: Place) -> &Name {
        match place.as_named() {
            Some(at) => self.table.nth(at).map_or(&self.overflow, AsRef::as_ref),
            None if place == Place::UNKNOWN => &self.unknown,
            None => &self.overflow,
        }
    }

    /// The unknown first and the overflow last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Name> {
        let named = self.table.iter().map(AsRef::as_ref);
        [&self.unknown].into_iter().chain(named).chain([&self.overflow])
    }
}

/// Eight bytes at a time; good enough for a table of a few thousand.
#[inline]
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    for (place, byte) in last.iter_mut().zip(rest) {
        *place = *byte;
    }
    let words = chunks.iter().chain([&last]).map(|chunk| u64::from_le_bytes(*chunk));
    words.fold(seed ^ bytes.len() as u64, |hash, word| {
        let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 32
    })
}
