//! The line that is being written, for the subscribers that know it.
//!
//! An event hands over one value after the other through `dyn` calls. This crate's own layers take
//! the line itself instead; the event tells them when.

use std::{cell::Cell, mem::ManuallyDrop, rc::Rc};

use super::line::Line;

thread_local! {
    // Empty whenever no line is written, so there is nothing to drop with the thread; and without
    // a destructor it is read without a check, even while others are dropped.
    static LINE: Cell<ManuallyDrop<Option<Published>>> =
        const { Cell::new(ManuallyDrop::new(None)) };
    static SPARE: Cell<Option<Rc<Option<Line>>>> = const { Cell::new(None) };
}

/// A line that is published; a clone is another handle to it.
#[derive(Clone)]
pub(crate) struct Published(Rc<Option<Line>>);

/// The access line that is being written on this thread. One that is written while another one is
/// takes its place for that long.
pub(crate) fn published() -> Option<Published> {
    let line = swapped(None);
    let copy = line.clone();
    swapped(line);
    copy
}

/// Publishes a line while `send` runs. It is made where it stays.
#[inline]
pub(super) fn publish(make: impl FnOnce() -> Line, send: impl FnOnce(&Line)) {
    /// A subscriber's panic must not leave one request's line to the next.
    struct Until {
        before: Option<Published>,
    }

    impl Drop for Until {
        fn drop(&mut self) {
            let Some(Published(mut memory)) = swapped(self.before.take()) else { return };
            if let Some(line) = Rc::get_mut(&mut memory) {
                // A spare holds nothing of a request.
                *line = None;
                // A thread that is being torn down needs none.
                let _ = SPARE.try_with(|spare| spare.set(Some(memory)));
            }
        }
    }

    let mut memory = SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default();
    if let Some(place) = Rc::get_mut(&mut memory) {
        *place = Some(make());
    }
    let line = Published(memory);
    let until = Until { before: swapped(Some(line.clone())) };
    if let Some(line) = line.line() {
        send(line);
    }
    drop(line);
    drop(until);
}

impl Published {
    /// There is one in all that are published.
    pub(crate) fn line(&self) -> Option<&Line> {
        self.0.as_ref().as_ref()
    }
}

fn swapped(line: Option<Published>) -> Option<Published> {
    LINE.with(|current| ManuallyDrop::into_inner(current.replace(ManuallyDrop::new(line))))
}
