//! Lines on stderr, as the environment says.

use buttress::{
    log::{Guard, InitError, Setup, Sink},
    problem::install_panic_hook,
};

/// Dropped at the end of `main`, the guard writes out the lines that still wait.
pub(crate) fn init() -> Result<Guard, InitError> {
    // Stdout has the address alone.
    let guard = Setup::new().service("example-tonic").sink(Sink::stderr()).env()?.init()?;
    // Panics are lines too.
    install_panic_hook();
    Ok(guard)
}
