//! Keys that were seen, so that none comes twice.
//!
//! The keys of all open objects lie one after the other in one arena, so memory is never more
//! than what the client has sent and a few words for each key. A few keys are compared with each
//! other; past [`LINEAR`] an object has an index by a keyed hash (SipHash-1-3 under the standard
//! library's random keys), so that nobody can choose keys that fall together. A hash only finds;
//! equal are keys whose bytes are.

use std::hash::{BuildHasher as _, RandomState};

/// So many keys are compared with each other: at most this often for each, and mostly by one word.
const LINEAR: usize = 32;

/// Room for the keys of a small document, so that it is asked for once.
const FIRST_BYTES: usize = 256;
const FIRST_KEYS: usize = 16;

/// The keys of one object.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Level {
    // Where its keys begin, in each of the stacks.
    arena: usize,
    entries: usize,
    slots: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    len: usize,
    // A fingerprint, or the hash where the object has an index.
    mark: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Keys {
    arena: Vec<u8>,
    entries: Vec<Entry>,
    // The index of the last level: a power of two of slots, each a key's number + 1 or 0. What is
    // below belongs to the levels below.
    slots: Vec<u32>,
    secret: RandomState,
    #[cfg(test)]
    pub(crate) cost: u64,
}

impl Keys {
    /// Makes room before the first key comes.
    #[inline]
    pub(crate) fn make_room(&mut self) {
        if self.arena.capacity() == 0 {
            self.arena.reserve(FIRST_BYTES);
            self.entries.reserve(FIRST_KEYS);
        }
    }

    /// Opens an object within the last.
    #[inline]
    pub(crate) fn open(&self) -> Level {
        Level { arena: self.arena.len(), entries: self.entries.len(), slots: self.slots.len() }
    }

    /// Closes the last object.
    #[inline]
    pub(crate) fn close(&mut self, level: Level) {
        self.arena.truncate(level.arena);
        self.entries.truncate(level.entries);
        self.slots.truncate(level.slots);
    }

    /// Where the key begins that is now collected.
    #[inline]
    pub(crate) fn begin(&self) -> usize {
        self.arena.len()
    }

    #[inline]
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.arena.extend_from_slice(bytes);
    }

    #[inline]
    pub(crate) fn from(&self, start: usize) -> &[u8] {
        self.arena.get(start..).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn get(&self, start: usize, len: usize) -> &[u8] {
        self.arena.get(start..start + len).unwrap_or_default()
    }

    /// Takes what was collected since `start` as a key of this, the last, object. Whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, level: Level, start: usize) -> bool {
        let (_, key) = self.arena.split_at_checked(start).unwrap_or((&[], &[]));
        let (_, entries) = self.entries.split_at_checked(level.entries).unwrap_or((&[], &[]));
        if entries.len() >= LINEAR {
            return self.insert_indexed(level, start);
        }
        let mark = fingerprint(key);
        #[cfg(test)]
        {
            self.cost += entries.len() as u64;
        }
        for entry in entries {
            if entry.mark == mark && self.get(entry.start, entry.len) == key {
                return false;
            }
        }
        let len = key.len();
        self.entries.push(Entry { start, len, mark });
        true
    }

    #[cold]
    fn make_index(&mut self, level: Level, room: usize) {
        self.slots.truncate(level.slots);
        self.slots.resize(level.slots + room, 0);
        let mut entries = std::mem::take(&mut self.entries);
        for (number, entry) in entries.iter_mut().skip(level.entries).enumerate() {
            // The first index is made of keys that have no hash yet.
            if number < LINEAR && room == 4 * LINEAR {
                entry.mark = self.secret.hash_one(self.get(entry.start, entry.len));
            }
            if let Some(slot) = self.slots.get_mut(level.slots..).and_then(|slots| {
                let free = probe(slots, entry.mark).find(|at| slots.get(*at) == Some(&0))?;
                slots.get_mut(free)
            }) {
                *slot = u32::try_from(number + 1).unwrap_or(u32::MAX);
            }
            #[cfg(test)]
            {
                self.cost += 1;
            }
        }
        self.entries = entries;
    }

    fn insert_indexed(&mut self, level: Level, start: usize) -> bool {
        let count = self.entries.len() - level.entries;
        let room = self.slots.len() - level.slots;
        // At most half full. A power of two, from 4 × LINEAR on.
        if room < 2 * (count + 1) {
            self.make_index(level, if room == 0 { 4 * LINEAR } else { 2 * room });
        }
        let key = self.from(start);
        let (mark, len) = (self.secret.hash_one(key), key.len());
        let slots = self.slots.get(level.slots..).unwrap_or_default();
        let mut free = None;
        for at in probe(slots, mark) {
            #[cfg(test)]
            {
                self.cost += 1;
            }
            let Some(number) = slots.get(at).and_then(|slot| slot.checked_sub(1)) else {
                free = Some(at);
                break;
            };
            let entry = self.entries.get(level.entries + number as usize);
            if entry.is_some_and(|entry| {
                entry.mark == mark && self.get(entry.start, entry.len) == self.from(start)
            }) {
                return false;
            }
        }
        if let Some(slot) = free.and_then(|at| self.slots.get_mut(level.slots + at)) {
            *slot = u32::try_from(count + 1).unwrap_or(u32::MAX);
        }
        self.entries.push(Entry { start, len, mark });
        true
    }
}

/// The slots in which a hash may be, one after the other, each once.
fn probe(slots: &[u32], mark: u64) -> impl Iterator<Item = usize> + use<> {
    let mask = slots.len().saturating_sub(1);
    let first = usize::try_from(mark & mask as u64).unwrap_or_default();
    (0..slots.len()).map(move |step| (first + step) & mask)
}

/// One word that differs for most keys that differ: the first and the last eight bytes, and the
/// length.
#[inline]
fn fingerprint(key: &[u8]) -> u64 {
    let ends = match (key.first_chunk(), key.last_chunk()) {
        (Some(head), Some(tail)) => {
            u64::from_le_bytes(*head) ^ u64::from_le_bytes(*tail).rotate_left(29)
        }
        _ => match (key.first_chunk(), key.last_chunk()) {
            (Some(head), Some(tail)) => {
                u64::from(u32::from_le_bytes(*head)) | u64::from(u32::from_le_bytes(*tail)) << 32
            }
            _ => key.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        },
    };
    ends ^ (key.len() as u64) << 56
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(keys: &mut Keys, level: Level, key: &[u8]) -> bool {
        let start = keys.begin();
        keys.extend(key);
        keys.insert(level, start)
    }

    #[test]
    fn every_key_is_new_once_however_many_there_are() {
        for count in [1_usize, 31, 32, 33, 34, 64, 65, 66, 1_000, 10_000] {
            let mut keys = Keys::default();
            let level = keys.open();
            for number in 0..count {
                assert!(insert(&mut keys, level, number.to_string().as_bytes()), "{number}");
            }
            for number in 0..count {
                assert!(!insert(&mut keys, level, number.to_string().as_bytes()), "{number}");
            }
        }
    }

    #[test]
    fn an_object_within_another_knows_nothing_of_it_and_leaves_it_as_it_was() {
        let mut keys = Keys::default();
        let outer = keys.open();
        for number in 0..100 {
            assert!(insert(&mut keys, outer, format!("{number}").as_bytes()));
            let inner = keys.open();
            for number in 0..number {
                assert!(insert(&mut keys, inner, format!("{number}").as_bytes()));
            }
            keys.close(inner);
        }
        for number in 0..100 {
            assert!(!insert(&mut keys, outer, format!("{number}").as_bytes()));
        }
    }

    #[test]
    fn keys_of_one_fingerprint_are_told_apart() {
        // First and last eight bytes are the same.
        let mut keys = Keys::default();
        let level = keys.open();
        for number in 0..1_000 {
            let key = format!("aaaaaaaa{number:05}bbbbbbbb");
            assert_eq!(fingerprint(key.as_bytes()), fingerprint(b"aaaaaaaa00000bbbbbbbb"));
            assert!(insert(&mut keys, level, key.as_bytes()), "{key}");
        }
        assert!(!insert(&mut keys, level, b"aaaaaaaa00999bbbbbbbb"));
    }

    #[test]
    fn short_keys_have_fingerprints_of_their_own() {
        let mut marks: Vec<u64> = Vec::new();
        for one in [0, 1, b'a', 0xff] {
            marks.push(fingerprint(&[one]));
            for two in [0, 1, b'a', 0xff] {
                marks.extend([fingerprint(&[one, two]), fingerprint(&[one, two, 0])]);
                marks.extend([fingerprint(&[one, two, 0, 0]), fingerprint(&[0, 0, one, two, 0])]);
            }
        }
        let count = marks.len();
        marks.sort_unstable();
        marks.dedup();
        assert_eq!(marks.len(), count);
    }

    #[test]
    fn ten_thousand_keys_cost_less_than_twelve_times_a_thousand() {
        let cost = |count: u32, name: fn(u32) -> String| {
            let mut keys = Keys::default();
            let level = keys.open();
            for number in 0..count {
                insert(&mut keys, level, name(number).as_bytes());
            }
            keys.cost
        };
        for name in [|n| n.to_string(), |n| format!("aaaaaaaa{n:05}bbbbbbbb")] as [fn(u32) -> _; 2]
        {
            let (small, large) = (cost(1_000, name), cost(10_000, name));
            assert!(large < 12 * small, "{small} and {large}");
        }
    }
}
