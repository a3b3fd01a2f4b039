//! Where panics are told of.

use std::panic::{self, PanicHookInfo};

use buttress::{context, problem::install_panic_hook};

/// In the log, and nowhere else: what the standard hook writes to stderr is no line of JSON, and
/// nobody has looked for secrets in it.
pub(crate) fn go_to_the_log() {
    panic::set_hook(Box::new(log));
    // Finds out for the stack where a request's panic was.
    install_panic_hook();
}

/// Of a request's panic the stack tells, and of one in a task that a request has spawned its
/// `JoinHandle`.
fn log(panic: &PanicHookInfo<'_>) {
    if context::current().is_none() {
        tracing::error!(error = %panic, "panicked outside of any request");
    }
}
