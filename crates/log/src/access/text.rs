//! The texts of a line: bounded, and in memory that is used again.

use std::{
    cell::Cell,
    fmt::{self, Write},
    ops::Range,
};

use http::HeaderValue;

/// A thread keeps no more than this for its next line.
const MAX_KEPT: usize = 16 * 1024;

thread_local! {
    static KEPT: Cell<String> = const { Cell::new(String::new()) };
}

/// The texts of a line that are not there as such, one after the other, in the memory of the
/// thread's last ones.
#[derive(Default)]
pub(super) struct Texts(String);

impl Texts {
    pub(super) fn add(&mut self, write: impl FnOnce(&mut String) -> fmt::Result) -> Range<usize> {
        let Self(text) = self;
        if text.is_empty() {
            *text = KEPT.try_with(Cell::take).unwrap_or_default();
        }
        let start = text.len();
        // An error says that it is full.
        let _ = write(text);
        start..text.len()
    }

    /// What was added there.
    pub(super) fn get(&self, range: Option<&Range<usize>>) -> Option<&str> {
        self.0.get(range?.clone())
    }
}

impl Drop for Texts {
    fn drop(&mut self) {
        let Self(text) = self;
        if (1..=MAX_KEPT).contains(&text.capacity()) {
            text.clear();
            let kept = std::mem::take(text);
            let _ = KEPT.try_with(|place| place.set(kept));
        }
    }
}

/// What a header says, cut. What is no text has its bytes escaped.
#[derive(Clone, Copy)]
pub(crate) struct HeaderText<'a>(pub(super) &'a HeaderValue);

/// The longest, in bytes.
pub(super) const MAX_NAME: usize = 256;

impl<'a> HeaderText<'a> {
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.0.as_bytes()
    }

    /// In fewer steps than `to_str`, which looks at each byte; and in UTF-8, which it refuses.
    pub(crate) fn text(self) -> Option<&'a str> {
        str::from_utf8(self.bytes()).ok().map(|text| cut(text, MAX_NAME))
    }
}

impl fmt::Display for HeaderText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => f.write_str(text),
            None => {
                let mut escaped = self.bytes().escape_ascii().take(MAX_NAME);
                escaped.try_for_each(|byte| f.write_char(char::from(byte)))
            }
        }
    }
}

/// As much of the text as `max` bytes hold.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let ends = (0..=max).rev().find(|at| text.is_char_boundary(*at));
    ends.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// Takes as much text as it has room for, and ends the writing there.
pub(super) struct Capped<'a> {
    out: &'a mut String,
    room: usize,
}

impl<'a> Capped<'a> {
    pub(super) const fn new(out: &'a mut String, room: usize) -> Self {
        Self { out, room }
    }
}

impl Write for Capped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = cut(text, self.room);
        self.out.push_str(fits);
        self.room -= fits.len();
        if fits.len() < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}
