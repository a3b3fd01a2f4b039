//! What a retry has paid, for as long as it is not over.

use std::sync::Arc;

use super::{Pot, pot::Amount};

/// Dropped before the retry is sent, it gives back what was paid.
#[derive(Debug)]
pub(crate) struct Token {
    pot: Arc<Pot>,
    paid: Amount,
    is_spent: bool,
}

impl Token {
    pub(crate) fn withdraw(pot: &Arc<Pot>, after_timeout: bool) -> Option<Self> {
        let paid = pot.withdraw(after_timeout)?;
        Some(Self { pot: Arc::clone(pot), paid, is_spent: false })
    }

    /// The retry is sent.
    pub(crate) const fn spend(&mut self) {
        self.is_spent = true;
    }

    /// It has ended well.
    pub(crate) fn succeeded(self) {
        self.pot.retry_succeeded(self.paid);
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if !self.is_spent {
            self.pot.refund(self.paid);
        }
        self.pot.over();
    }
}
