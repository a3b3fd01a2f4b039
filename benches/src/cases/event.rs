//! An event, and who writes it down.

use std::io;

use buttress::log::{JsonLayer, Sink};
use tracing::Subscriber;
use tracing_subscriber::{fmt, registry::LookupSpan};

use crate::{
    Failure, Loop,
    drive::{at_info, heard_by, repeat},
};

/// Sixteen fields, as an application has them, and nothing to hide.
pub(super) fn sixteen() {
    tracing::info!(
        target: "shop",
        order = 1_048_577_u64,
        customer = "u_1f9c",
        items = 3_u64,
        total = 129.95,
        currency = "EUR",
        country = "DE",
        paid = true,
        method = "invoice",
        warehouse = "fra-2",
        carrier = "dhl",
        weight_kg = 2.4,
        attempts = 1_u64,
        queue_ms = 12_u64,
        db_ms = 31_i64,
        campaign = "spring",
        locale = "de-DE",
        "order placed"
    );
}

/// That event, again and again.
pub(super) fn repeated() -> Loop {
    repeat(sixteen)
}

/// What is logged becomes lines of ours, redacted. Nobody reads them: what is compared is the
/// making of a line.
pub(super) fn heard_by_ours(inner: Loop) -> Result<Loop, Failure> {
    let (writer, guard) = Sink::to(io::sink()).open()?;
    let mut run = heard_by(at_info(JsonLayer::new(writer).service("bench")), inner);
    Ok(Box::new(move |times| {
        let _open = &guard;
        run(times);
    }))
}

/// What is logged becomes lines of tracing-subscriber.
pub(super) fn heard_by_fmt(inner: Loop) -> Loop {
    heard_by(at_info(fmt_json()), inner)
}

/// tracing-subscriber's JSON, for nobody.
pub(super) fn fmt_json<S>() -> impl tracing_subscriber::Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fmt::layer().json().with_writer(io::sink)
}
