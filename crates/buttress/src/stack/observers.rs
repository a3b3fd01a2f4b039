use std::{any::Any, cell::Cell, fmt, sync::Arc};

use buttress_core::{
    context::RequestContext,
    observe::{Observer, Totals},
};
use buttress_log::AccessLog;
use buttress_metrics::HttpMetrics;
use buttress_trace::Trace;
use http::{HeaderMap, Request, Response};

/// All that watches an exchange, in one wrapper. The trace comes first, so that the line and the
/// exemplars know its id; the user's own last, so that they know it all.
pub(super) type Observers<O> = OutOfTheWay<All<O>>;
pub(super) type All<O> = (Option<Trace>, Option<AccessLog>, Option<HttpMetrics>, Option<Shared<O>>);

/// Keeps what an observer keeps of an exchange in memory of its own. What is observed moves from
/// hand to hand, through each slot as a future and once more as a body, and its size is paid for each
/// time.
///
/// The memory is the last exchange's of the thread, so that it costs no allocation.
#[derive(Clone, Debug)]
pub(super) struct OutOfTheWay<O>(pub(super) O);

thread_local! {
    static SPARE: Cell<Option<Box<dyn Any>>> = const { Cell::new(None) };
}

/// What is kept of one exchange; empty, the memory that is to spare.
type Kept<E> = Box<Option<E>>;

fn keep<E: 'static>(exchange: E) -> Kept<E> {
    let spare = SPARE.try_with(Cell::take).ok().flatten();
    match spare.and_then(|spare| spare.downcast::<Option<E>>().ok()) {
        Some(mut kept) => {
            *kept = Some(exchange);
            kept
        }
        None => Box::new(Some(exchange)),
    }
}

fn release<E: 'static>(mut kept: Kept<E>) -> Option<E> {
    let exchange = kept.take();
    // A thread that is being torn down needs no spare.
    let _ = SPARE.try_with(|spare| spare.set(Some(kept)));
    exchange
}

impl<O: Observer<Exchange: 'static>> Observer for OutOfTheWay<O> {
    type Exchange = Kept<O::Exchange>;

    fn on_request<B>(&self, request: &Request<B>, context: &RequestContext) -> Self::Exchange {
        keep(self.0.on_request(request, context))
    }

    fn around<R>(&self, exchange: &Self::Exchange, run: impl FnOnce() -> R) -> R {
        match &**exchange {
            Some(exchange) => self.0.around(exchange, run),
            None => run(),
        }
    }

    fn on_response<B>(
        &self,
        exchange: &mut Self::Exchange,
        response: &Response<B>,
        context: &RequestContext,
    ) {
        if let Some(exchange) = &mut **exchange {
            self.0.on_response(exchange, response, context);
        }
    }

    fn on_trailers(
        &self,
        exchange: &mut Self::Exchange,
        trailers: &HeaderMap,
        context: &RequestContext,
    ) {
        if let Some(exchange) = &mut **exchange {
            self.0.on_trailers(exchange, trailers, context);
        }
    }

    fn on_end(&self, exchange: Self::Exchange, end: &Totals, context: &RequestContext) {
        if let Some(exchange) = release(exchange) {
            self.0.on_end(exchange, end, context);
        }
    }
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
