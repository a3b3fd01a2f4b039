use std::{fmt, sync::Arc};

use buttress_core::{
    context::RequestContext,
    observe::{Observer, Totals},
    reject::Rejected,
};
use buttress_log::AccessLog;
use buttress_metrics::HttpMetrics;
use buttress_trace::Trace;
use http::{HeaderMap, Request, Response};

/// All that watches an exchange, in one wrapper. The reason comes first, so that all have it; then
/// the trace, so that the line and the exemplars know its id; the user's own last, so that they
/// know it all.
pub(super) type Observers<O> =
    (Reason, Option<Trace>, Option<AccessLog>, Option<HttpMetrics>, Option<Shared<O>>);

/// Why a request was refused is what kind of failure it was, whichever slot or inner layer refused
/// it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reason;

impl Observer for Reason {
    type Exchange = ();

    fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {}

    fn on_response<B>(&self, (): &mut (), response: &Response<B>, context: &RequestContext) {
        if let Some(refusal) = response.extensions().get::<Rejected>() {
            context.set_error_type(refusal.reason());
        }
    }

    fn on_end(&self, (): (), _: &Totals, _: &RequestContext) {}
}

/// An observer that is not asked to be `Clone`: a stack is built slot by slot.
pub(super) struct Shared<O>(Arc<O>);

impl<O> Shared<O> {
    pub(super) fn new(observer: O) -> Self {
        Self(Arc::new(observer))
    }
}

impl<O> Clone for Shared<O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<O> fmt::Debug for Shared<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl<O: Observer> Observer for Shared<O> {
    type Exchange = O::Exchange;

    fn on_request<B>(&self, request: &Request<B>, context: &RequestContext) -> O::Exchange {
        self.0.on_request(request, context)
    }

    fn around<R>(&self, exchange: &O::Exchange, run: impl FnOnce() -> R) -> R {
        self.0.around(exchange, run)
    }

    fn on_response<B>(
        &self,
        exchange: &mut O::Exchange,
        response: &Response<B>,
        context: &RequestContext,
    ) {
        self.0.on_response(exchange, response, context);
    }

    fn on_trailers(
        &self,
        exchange: &mut O::Exchange,
        trailers: &HeaderMap,
        context: &RequestContext,
    ) {
        self.0.on_trailers(exchange, trailers, context);
    }

    fn on_end(&self, exchange: O::Exchange, end: &Totals, context: &RequestContext) {
        self.0.on_end(exchange, end, context);
    }
}
