//! What is printed: colour on a terminal, plain text anywhere else.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    colour: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Colour {
    Green,
    Red,
    Yellow,
    Faint,
    Bold,
}

impl Console {
    /// Colour if standard output is a terminal and nobody said otherwise (<https://no-color.org>).
    pub(crate) fn detect() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: io::stdout().is_terminal() && !refused }
    }

    #[cfg(test)]
    pub(crate) const fn plain() -> Self {
        Self { colour: false }
    }

    pub(crate) fn has_colour(self) -> bool {
        self.colour
    }

    pub(crate) fn paint<T: Display>(self, colour: Colour, text: T) -> Painted<T> {
        Painted {
            code: self.colour.then_some(match colour {
                Colour::Green => "32",
                Colour::Red => "31",
                Colour::Yellow => "33",
                Colour::Faint => "2",
                Colour::Bold => "1",
            }),
            text,
        }
    }
}

/// One line, written out at once: what a child prints next comes after it.
pub(crate) fn say(text: impl Display) {
    let mut out = io::stdout().lock();
    // A reader that left wants no more of it.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Text with the colour it has, if any.
#[derive(Debug)]
pub(crate) struct Painted<T> {
    code: Option<&'static str>,
    text: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "\u{1b}[{code}m{}\u{1b}[0m", self.text),
            None => self.text.fmt(f),
        }
    }
}

/// `840 ms`, `12.3 s`, `4 min 05 s`.
pub(crate) fn duration(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_codes_without_colour() {
        assert_eq!(Console::plain().paint(Colour::Red, "failed").to_string(), "failed");
        let terminal = Console { colour: true };
        assert_eq!(terminal.paint(Colour::Red, "failed").to_string(), "\u{1b}[31mfailed\u{1b}[0m");
    }

    #[test]
    fn durations_read_well_at_every_size() {
        for (time, text) in [
            (Duration::from_millis(840), "840 ms"),
            (Duration::from_millis(12_340), "12.3 s"),
            (Duration::from_secs(245), "4 min 05 s"),
        ] {
            assert_eq!(duration(time), text);
        }
    }
}
