//! Lines on stderr, as the environment says.

use std::panic;

use buttress::{
    context,
    log::{Guard, InitError, Setup, Sink},
    problem::install_panic_hook,
};

/// Dropped at the end of `main`, the guard writes out the lines that still wait.
pub(crate) fn init() -> Result<Guard, InitError> {
    // Stdout has the address alone.
    let guard = Setup::new().service("example-hyper").sink(Sink::stderr()).env()?.init()?;
    // What the standard hook writes to stderr is no line of the log, and nobody has looked for
    // secrets in it. Of a request's panic the stack tells.
    panic::set_hook(Box::new(|panic| {
        if context::current().is_none() {
            tracing::error!(error = %panic, "panicked outside of any request");
        }
    }));
    // Finds out for the stack where a request's panic was.
    install_panic_hook();
    Ok(guard)
}
