//! Names of members, as they are written.

use super::{Bytes, Line, escape::is_clear};

/// `,"name":`, escaped. Short ones are a block of a size that the compiler knows.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// And behind it a `"`, for a value that is a text.
    block: [u8; BLOCK],
    length: usize,
    /// One that is longer.
    long: Option<Box<[u8]>>,
}

const BLOCK: usize = 32;

impl Key {
    pub(crate) fn new(name: &str) -> Self {
        let mut line = Line::default();
        line.push(b",");
        line.text(name);
        line.push(b":");
        let key = line.bytes;
        let mut block = [0; BLOCK];
        let short = key.len() < BLOCK;
        for (place, byte) in block.iter_mut().zip(key.iter().chain(b"\"")) {
            *place = *byte;
        }
        Self { block, length: key.len(), long: (!short).then(|| key.into()) }
    }
}

impl Line {
    /// Begins a member; without its comma where it is the first. Answers false where there is no
    /// room for it.
    #[inline]
    pub(crate) fn open(&mut self, key: &Key) -> bool {
        if self.is_full() {
            self.cut = true;
            return false;
        }
        if key.long.is_some() || self.bytes.last() == Some(&b'{') {
            self.open_slowly(key);
        } else {
            self.bytes.part(&key.block, key.length);
        }
        true
    }

    /// Writes a whole member whose value is ASCII that needs no escape. Answers false where it is
    /// not, and where there is no room; nothing is written then.
    #[inline]
    pub(crate) fn clear_member(&mut self, key: &Key, value: &[u8]) -> bool {
        let fits = self.bytes.len() + BLOCK + value.len() < self.limit && !self.full;
        let plain = key.long.is_none() && self.bytes.last() != Some(&b'{');
        if !fits || !plain || !is_clear(value) {
            return false;
        }
        self.bytes.part(&key.block, key.length + 1);
        self.bytes.extend_from_slice(value);
        self.bytes.push(b'"');
        true
    }

    #[cold]
    fn open_slowly(&mut self, key: &Key) {
        let written = match &key.long {
            Some(long) => long,
            None => key.block.get(..key.length).unwrap_or_default(),
        };
        match (self.bytes.last(), written.split_first()) {
            (Some(b'{'), Some((_, bare))) => self.push(bare),
            _ => self.push(written),
        }
    }
}
