//! Panics, caught.

use std::{
    any::Any,
    backtrace::Backtrace,
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::{hook, layer::Settings};

/// What is known of a panic.
#[derive(Clone, Debug)]
pub(crate) struct Panic {
    pub(crate) message: Option<String>,
    /// File, line and column.
    pub(crate) at: Option<String>,
    /// Not looked up before it is shown: that takes 0.1 s.
    pub(crate) backtrace: Option<Arc<Backtrace>>,
    pub(crate) in_development: bool,
    /// Whether the hook has told of it.
    pub(crate) is_told: bool,
}

/// Runs a piece of the service's code, and catches its panic.
///
/// That the code is unwind safe is asserted, and nobody sees what it left broken: the caller drops
/// the future or the body on the spot and never polls it again. What the service shares between
/// requests is for the service to keep whole, as it is when a thread of it panics; a poisoned
/// `Mutex` says so.
pub(crate) fn catch<R>(settings: Settings, run: impl FnOnce() -> R) -> Result<R, Box<Panic>> {
    let run = || catch_unwind(AssertUnwindSafe(run));
    let done = if settings.development { hook::in_development(run) } else { run() };
    done.map_err(|payload| Box::new(Panic::of(settings, payload)))
}

/// Runs what may panic once more, where one panic has been told of already.
pub(crate) fn contain(run: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(run)) {
        discard(payload);
    }
}

/// A payload is anything: its own drop may panic, and with a payload that is no better.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        let _ = ManuallyDrop::new(again);
    }
}

impl Panic {
    fn of(settings: Settings, payload: Box<dyn Any + Send>) -> Self {
        let message = text(&*payload);
        // One that the service has caught itself may be left there, or one of `resume_unwind`,
        // which tells no hook, may have come: only the same panic's is taken.
        let seen = hook::last().filter(|seen| seen.message == message);
        // After that: its drop may panic, and the hook see that one.
        discard(payload);
        seen.unwrap_or(Self {
            message,
            at: None,
            backtrace: None,
            in_development: settings.development,
            is_told: false,
        })
    }
}

/// What `panic!` makes of its arguments: a constant, or a text.
pub(crate) fn text(payload: &(dyn Any + Send)) -> Option<String> {
    let constant = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    constant.or_else(|| payload.downcast_ref::<String>().cloned())
}
