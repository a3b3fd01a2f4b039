//! Without the feature `slow-down` nobody waits: a type of no size, so that call sites need no
//! `cfg`.

#![expect(clippy::unused_self, reason = "it stands for one that uses it")]

use std::time::Duration;

use crate::{future::Later, shared::Pass};

#[derive(Clone, Debug, Default)]
pub(crate) struct Slow(());

#[expect(dead_code, reason = "what is never made is still matched")]
pub(crate) enum Wait {
    No(Pass),
    Yes(Later),
    Full(Duration),
}

impl Slow {
    pub(crate) const fn is_on(&self) -> bool {
        false
    }

    pub(crate) const fn waiting(&self) -> usize {
        0
    }

    pub(crate) const fn wait(&self, _: u64, pass: Pass) -> Wait {
        Wait::No(pass)
    }
}
