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
    /// So that names which collide in one process do not in another. Whoever finds some all the
    /// same gains a search through a full table.
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

    /// An empty name says nothing, and so does an empty label to Prometheus.
    #[inline]
    pub(crate) fn find(&self, text: &str, port: u16) -> &Name {
        if text.is_empty() {
            return &self.unknown;
        }
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
    let mix = |hash: u64, word: u64| {
        let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 32
    };
    let mut hash = seed ^ bytes.len() as u64;
    for chunk in bytes.as_chunks::<8>().0 {
        hash = mix(hash, u64::from_le_bytes(*chunk));
    }
    mix(hash, last_word(bytes))
}

/// The last eight bytes, or as many as there are. What overlaps with a word before does no harm.
fn last_word(bytes: &[u8]) -> u64 {
    if let Some(last) = bytes.last_chunk() {
        return u64::from_le_bytes(*last);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
    }
    bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
}
