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
    // A thread that is being torn down needs no spare. Where there is no place, the one that was
    // put there longest ago goes: it may be of a kind that this thread sees no more.
    let _ = SPARE.try_with(|spares| {
        let mut spares = spares.try_borrow_mut().ok()?;
        if let Some(free) = spares.iter_mut().find(|spare| spare.is_none()) {
            *free = Some(kept);
        } else {
            spares.rotate_left(1);
            *spares.last_mut()? = Some(kept);
        }
        Some(())
    });
    value
}

#[cfg(test)]
mod tests {
    use std::{rc::Rc, thread};

    use super::*;

    fn spares() -> usize {
        SPARE.with_borrow(|spares| spares.iter().flatten().count())
    }

    #[test]
    fn memory_is_used_again_by_its_own_kind_and_holds_nothing_meanwhile() {
        let value = Rc::new(());
        let kept = keep(Rc::clone(&value));
        let at = &raw const *kept;
        drop(release(kept));
        assert_eq!((Rc::strong_count(&value), spares()), (1, 1));

        let other = keep([0_u8; 16]);
        let again = keep(Rc::clone(&value));
        assert_eq!(&raw const *again, at);
        assert_eq!(release(other), Some([0; 16]));
        release(again);
        assert_eq!(spares(), 2);
    }

    #[test]
    fn a_thread_keeps_no_more_than_a_few() {
        let kept: Vec<_> = (0..100_u64).map(keep).collect();
        let values: Vec<_> = kept.into_iter().filter_map(release).collect();
        assert_eq!((values.len(), spares()), (100, SPARES));
    }

    #[test]
    fn kinds_of_long_ago_make_room() {
        release(keep(1_u8));
        release(keep(1_u16));
        release(keep(1_u32));
        release(keep(1_u64));
        let kept = keep(1_u128);
        let at = &raw const *kept;
        release(kept);
        let again = keep(2_u128);
        assert_eq!(&raw const *again, at);
        assert_eq!((release(again), spares()), (Some(2), SPARES));
    }

    #[test]
    fn what_ends_on_another_thread_is_spared_there() {
        let kept = keep(7_u64);
        let ended = thread::spawn(|| (release(kept), spares()));
        assert_eq!(ended.join().unwrap(), (Some(7), 1));
        assert_eq!(spares(), 0);
    }
}
