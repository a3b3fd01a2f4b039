//! Log lines on stderr. A log layer of this family takes the place of this later.

use std::{
    env,
    io::{self, IsTerminal},
    panic,
};

use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::error;

/// Every line from here on goes to stderr, and so does what panics say.
///
/// `RUST_LOG` says which: `warn`, or `info,buttress_request_id=off`.
pub(crate) fn to_stderr() -> Result<(), String> {
    let filter = match env::var("RUST_LOG") {
        Ok(said) => said.parse().map_err(|error| format!("RUST_LOG={said:?}: {error}"))?,
        Err(_) => default_filter(),
    };
    subscriber(io::stderr, io::stderr().is_terminal(), filter).init();
    panic::set_hook(Box::new(error::log_panic));
    Ok(())
}

/// Lines as tracing-subscriber formats them.
pub(crate) fn subscriber<W>(writer: W, ansi: bool, filter: Targets) -> impl SubscriberInitExt
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer::<Registry>().with_writer(writer).with_ansi(ansi);
    tracing_subscriber::registry().with(lines.with_filter(filter))
}

/// What happens, and which request ids were refused.
pub(crate) fn default_filter() -> Targets {
    Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("buttress_request_id", LevelFilter::DEBUG)
}
