//! Reading a layer that has gone into a service.

use std::sync::Arc;

use buttress_core::source::{Metrics, Sample};

use crate::{
    rule::{ALL, Action, Rule},
    shared::Shared,
};

/// Reads a [`SanitizeLayer`](crate::SanitizeLayer): what was refused, reported and stripped, for a
/// program and for a metrics page.
///
/// ```
/// use buttress_sanitize::{Policy, Rule, SanitizeLayer};
///
/// let layer = SanitizeLayer::new(Policy::strict_json());
/// let handle = layer.handle();
/// assert_eq!(handle.refused(Rule::DuplicateKey), 0);
/// ```
///
/// | metric | labels | |
/// |---|---|---|
/// | `sanitize_refusals_total` | `guard`, `rule` | requests that were refused |
/// | `sanitize_reports_total` | `guard`, `rule` | requests that passed with a broken rule |
/// | `sanitize_strips_total` | `guard`, `rule` | requests that passed without the members that broke a rule |
#[derive(Clone, Debug)]
pub struct SanitizeHandle {
    shared: Arc<Shared>,
}

impl SanitizeHandle {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// How many requests were refused for this rule.
    #[must_use]
    pub fn refused(&self, rule: Rule) -> u64 {
        self.shared.counts.refused(rule)
    }

    /// In how many requests the rule was broken and only reported.
    #[must_use]
    pub fn reported(&self, rule: Rule) -> u64 {
        self.shared.counts.reported(rule)
    }

    /// Of how many requests members were left out by this rule. One of which something else was
    /// refused is not among them.
    #[must_use]
    pub fn stripped(&self, rule: Rule) -> u64 {
        self.shared.counts.stripped(rule)
    }
}

impl Metrics for SanitizeHandle {
    fn collect(&self, each: &mut dyn FnMut(Sample<'_>)) {
        let Shared { name, policy, report_only, counts, .. } = &*self.shared;
        let mut tell = |metric, help, rule: Rule, count: u64| {
            // Exact to 2⁵³.
            let sample = Sample::counter(metric, help, count as f64);
            each(sample.labels(&[("guard", name), ("rule", rule.name())]));
        };
        // In a form, what would be stripped is refused.
        let refuses = |rule| matches!(policy.action(rule), Action::Reject | Action::Strip);
        for rule in ALL.into_iter().filter(|rule| !report_only && refuses(*rule)) {
            let help = "Requests that were refused, by the rule that they broke.";
            tell("sanitize_refusals_total", help, rule, counts.refused(rule));
        }
        let reports = |rule| match policy.action(rule) {
            Action::Report => true,
            Action::Reject | Action::Strip => *report_only,
            Action::Off => false,
        };
        for rule in ALL.into_iter().filter(|rule| reports(*rule)) {
            let help = "Requests that broke a rule and passed.";
            tell("sanitize_reports_total", help, rule, counts.reported(rule));
        }
        let strips = |rule| !report_only && policy.action(rule) == Action::Strip;
        for rule in ALL.into_iter().filter(|rule| strips(*rule)) {
            let help = "Requests that passed without the members that broke a rule.";
            tell("sanitize_strips_total", help, rule, counts.stripped(rule));
        }
    }
}
