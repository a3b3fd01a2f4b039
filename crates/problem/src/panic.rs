//! Panics: caught, and found out about.

use std::{
    any::Any,
    backtrace::Backtrace,
    cell::Cell,
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook},
    sync::Once,
};

use buttress_core::context;

use crate::failure::captured;

thread_local! {
    /// The last panic of a request's code on this thread, as the hook saw it.
    static LAST: Cell<Option<Seen>> = const { Cell::new(None) };
}

/// What only a panic hook is told.
struct Seen {
    message: Option<String>,
    at: Option<String>,
    backtrace: Backtrace,
}

/// A panic that was caught.
#[derive(Debug)]
pub(crate) struct Panic {
    pub(crate) message: Option<String>,
    pub(crate) at: Option<String>,
    pub(crate) backtrace: Option<String>,
}

/// Runs a piece of the service's code, and catches its panic.
///
/// That the code is unwind safe is asserted, and nobody sees what it left broken: the caller drops
/// the future or the body on the spot and never polls it again. What the service shares between
/// requests is for the service to keep whole, as it is when a thread of it panics; a poisoned
/// `Mutex` says so.
pub(crate) fn catch<R>(run: impl FnOnce() -> R) -> Result<R, Box<Panic>> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| Box::new(Panic::of(payload)))
}

/// Drops what a panic has left, which may panic once more. The hook has told of it then.
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
    fn of(payload: Box<dyn Any + Send>) -> Self {
        let message = text(&*payload);
        // One that the service has caught itself may be left there, or one of `resume_unwind`,
        // which tells no hook, may have come: only the same panic's is taken.
        let seen = LAST.try_with(Cell::take).ok().flatten().filter(|seen| seen.message == message);
        // After that: its drop may panic, and the hook see that one.
        discard(payload);
        let (at, backtrace) = match seen {
            Some(Seen { at, backtrace, .. }) => (at, captured(&backtrace)),
            None => (None, None),
        };
        Self { message, at, backtrace }
    }
}

/// What `panic!` makes of its arguments: a constant, or a text.
fn text(payload: &(dyn Any + Send)) -> Option<String> {
    let constant = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    constant.or_else(|| payload.downcast_ref::<String>().cloned())
}

/// Lets the log have the file, line and column of a request's panic, and its backtrace if
/// `RUST_BACKTRACE` asks for one: the layer itself can only catch the message.
///
/// It puts a panic hook before the one that is in force, which goes on as before; call it after
/// whoever sets a hook of their own. What it sees is kept for the layer that catches the panic, and
/// only while a request is being served. Calling it again does nothing.
///
/// ```
/// // First thing in `main`.
/// buttress_problem::install_panic_hook();
/// ```
///
/// # Panics
///
/// In a thread that is panicking, as [`std::panic::set_hook`] does.
pub fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |panic| {
            keep(panic);
            previous(panic);
        }));
    });
}

fn keep(panic: &PanicHookInfo<'_>) {
    if context::current().is_none() {
        return;
    }
    let seen = Seen {
        message: text(panic.payload()),
        at: panic.location().map(ToString::to_string),
        backtrace: Backtrace::capture(),
    };
    // A thread that is being torn down serves no request.
    let _ = LAST.try_with(|last| last.set(Some(seen)));
}
