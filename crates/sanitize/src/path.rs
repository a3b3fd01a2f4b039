//! The path of a URI.

use crate::{
    chars::{Unseen, is_layout},
    percent::{Percent, Remains},
    policy::Policy,
    reports::Reports,
    rule::Rule,
    utf8::Utf8,
    violation::{Place, Violation},
};

/// A segment as far as it matters here: whether it is one or two dots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Segment {
    dots: u8,
    // After a `;` come parameters, which some servers cut off before they look at the dots.
    is_cut: bool,
    is_other: bool,
}

impl Segment {
    const fn is_dots(self) -> bool {
        !self.is_other && matches!(self.dots, 1 | 2)
    }
}

#[derive(Debug)]
struct Walk<'a> {
    policy: &'a Policy,
    reports: Reports,
    segment: Segment,
    remains: Remains,
    unseen: Unseen,
    at: u64,
}

/// Judges a path; see [`Policy::check_path`].
pub(crate) fn check(policy: &Policy, path: &str) -> Result<Vec<Violation>, Violation> {
    // Most are, and no rule but the limit has anything to say of them.
    if path.len() <= policy.limits.path as usize && path.bytes().all(is_plain) {
        return Ok(Vec::new());
    }
    let mut walk = Walk {
        policy,
        reports: Reports::default(),
        segment: Segment::default(),
        remains: Remains::default(),
        unseen: Unseen::default(),
        at: 0,
    };
    match walk.path(path.as_bytes()) {
        Ok(()) => Ok(walk.reports.into_reported()),
        Err(rule) => Err(violation(rule, walk.at)),
    }
}

/// Neither a dot, nor a part of an encoding, nor anything that somebody takes for another sign.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'~')
}

fn violation(rule: Rule, at: u64) -> Violation {
    Violation::new(rule, Place::Path, String::new(), Some(at))
}

impl Walk<'_> {
    fn path(&mut self, path: &[u8]) -> Result<(), Rule> {
        let (mut percent, mut utf8) = (Percent::default(), Utf8::default());
        for &byte in path {
            if self.at >= self.policy.limits.path.into() {
                return Err(Rule::PathLength);
            }
            let was_encoded = !percent.is_whole();
            if let Some(byte) = percent.step(byte).ok_or(Rule::PercentEncoding)?
                && let Some(character) = utf8.step(byte).ok_or(Rule::Encoding)?
            {
                self.character(character, was_encoded)?;
            }
            self.at += 1;
        }
        if !percent.is_whole() {
            return Err(Rule::PercentEncoding);
        }
        if !utf8.is_whole() {
            return Err(Rule::Encoding);
        }
        if let Some(rule) = self.unseen.end() {
            self.found(rule)?;
        }
        self.end_segment()
    }

    fn character(&mut self, character: char, was_encoded: bool) -> Result<(), Rule> {
        for rule in self.unseen.next(character) {
            self.found(rule)?;
        }
        if is_layout(character) {
            self.found(Rule::Control)?;
        }
        if self.remains.is_encoded(character) {
            self.found(Rule::DoubleEncoding)?;
        }
        // What becomes `.`, `/`, `\` or `;` where somebody normalizes (NFKC).
        match character {
            '/' | '\u{ff0f}' => {
                if was_encoded && character == '/' {
                    self.found(Rule::EncodedSlash)?;
                }
                self.end_segment()?;
            }
            '\\' | '\u{ff3c}' | '\u{fe68}' => {
                if character == '\\' {
                    self.found(Rule::Backslash)?;
                }
                self.end_segment()?;
            }
            _ if self.segment.is_cut => {}
            ';' | '\u{37e}' | '\u{fe54}' | '\u{ff1b}' => self.segment.is_cut = true,
            '.' | '\u{2024}' | '\u{fe52}' | '\u{ff0e}' => {
                self.segment.dots = self.segment.dots.saturating_add(1);
            }
            '\u{2025}' | '\u{fe30}' => self.segment.dots = self.segment.dots.saturating_add(2),
            _ => self.segment.is_other = true,
        }
        Ok(())
    }

    fn end_segment(&mut self) -> Result<(), Rule> {
        let segment = std::mem::take(&mut self.segment);
        if segment.is_dots() { self.found(Rule::Traversal) } else { Ok(()) }
    }

    #[cold]
    fn found(&mut self, rule: Rule) -> Result<(), Rule> {
        let violation = || violation(rule, self.at);
        self.reports.found(self.policy, false, rule, violation).map(drop)
    }
}
