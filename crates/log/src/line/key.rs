//! Names of members, as they are written.

use super::{Bytes, Line, MAX_LINE};

/// `,"name":`, escaped. Short ones are a block of a size that the compiler knows.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// And behind it a `"`, for a value that is a text.
    block: [u8; BLOCK],
    /// Of the key; of one that is longer than a block more than there is room for in any line.
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
        for (place, byte) in block.iter_mut().zip(key.iter().chain(b"\"")) {
            *place = *byte;
        }
        match key.len() {
            length @ 0..BLOCK => Self { block, length, long: None },
            _ => Self { block, length: MAX_LINE, long: Some(key.into()) },
        }
    }
}

impl Line {
    /// Begins a member; without its comma where it is the first. Answers false where there is no
    /// room for it.
    #[inline]
    pub(crate) fn open(&mut self, key: &Key) -> bool {
        if !self.takes(key, 0) {
            return self.open_slowly(key);
        }
        self.bytes.part(&key.block, key.length);
        true
    }

    /// Writes a whole member whose value is ASCII that needs no escape. Answers false where it is
    /// not, and where there is no room; nothing is written then.
    #[inline]
    pub(crate) fn clear_member(&mut self, key: &Key, value: &[u8]) -> bool {
        if !self.takes(key, value.len()) {
            return false;
        }
        let start = self.bytes.len();
        self.bytes.part(&key.block, key.length + 1);
        if !self.push_clear(value) {
            self.bytes.truncate(start);
            return false;
        }
        self.bytes.push(b'"');
        true
    }

    /// Whether there is room for the member, and it may begin as its key does.
    #[inline]
    fn takes(&self, key: &Key, value: usize) -> bool {
        self.bytes.len() + key.length + value < self.limit && self.bytes.last() != Some(&b'{')
    }

    #[cold]
    fn open_slowly(&mut self, key: &Key) -> bool {
        match &key.long {
            Some(long) => self.open_raw(long),
            None => self.open_raw(key.block.get(..key.length).unwrap_or_default()),
        }
    }
}
