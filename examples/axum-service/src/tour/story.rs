//! How the story looks, and which of its claims do not hold.

use std::{
    fmt,
    io::{self, Write},
};

const BOLD: &str = "1";
const RED: &str = "1;31";
const GREEN: &str = "32";
const CYAN: &str = "36";
const GREY: &str = "90";

/// Writes the story, and counts what holds.
pub(super) struct Story<W> {
    out: W,
    colour: bool,
    chapters: u32,
    claims: u32,
    broken: Vec<String>,
}

impl<W: Write> Story<W> {
    pub(super) const fn new(out: W, colour: bool) -> Self {
        Self { out, colour, chapters: 0, claims: 0, broken: Vec::new() }
    }

    pub(super) fn title(&mut self, title: &str) -> io::Result<()> {
        let title = self.paint(BOLD, title);
        writeln!(self.out, "{title}")
    }

    pub(super) fn chapter(&mut self, title: &str) -> io::Result<()> {
        self.chapters += 1;
        let title = self.paint(BOLD, &format!("{:>2}  {title}", self.chapters));
        writeln!(self.out, "\n{title}")
    }

    /// What anyone can type to see the same.
    pub(super) fn command(&mut self, command: &str) -> io::Result<()> {
        self.line(CYAN, "$", command)
    }

    /// A part of an answer, or of the service's own account.
    pub(super) fn shown(&mut self, text: impl fmt::Display) -> io::Result<()> {
        writeln!(self.out, "         {text}")
    }

    /// A line of the service's log, as it stands there.
    pub(super) fn logged(&mut self, line: &str) -> io::Result<()> {
        self.line(GREY, "log", line)
    }

    /// Says that something is so. Where it is not, what was `seen` is told too.
    pub(super) fn claim(
        &mut self,
        claim: &str,
        holds: bool,
        seen: impl fmt::Debug,
    ) -> io::Result<()> {
        self.claims += 1;
        if holds {
            return self.line(GREEN, "ok", claim);
        }
        self.broken.push(format!("{claim}; seen: {seen:?}"));
        self.line(RED, "NOT SO", claim)
    }

    pub(super) fn end(&mut self) -> io::Result<()> {
        writeln!(self.out)?;
        if self.holds() {
            let all = self.paint(GREEN, &format!("All {} claims hold.", self.claims));
            writeln!(self.out, "{all}")?;
            return writeln!(self.out, "Now yours: cargo run --release -p example-axum");
        }
        let count = format!("{} of {} claims do not hold:", self.broken.len(), self.claims);
        let count = self.paint(RED, &count);
        writeln!(self.out, "{count}")?;
        for claim in &self.broken {
            writeln!(self.out, "  - {claim}")?;
        }
        Ok(())
    }

    pub(super) const fn holds(&self) -> bool {
        self.broken.is_empty()
    }

    #[cfg(test)]
    pub(super) fn into_inner(self) -> W {
        self.out
    }

    fn line(&mut self, colour: &str, margin: &str, text: &str) -> io::Result<()> {
        let margin = self.paint(colour, &format!("{margin:>6}"));
        writeln!(self.out, "  {margin} {text}")
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
