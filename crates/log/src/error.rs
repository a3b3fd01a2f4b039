//! What can be wrong with the logging that is asked for.

use std::{error::Error, fmt, io};

/// Why logging could not be set up.
///
/// ```
/// use buttress_log::{InitErrorKind, Setup};
///
/// let error = Setup::new().vars(|name| (name == "LOG_LEVEL").then(|| "loud".into())).unwrap_err();
/// assert_eq!(error.kind(), InitErrorKind::InvalidVariable);
/// assert_eq!(
///     error.to_string(),
///     r#"LOG_LEVEL="loud": one of trace, debug, info, warn, error, fatal, off"#
/// );
/// ```
#[derive(Debug)]
pub struct InitError {
    kind: InitErrorKind,
    what: String,
    source: Option<io::Error>,
}

/// The kinds of [`InitError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InitErrorKind {
    /// A variable of the environment says something that is not known.
    InvalidVariable,
    /// The sink cannot be opened, or the thread that writes to it cannot be started.
    Sink,
    /// The process has a subscriber already, or with the feature `log` a logger of that crate.
    AlreadySet,
}

impl InitError {
    pub(crate) fn variable(name: &str, value: &str, allowed: impl fmt::Display) -> Self {
        let what = format!("{name}={value:?}: {allowed}");
        Self { kind: InitErrorKind::InvalidVariable, what, source: None }
    }

    pub(crate) fn sink(sink: &str, source: io::Error) -> Self {
        let what = format!("cannot log to {sink}: {source}");
        Self { kind: InitErrorKind::Sink, what, source: Some(source) }
    }

    pub(crate) fn already_set() -> Self {
        let who = if cfg!(feature = "log") {
            "tracing subscriber or a logger of the log crate"
        } else {
            "tracing subscriber"
        };
        let what = format!("the process has a {who} already: log by it, or by Setup::layer");
        Self { kind: InitErrorKind::AlreadySet, what, source: None }
    }

    /// Which kind.
    #[must_use]
    pub const fn kind(&self) -> InitErrorKind {
        self.kind
    }
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for InitError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // What it says is in the message.
        self.source.as_ref().and_then(Error::source)
    }
}
