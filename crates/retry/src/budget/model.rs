//! The counters, for the model checker alone.

use std::sync::Arc;

use super::{Budget, Pot, Token};

/// A budget of the kind.
#[derive(Clone, Debug)]
pub struct Model(Arc<Pot>);

impl Model {
    /// A new one.
    #[must_use]
    pub fn new(budget: &Budget) -> Self {
        Self(budget.pot())
    }

    /// A first attempt ends.
    pub fn first_ended(&self, well: bool) {
        self.0.first_ended(well);
    }

    /// An attempt fails.
    pub fn failed(&self) {
        self.0.failed();
    }

    /// A request is under way while `f` runs.
    pub fn under_way<R>(&self, f: impl FnOnce() -> R) -> R {
        self.0.enter();
        let result = f();
        self.0.leave();
        result
    }

    /// A retry that is paid for and dropped, sent or not; whether it was paid for.
    #[must_use]
    pub fn retry(&self, send: bool) -> bool {
        let token = Token::withdraw(&self.0, false);
        let paid = token.is_some();
        if let (Some(mut token), true) = (token, send) {
            token.spend();
        }
        paid
    }

    /// What is left.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        let _ = self.0.counts_active() && self.0.is_at_rest();
        self.0.left()
    }
}
