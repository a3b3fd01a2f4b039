//! Whether the server answers.

use std::{fmt, sync::Arc};

use buttress_core::source::{Check, CheckFuture};

use super::driver::RedisDriver;
use crate::probe::Probe;

/// A [`Check`] that asks the server `PING` over a connection of its own, apart from the pool.
///
/// The connection is kept from one check to the next, and made anew where it does not answer.
pub struct RedisCheck(pub(super) Probe<Arc<RedisDriver>>);

impl Check for RedisCheck {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn check(&self) -> CheckFuture<'_> {
        self.0.check()
    }
}

impl fmt::Debug for RedisCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCheck").field("name", &self.0.name()).finish_non_exhaustive()
    }
}
