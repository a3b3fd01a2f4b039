//! What was found of the rules whose action can be chosen.

use crate::{
    policy::Policy,
    rule::{Action, Rule},
    violation::{Place, Violation},
};

/// What becomes of where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Strip,
}

/// The first place of each rule that is only reported.
#[derive(Debug, Default)]
pub(crate) struct Reports(Vec<Violation>);

impl Reports {
    /// `Err` where it is refused.
    pub(crate) fn found(
        &mut self,
        policy: &Policy,
        rule: Rule,
        place: Place,
        at: Option<u64>,
        pointer: impl FnOnce() -> String,
    ) -> Result<Verdict, Rule> {
        match policy.action(rule) {
            Action::Reject => return Err(rule),
            Action::Strip => return Ok(Verdict::Strip),
            Action::Off => {}
            Action::Report => {
                if self.0.iter().all(|report| report.rule() != rule) {
                    self.0.push(Violation::new(rule, place, pointer(), at));
                }
            }
        }
        Ok(Verdict::Pass)
    }

    pub(crate) fn all(&self) -> &[Violation] {
        &self.0
    }

    pub(crate) fn into_all(self) -> Vec<Violation> {
        self.0
    }
}
