//! The buffer in which a line is made.

use std::{cell::Cell, fmt};

pub(crate) use self::{
    escape::is_printed,
    key::Key,
    number::{Bytes, whole},
    time::{Clock, Now},
};

mod escape;
mod key;
mod number;
mod time;

/// What is longer is cut: a line that no collector takes helps nobody, and one that it cuts is no
/// JSON any more.
pub(crate) const MAX_LINE: usize = 256 * 1024;

/// Room for the end of a line that was cut.
const TAIL: usize = 64;

/// No text and no member begins behind it: what is open must be closed too.
const LIMIT: usize = MAX_LINE - 2 * TAIL;

/// A message leaves room for the ids behind it.
const MESSAGE_LIMIT: usize = LIMIT - 8 * 1024;

/// A buffer that grew past this is given back: one huge line must not stay for ever.
const MAX_KEPT: usize = 2 * MAX_LINE;

thread_local! {
    static SPARE: Cell<Line> = const { Cell::new(Line::new()) };
}

/// A line that is being written, and what must be known of it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) bytes: Vec<u8>,
    /// Something was left out for its length.
    pub(crate) cut: bool,
    /// None behind a text that was cut: nothing comes behind it.
    limit: usize,
    marks: Vec<Mark>,
    /// To format into, where what is formatted must be looked at.
    pub(crate) raw: String,
}

/// Where a field with a name that no callsite declares was written.
#[derive(Debug)]
struct Mark {
    /// The comma, if there is one.
    start: usize,
    key: usize,
    value: usize,
    end: usize,
}

impl Line {
    const fn new() -> Self {
        Self { bytes: Vec::new(), cut: false, limit: LIMIT, marks: Vec::new(), raw: String::new() }
    }

    /// The thread's buffer. Code that logs while a line is being made gets another one, so that no
    /// two lines mix.
    pub(crate) fn take() -> Self {
        // A thread that is being torn down has none any more.
        let mut line = SPARE.try_with(Cell::take).unwrap_or_default();
        line.bytes.clear();
        line.marks.clear();
        line.cut = false;
        line.limit = LIMIT;
        line
    }

    /// Gives the buffer back for the thread's next line.
    pub(crate) fn give(self) {
        if self.bytes.capacity().max(self.raw.capacity()) <= MAX_KEPT {
            let _ = SPARE.try_with(|spare| spare.set(self));
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes the message, which may be cut without being the end of the line.
    pub(crate) fn message(&mut self, write: impl FnOnce(&mut Self)) {
        self.limit = MESSAGE_LIMIT;
        write(self);
        self.limit = LIMIT;
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Begins a member by what is written of it, comma included, as [`open`](Self::open) does.
    pub(crate) fn open_raw(&mut self, start: &[u8]) -> bool {
        if self.is_full() {
            self.cut = true;
            return false;
        }
        match (self.bytes.last(), start.split_first()) {
            (Some(b'{'), Some((_, bare))) => self.push(bare),
            _ => self.push(start),
        }
        true
    }

    /// Takes a member back that has become too long.
    pub(crate) fn close(&mut self, start: usize) {
        if self.bytes.len() > MAX_LINE - TAIL {
            self.bytes.truncate(start);
            self.cut = true;
        }
    }

    /// Whether there is no room for a further member.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= self.limit
    }

    /// Appends an object to an array, its end included.
    pub(crate) fn element(&mut self, object: &[u8]) {
        if self.bytes.len() + object.len() > LIMIT {
            self.cut = true;
            return;
        }
        if self.bytes.last() != Some(&b'[') {
            self.bytes.push(b',');
        }
        self.push(object);
        self.bytes.push(b'}');
    }

    /// Begins a member with a name of the moment, in the place of one of the same name.
    pub(crate) fn open_named(&mut self, name: &str) -> bool {
        if self.is_full() {
            self.cut = true;
            return false;
        }
        let start = self.bytes.len();
        if self.bytes.last() != Some(&b'{') {
            self.bytes.push(b',');
        }
        let key = self.bytes.len();
        self.text(name);
        // One that is cut may be another's.
        if self.is_full() {
            self.bytes.truncate(start);
            self.cut = true;
            return false;
        }
        self.bytes.push(b':');
        let mut mark = Mark { start, key, value: self.bytes.len(), end: start };
        let is_same =
            |other: &Mark| self.bytes.get(other.key..other.value) == self.bytes.get(key..);
        if let Some(at) = self.marks.iter().position(is_same) {
            let (from, gone) = self.remove(at);
            mark.shift(from, gone);
        }
        self.marks.push(mark);
        true
    }

    /// Ends what [`open_named`](Self::open_named) began.
    pub(crate) fn close_named(&mut self) {
        let Some(mut mark) = self.marks.pop() else { return };
        self.close(mark.start);
        mark.end = self.bytes.len();
        if mark.end > mark.start {
            self.marks.push(mark);
        }
    }

    /// Takes a member out, and answers where it was and how many bytes.
    fn remove(&mut self, at: usize) -> (usize, usize) {
        let Mark { start, key, end, .. } = self.marks.remove(at);
        // The first member of an object has no comma before it: then the one behind it goes.
        let end = if start == key { end + 1 } else { end };
        self.bytes.drain(start..end);
        for later in self.marks.iter_mut().skip(at) {
            later.shift(start, end - start);
        }
        (start, end - start)
    }
}

impl Mark {
    /// So many bytes are gone from there on. It may be the comma of this one.
    fn shift(&mut self, from: usize, by: usize) {
        self.start = self.start.saturating_sub(by).max(from);
        self.key -= by;
        self.value -= by;
        self.end = self.end.saturating_sub(by);
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

/// What is written to it is escaped for the inside of a JSON string.
#[derive(Debug)]
pub(crate) struct Escaped<'a>(pub(crate) &'a mut Line);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.escape(text);
        // Whoever formats an endless value may stop now.
        if self.0.is_full() { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
