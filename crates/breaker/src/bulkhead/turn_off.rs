//! Without the feature `wait` nobody waits: types of no size, so that call sites need no `cfg`.

#![expect(clippy::unused_self, reason = "they stand for those that use it")]

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use super::{Shared, seats::Seat};

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wait(());

impl Wait {
    pub(super) const fn places(self) -> u32 {
        0
    }
}

/// Never polled: there is no place in a queue of none.
pub(super) struct Turn(Arc<Shared>);

impl Turn {
    pub(super) const fn new(shared: Arc<Shared>, _: u64) -> Self {
        Self(shared)
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }

    pub(super) const fn poll(&mut self, _: &mut Context<'_>) -> Poll<Option<Seat>> {
        Poll::Ready(None)
    }
}
