//! Waiting for a seat.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

use super::{Shared, seats::Seat};

/// How many wait, and for how long.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wait {
    places: u32,
    at_most: Duration,
}

impl Wait {
    pub(super) const fn new(places: u32, at_most: Duration) -> Self {
        Self { places, at_most }
    }

    pub(super) const fn places(self) -> u32 {
        self.places
    }
}

/// A place in the queue; and, if its turn has come unseen, a seat.
pub(super) struct Turn {
    shared: Arc<Shared>,
    /// Empty when the seat is handed on.
    place: Option<u64>,
    /// Made when it is first polled: the runtime's timer is there then.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Turn {
    pub(super) const fn new(shared: Arc<Shared>, place: u64) -> Self {
        Self { shared, place: Some(place), sleep: None }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Its seat; `None` when it has waited for too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Seat>> {
        // Before the timer: a seat that is there at the last moment is taken.
        if let Some(place) = self.place
            && self.shared.seats.has_seat(place, cx.waker())
        {
            self.place = None;
            return Poll::Ready(Some(Seat::new(Arc::clone(&self.shared))));
        }
        let at_most = self.shared.wait.at_most;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(at_most)));
        sleep.as_mut().poll(cx).map(|()| None)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(place) = self.place
            && self.shared.seats.give_up(place)
        {
            self.shared.seats.leave();
        }
    }
}
