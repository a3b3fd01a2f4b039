//! Fields for all lines that follow.

use buttress_core::value::Value;

/// Fields that are on every line that is written in its scope.
#[derive(Clone, Debug, Default)]
pub struct Logger {}

/// The logger of the code that is running.
#[must_use]
pub fn logger() -> Logger {
    Logger::default()
}

/// The fields of the logger that is in scope on this thread, outermost first.
#[allow(dead_code, reason = "the layers call it")]
pub(crate) fn each_field(visit: impl FnMut(&str, &Value)) {
    let _ = visit;
}
