//! What is judged while `serde_json` parses.

use std::{cell::RefCell, fmt};

use serde::de;

use super::fault::Fault;
use crate::{
    chars::Unseen,
    json::scan,
    policy::Policy,
    reports::Verdict,
    rule::{Action, Rule},
    tree::Tree,
};

/// Where the parse is, and what it has met.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) tree: Tree,
    pub(super) judges: bool,
    // Something that the guard must look at.
    pub(super) is_unsure: bool,
    // What a visitor has said, while its error passes through serde_json's.
    fault: Option<Fault>,
    // What a visitor expects, told while serde_json writes its own message.
    pub(super) expected: RefCell<Option<Fault>>,
}

/// It is over: the guard will say why.
pub(super) struct Stop;

impl Walk {
    pub(super) fn judging(policy: &Policy) -> Self {
        Self {
            tree: Tree::new(policy),
            judges: true,
            is_unsure: false,
            fault: None,
            expected: RefCell::new(None),
        }
    }

    /// Only keeps the place: the guard has judged.
    pub(super) fn following() -> Self {
        Self { judges: false, ..Self::judging(&Policy::nothing()) }
    }

    pub(super) fn is_clean(&self) -> bool {
        !self.is_unsure && self.tree.reports().reported().is_empty()
    }

    /// Whether the text is too long, or may have a number that is: serde tells nothing of that.
    ///
    /// A number of more than `n` characters covers one of every `n + 1`.
    pub(super) fn is_out_of_sight(&self, bytes: &[u8]) -> bool {
        let limits = &self.tree.policy.limits;
        if bytes.len() as u64 > limits.body {
            return true;
        }
        let most = usize::from(limits.number);
        let mut at = most;
        while let Some((before, after)) = bytes.split_at_checked(at) {
            if after.first().is_some_and(is_numeric) {
                let back = before.iter().rev().take(most).take_while(|byte| is_numeric(byte));
                let on = after.iter().take(most + 1).take_while(|byte| is_numeric(byte));
                if back.count() + on.count() > most {
                    return true;
                }
            }
            at += most + 1;
        }
        false
    }

    pub(super) fn text(&mut self, text: &str) -> Result<(), Stop> {
        if !self.judges {
            return Ok(());
        }
        if text.len() > self.tree.policy.limits.string as usize {
            return Err(Stop);
        }
        if scan::is_printable(text.as_bytes()) { Ok(()) } else { self.characters(text) }
    }

    #[cold]
    fn characters(&mut self, text: &str) -> Result<(), Stop> {
        let (mut rest, mut unseen) = (text, Unseen::default());
        loop {
            let (plain, from) =
                rest.split_at_checked(scan::plain(rest.as_bytes())).unwrap_or(("", ""));
            self.found(unseen.plain(plain.as_bytes()))?;
            let mut characters = from.chars();
            let Some(character) = characters.next() else { return self.found(unseen.end()) };
            self.found(unseen.next(character))?;
            rest = characters.as_str();
        }
    }

    fn found(&mut self, rules: impl IntoIterator<Item = Rule>) -> Result<(), Stop> {
        rules.into_iter().try_for_each(|rule| match self.tree.policy.action(rule) {
            Action::Off => Ok(()),
            Action::Report => {
                self.is_unsure = true;
                Ok(())
            }
            Action::Reject | Action::Strip => Err(Stop),
        })
    }

    pub(super) fn key(&mut self, key: &str) -> Result<(), Stop> {
        self.tree.begin_key();
        self.tree.extend_key(key.as_bytes());
        if self.judges && key.len() > self.tree.policy.limits.key.into() {
            return Err(Stop);
        }
        match self.tree.end_key(None) {
            Ok(Verdict::Pass) => {}
            Ok(Verdict::Strip) | Err(_) => return Err(Stop),
        }
        if !self.judges || scan::is_printable(key.as_bytes()) {
            return Ok(());
        }
        self.characters(key)
    }

    /// What may be a text is in no pointer, unless it turns out to be a key.
    pub(super) fn variant(&mut self, name: &str) -> Result<(), Stop> {
        self.key(name)?;
        self.tree.set_ended(true);
        self.text(name)
    }

    /// A key of which only the value is told; the guard will see its text.
    pub(super) fn scalar_key(&mut self, value: impl fmt::Display) {
        self.is_unsure = true;
        let _ = self.key(&value.to_string());
    }

    /// Keeps what went wrong, for when it comes out again.
    pub(super) fn keep<E: de::Error>(&mut self, fault: Fault) -> E {
        self.fault = Some(fault);
        E::custom("")
    }

    /// What has gone wrong: a visitor's words, or `serde_json`'s without the value.
    pub(super) fn fault(&mut self) -> Fault {
        // Whoever is told may forgive it and go on.
        self.is_unsure = true;
        let told = self.expected.take();
        self.fault.take().or(told).unwrap_or_default()
    }
}

impl From<Stop> for Fault {
    fn from(_: Stop) -> Self {
        Self::default()
    }
}

const fn is_numeric(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}
