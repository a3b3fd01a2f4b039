//! What was found of the rules whose action can be chosen.

use crate::{
    policy::Policy,
    rule::{Action, Rule},
    violation::Violation,
};

/// What becomes of where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Strip,
}

/// The first place of each rule that is only reported, and of each of which members are left out.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    reported: Vec<Violation>,
    stripped: Vec<Violation>,
}

impl Reports {
    /// `Err` where it is refused: also what is to be stripped, where nothing can be.
    pub(crate) fn found(
        &mut self,
        policy: &Policy,
        strips: bool,
        rule: Rule,
        violation: impl FnOnce() -> Violation,
    ) -> Result<Verdict, Rule> {
        let (list, verdict) = match policy.action(rule) {
            Action::Strip if strips => (&mut self.stripped, Verdict::Strip),
            Action::Reject | Action::Strip => return Err(rule),
            Action::Off => return Ok(Verdict::Pass),
            Action::Report => (&mut self.reported, Verdict::Pass),
        };
        if list.iter().all(|first| first.rule() != rule) {
            list.push(violation());
        }
        Ok(verdict)
    }

    pub(crate) fn reported(&self) -> &[Violation] {
        &self.reported
    }

    pub(crate) fn stripped(&self) -> &[Violation] {
        &self.stripped
    }

    pub(crate) fn into_reported(self) -> Vec<Violation> {
        self.reported
    }
}
