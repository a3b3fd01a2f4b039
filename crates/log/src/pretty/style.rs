//! Colours, and text that is safe to look at.

use std::fmt;

use tracing_core::Level;

use crate::line::{Line, is_printed};

#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) colours: bool,
}

const RESET: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";

impl Style {
    /// What [`dim`](Self::dim) adds to the length.
    pub(super) const DIM_LEN: usize = DIM.len() + RESET.len();

    pub(super) fn dim(self, line: &mut Line, write: impl FnOnce(&mut Line)) {
        self.with(DIM, line, write);
    }

    pub(super) fn bold(self, line: &mut Line, write: impl FnOnce(&mut Line)) {
        self.with(BOLD, line, write);
    }

    pub(super) fn red(self, line: &mut Line, write: impl FnOnce(&mut Line)) {
        self.with("\x1b[31m", line, write);
    }

    /// Five characters.
    pub(super) fn level(self, line: &mut Line, level: Level, fatal: bool) {
        let (colour, name) = match level {
            _ if fatal => ("\x1b[1;41m", "FATAL"),
            Level::ERROR => ("\x1b[31m", "ERROR"),
            Level::WARN => ("\x1b[33m", "WARN "),
            Level::INFO => ("\x1b[32m", "INFO "),
            Level::DEBUG => ("\x1b[34m", "DEBUG"),
            Level::TRACE => ("\x1b[35m", "TRACE"),
        };
        self.with(colour, line, |line| line.push(name.as_bytes()));
    }

    fn with(self, colour: &str, line: &mut Line, write: impl FnOnce(&mut Line)) {
        if self.colours {
            line.push(colour.as_bytes());
        }
        write(line);
        if self.colours {
            line.push(RESET.as_bytes());
        }
    }
}

impl Line {
    /// A text as it is, but for what a terminal would obey.
    pub(super) fn plain(&mut self, text: &str) {
        for c in text.chars() {
            if self.is_full() {
                self.cut = true;
                return;
            }
            if is_printed(c) {
                self.push(c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                for escaped in c.escape_default() {
                    self.push(escaped.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
    }
}

/// What is written to it can be looked at.
pub(super) struct Plain<'a>(pub(super) &'a mut Line);

impl fmt::Write for Plain<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.plain(text);
        if self.0.is_full() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// What is written to it can be looked at, and does not end the quotes that are around it.
pub(super) struct Quoted<'a>(pub(super) &'a mut Line);

impl fmt::Write for Quoted<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(['"', '\\']) {
            let bare = part.trim_end_matches(['"', '\\']);
            Plain(self.0).write_str(bare)?;
            if bare.len() < part.len() {
                self.0.push(b"\\");
                self.0.push(part.get(bare.len()..).unwrap_or_default().as_bytes());
            }
        }
        Ok(())
    }
}
