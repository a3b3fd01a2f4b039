//! The texts of a line: bounded, and in memory that is used again.

use std::{
    cell::Cell,
    fmt::{self, Write},
    net::IpAddr,
    ops::Range,
};

/// A thread keeps no more than this for its next line.
const MAX_KEPT: usize = 16 * 1024;

/// The texts of a line that are not there as such, one after the other.
pub(super) struct Texts(String);

impl Texts {
    pub(super) fn add(&mut self, write: impl FnOnce(&mut String) -> fmt::Result) -> Range<usize> {
        let start = self.0.len();
        // An error says that it is full.
        let _ = write(&mut self.0);
        start..self.0.len()
    }

    /// What was added there.
    pub(super) fn get(&self, range: Option<Range<usize>>) -> Option<&str> {
        self.0.get(range?)
    }
}

/// In the memory of the thread's last line.
pub(super) fn with_texts(write: impl FnOnce(&mut Texts)) {
    thread_local! {
        static KEPT: Cell<String> = const { Cell::new(String::new()) };
    }
    let mut texts = Texts(KEPT.try_with(Cell::take).unwrap_or_default());
    write(&mut texts);
    let Texts(mut text) = texts;
    if text.capacity() <= MAX_KEPT {
        text.clear();
        let _ = KEPT.try_with(|kept| kept.set(text));
    }
}

/// The usual addresses without the formatter's help, which costs four times as much.
pub(super) fn write_ip(ip: IpAddr, out: &mut String) -> fmt::Result {
    let IpAddr::V4(ip) = ip else { return write!(out, "{ip}") };
    for (at, octet) in ip.octets().into_iter().enumerate() {
        if at > 0 {
            out.push('.');
        }
        for (least, digit) in [(100, octet / 100), (10, octet / 10 % 10), (0, octet % 10)] {
            if octet >= least {
                out.push(char::from(b'0' + digit));
            }
        }
    }
    Ok(())
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
