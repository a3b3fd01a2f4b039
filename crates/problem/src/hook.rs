//! The process's panic hook, which makes each panic one event of the log.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    cell::Cell,
    panic::{PanicHookInfo, set_hook, take_hook},
    sync::{Arc, Once, mpsc},
    thread,
    time::Duration,
};

use buttress_core::context;
use tracing::{Dispatch, Span, dispatcher, level_filters::LevelFilter};

use crate::{
    panic::{Panic, text},
    report,
};

/// How long a panic waits for its event. Only a subscriber that has locked itself up on the thread
/// that panics takes longer, or one that looks up a backtrace in very many symbols.
const PATIENCE: Duration = Duration::from_secs(5);

thread_local! {
    /// The last panic of a request's code on this thread, for the layer that catches it.
    static LAST: Cell<Option<Panic>> = const { Cell::new(None) };
    /// Whether a layer that is set to development guards what runs here.
    static IN_DEVELOPMENT: Cell<bool> = const { Cell::new(false) };
    /// Whether this thread is there to log another one's panic.
    static LOGS: Cell<bool> = const { Cell::new(false) };
}

/// Logs every panic of the process, wherever it is, as one event: level ERROR, target `panic`, with
/// what it said, where, in which thread and in which request. In the place of what the standard
/// hook writes to stderr, which is no line of a log and goes past what censors it.
///
/// ```
/// // First thing in `main`, beside what sets up the log.
/// buttress_problem::install_panic_hook();
/// ```
///
/// A panic that a [`ProblemLayer`](crate::ProblemLayer) catches is in the log once, too: without
/// the hook the layer logs it, but can tell neither where it was nor those that it does not catch,
/// such as a spawned task's.
///
/// The hook that was there before is called where the log cannot be told: where no subscriber
/// listens to errors of the target `panic`, and where it panics itself. With `panic = "abort"` it
/// is always called besides, since then a log that is written in the background does not live to
/// write it. Whoever sets a hook of their own does so before. Calling this again does nothing.
///
/// The event is made on a thread of its own, while the one that panics waits: in a panic hook a
/// second panic aborts the process, and the first may have come from within the subscriber, while
/// it held its locks. It is in the same request and span. It has a backtrace if `RUST_BACKTRACE`
/// asks for one, and so does either the layer ([`development`](crate::ProblemLayer::development))
/// or the log, by the level DEBUG for the target `panic`; looking one up takes up to 0.1 s.
///
/// # Panics
///
/// In a thread that is panicking, as [`std::panic::set_hook`] does.
pub fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            let panic = seen(info);
            if LOGS.get() || !log(&panic) || cfg!(panic = "abort") {
                previous(info);
            }
            if context::current().is_some() {
                // A thread that is being torn down serves no request.
                let _ = LAST.try_with(|last| last.set(Some(panic)));
            }
        }));
    });
}

/// The last panic on this thread in a request, once, as the hook has told of it.
pub(crate) fn last() -> Option<Panic> {
    LAST.try_with(Cell::take).ok().flatten()
}

/// Runs what must not unwind, and has backtraces taken of its panics.
pub(crate) fn in_development<R>(run: impl FnOnce() -> R) -> R {
    let before = IN_DEVELOPMENT.replace(true);
    let done = run();
    IN_DEVELOPMENT.set(before);
    done
}

fn seen(info: &PanicHookInfo<'_>) -> Panic {
    let in_development = IN_DEVELOPMENT.get();
    // The stack is walked only where somebody may show it.
    let may_be_shown = in_development || LevelFilter::current() >= LevelFilter::DEBUG;
    let backtrace = may_be_shown.then(Backtrace::capture);
    let backtrace = backtrace.filter(|taken| taken.status() == BacktraceStatus::Captured);
    Panic {
        message: text(info.payload()),
        at: info.location().map(ToString::to_string),
        backtrace: backtrace.map(Arc::new),
        in_development,
        is_told: true,
    }
}

/// Whether the log has it now.
fn log(panic: &Panic) -> bool {
    let panic = panic.clone();
    let subscriber = dispatcher::get_default(Dispatch::clone);
    let (span, request) = (Span::current(), context::current());
    let (tell, told) = mpsc::sync_channel(1);
    let event = move || {
        LOGS.set(true);
        let event = || {
            dispatcher::with_default(&subscriber, || {
                report::is_heard() && {
                    report::panicked(&panic, &span);
                    true
                }
            })
        };
        let heard = request.as_ref().map_or_else(event, |request| request.scope(event));
        // Nobody waits any longer: it was told otherwise by now.
        let _ = tell.send(heard);
    };
    // Under the name of the thread that panics, which is a field of the event.
    let mut own = thread::Builder::new();
    if let Some(name) = thread::current().name() {
        own = own.name(name.to_owned());
    }
    own.spawn(event).is_ok() && told.recv_timeout(PATIENCE) == Ok(true)
}
