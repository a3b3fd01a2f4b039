//! Memory for what is kept of an exchange: that of exchanges before it on the same thread.

use std::{any::Any, cell::RefCell};

/// What is kept of one exchange; empty, memory to spare.
pub(super) type Kept<T> = Box<Option<T>>;

/// How much of it a thread keeps: enough for a few kinds of observers, one inside of the other, as
/// around a service and around the client that it calls others with.
const SPARES: usize = 4;

thread_local! {
    /// Nothing but memory: whatever was in it is taken out before.
    static SPARE: RefCell<[Option<Box<dyn Any>>; SPARES]> =
        const { RefCell::new([const { None }; SPARES]) };
}

pub(super) fn keep<T: 'static>(value: T) -> Kept<T> {
    let Some(mut spare) = take() else { return Box::new(Some(value)) };
    *spare = Some(value);
    spare
}

fn take<T: 'static>() -> Option<Kept<T>> {
    let taken = SPARE.try_with(|spares| {
        let mut spares = spares.try_borrow_mut().ok()?;
        spares
            .iter_mut()
            .find(|spare| spare.as_ref().is_some_and(|any| any.is::<Option<T>>()))?
            .take()
    });
    taken.ok().flatten()?.downcast().ok()
}

pub(super) fn release<T: 'static>(mut kept: Kept<T>) -> Option<T> {
    let value = kept.take();
    // A thread that is being torn down needs no spare. What finds no place is given back.
    let _ = SPARE.try_with(|spares| {
        let mut spares = spares.try_borrow_mut().ok()?;
        *spares.iter_mut().find(|spare| spare.is_none())? = Some(kept);
        Some(())
    });
    value
}
