//! What happens once, and who waits for it.

use buttress_core::lifecycle::{Lifecycle, Reached, State};

/// Down, then up, and never down again. It is core's lifecycle with two states: to look is one
/// load, as each answer does it; and a waker that panics does not keep the others asleep, as it
/// does in a `CancellationToken`, where one connection could save all others from being closed.
#[derive(Debug, Default)]
pub(crate) struct Latch(Lifecycle);

impl Latch {
    const UP: State = State::Stopping;

    pub(crate) fn set(&self) {
        self.0.advance(Self::UP);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.state() == Self::UP
    }

    pub(crate) fn wait(&self) -> Reached {
        self.0.reached(Self::UP)
    }
}
