//! One line for each exchange.

use buttress_core::{
    context::RequestContext,
    observe::{Observer, Totals},
    value::Value,
};
use http::Request;

/// The name of the events of [`AccessLog`], by which this crate's own layers know them.
pub(crate) const EVENT: &str = "buttress.access";

/// Writes one event, with the target `access`, at the end of each exchange.
#[derive(Clone, Debug, Default)]
pub struct AccessLog {}

impl AccessLog {
    /// The usual line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Observer for AccessLog {
    type Exchange = ();

    fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {}

    fn on_end(&self, (): (), _: &Totals, _: &RequestContext) {
        tracing::event!(name: EVENT, target: "access", tracing::Level::INFO, "");
    }
}

/// What the access line that is being written on this thread says beside the event's own fields:
/// the application's fields and the headers that are shown.
#[allow(dead_code, reason = "the layers call it")]
pub(crate) fn each_extra(visit: impl FnMut(&str, &Value)) {
    let _ = visit;
}
