//! Watching an exchange from its first byte to its last, once for everyone who wants to know.
//!
//! Logs, metrics, traces and a drain all ask the same: when did it begin, what was answered, how
//! did it end? [`ObserveLayer`] finds that out with one wrapper around the response body and tells
//! any number of [`Observer`]s, which are combined as a tuple and called without indirection. It
//! makes the [`RequestContext`] if no layer further out has.
//!
//! Place it outside everything whose answers it is to see: rejections, timeouts and caught panics
//! included.
//!
//! ```
//! use buttress_core::{
//!     context::RequestContext,
//!     observe::{ObserveLayer, Observer, Outcome, Totals},
//! };
//! use http::{Request, Response};
//! use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
//!
//! #[derive(Debug, Default)]
//! struct GoneClients(AtomicU64);
//!
//! impl Observer for GoneClients {
//!     type Exchange = ();
//!     fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {}
//!     fn on_end(&self, (): (), end: &Totals, _: &RequestContext) {
//!         if end.outcome == Outcome::ClientGone {
//!             self.0.fetch_add(1, Relaxed);
//!         }
//!     }
//! }
//!
//! let layer = ObserveLayer::new(GoneClients::default());
//! # let _ = layer;
//! ```

use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode};

use self::guard::contain;
pub use self::{
    body::ObserveBody,
    future::ResponseFuture,
    layer::{Observe, ObserveLayer},
};
use crate::context::RequestContext;

mod body;
mod future;
mod guard;
mod kept;
mod layer;

/// Something that wants to know of every exchange.
///
/// Each method runs in the request's context and on its path: it must be quick, and it must not
/// block. A panic in one of them is kept from the request and from other observers, but for
/// [`on_request`](Self::on_request) and [`around`](Self::around), which must not panic. What has
/// to be given back whatever happens lives in the `Drop` of the [`Exchange`](Self::Exchange).
///
/// ```
/// use buttress_core::{context::RequestContext, observe::{Observer, Totals}};
/// use http::Request;
/// use std::time::Duration;
///
/// struct Slow;
///
/// impl Observer for Slow {
///     type Exchange = String;
///     fn on_request<B>(&self, request: &Request<B>, _: &RequestContext) -> String {
///         request.uri().path().to_owned()
///     }
///     fn on_end(&self, path: String, end: &Totals, _: &RequestContext) {
///         if end.duration > Duration::from_secs(1) {
///             println!("{path} took {:?}", end.duration);
///         }
///     }
/// }
/// ```
pub trait Observer: 'static {
    /// What is kept from the beginning of one exchange to its end.
    type Exchange: 'static;

    /// A request has come in.
    fn on_request<B>(&self, request: &Request<B>, context: &RequestContext) -> Self::Exchange;

    /// Runs a piece of the service's code: `run` calls the service, or polls its future or its
    /// body, once. A tracer enters its span here.
    fn around<R>(&self, exchange: &Self::Exchange, run: impl FnOnce() -> R) -> R {
        let _ = exchange;
        run()
    }

    /// The head of the answer is there; the body has still to be sent.
    fn on_response<B>(
        &self,
        exchange: &mut Self::Exchange,
        response: &Response<B>,
        context: &RequestContext,
    ) {
        let _ = (exchange, response, context);
    }

    /// The answer ends with trailers; in gRPC they carry the status.
    fn on_trailers(
        &self,
        exchange: &mut Self::Exchange,
        trailers: &HeaderMap,
        context: &RequestContext,
    ) {
        let _ = (exchange, trailers, context);
    }

    /// The exchange is over. This is called exactly once for each `on_request`.
    ///
    /// What a call was doing that failed or was dropped is dropped by now. The body of an answer
    /// that came to its own end may live on until the server lets go of it.
    fn on_end(&self, exchange: Self::Exchange, end: &Totals, context: &RequestContext);
}

/// How an exchange ended.
///
/// ```
/// use buttress_core::observe::Outcome;
///
/// fn is_our_fault(outcome: Outcome) -> bool {
///     !matches!(outcome, Outcome::Complete | Outcome::ClientGone)
/// }
/// assert!(is_our_fault(Outcome::Panic));
/// assert_eq!(Outcome::ClientGone.as_str(), "client_gone");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The answer was handed over to its last byte.
    Complete,
    /// It was dropped before its end: the client left, or something further out gave up on it.
    ClientGone,
    /// The body broke off with an error.
    BodyError,
    /// The service failed without an answer; the server closes the connection.
    ServiceError,
    /// The service, or its body, panicked and nobody further in caught it.
    Panic,
}

impl Outcome {
    /// A fixed word, for a log field or a metric's label: `complete`, `client_gone`,
    /// `body_error`, `service_error`, `panic`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client_gone",
            Self::BodyError => "body_error",
            Self::ServiceError => "service_error",
            Self::Panic => "panic",
        }
    }
}

/// What is known of an exchange at its end.
///
/// ```
/// use buttress_core::observe::Totals;
///
/// /// The end of an access log's line: `complete 200 1270`.
/// fn line(end: &Totals) -> String {
///     let status = end.status.map_or_else(|| "-".to_owned(), |status| status.as_u16().to_string());
///     format!("{} {status} {}", end.outcome.as_str(), end.bytes_out)
/// }
/// # use buttress_core::{context::RequestContext, observe::{ObserveLayer, Observer}};
/// # use http::{Request, Response};
/// # use std::sync::mpsc::{Sender, channel};
/// # use tower::{Layer, ServiceExt, service_fn};
/// # struct Log(Sender<String>);
/// # impl Observer for Log {
/// #     type Exchange = ();
/// #     fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {}
/// #     fn on_end(&self, (): (), end: &Totals, _: &RequestContext) {
/// #         self.0.send(line(end)).unwrap();
/// #     }
/// # }
/// # let (log, lines) = channel();
/// # let service = ObserveLayer::new(Log(log)).layer(service_fn(|_: Request<()>| async {
/// #     Ok::<_, std::convert::Infallible>(Response::new(String::new()))
/// # }));
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// #     service.oneshot(Request::new(())).await.unwrap();
/// # });
/// # assert_eq!(lines.recv().unwrap(), "complete 200 0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// How it ended.
    pub outcome: Outcome,
    /// The answer's status, if there was an answer.
    pub status: Option<StatusCode>,
    /// From the request to the head of the answer, if there was one.
    pub head: Option<Duration>,
    /// From the request to the end of the exchange.
    pub duration: Duration,
    /// How many bytes of body were handed over, without the protocol's own framing.
    pub bytes_out: u64,
}

impl Observer for () {
    type Exchange = ();

    fn on_request<B>(&self, _: &Request<B>, _: &RequestContext) {}

    fn on_end(&self, (): (), _: &Totals, _: &RequestContext) {}
}

impl<O: Observer> Observer for Option<O> {
    type Exchange = Option<O::Exchange>;

    fn on_request<B>(&self, request: &Request<B>, context: &RequestContext) -> Self::Exchange {
        self.as_ref().map(|observer| observer.on_request(request, context))
    }

    fn around<R>(&self, exchange: &Self::Exchange, run: impl FnOnce() -> R) -> R {
        match (self, exchange) {
            (Some(observer), Some(exchange)) => observer.around(exchange, run),
            _ => run(),
        }
    }

    fn on_response<B>(
        &self,
        exchange: &mut Self::Exchange,
        response: &Response<B>,
        context: &RequestContext,
    ) {
        if let (Some(observer), Some(exchange)) = (self, exchange) {
            observer.on_response(exchange, response, context);
        }
    }

    fn on_trailers(
        &self,
        exchange: &mut Self::Exchange,
        trailers: &HeaderMap,
        context: &RequestContext,
    ) {
        if let (Some(observer), Some(exchange)) = (self, exchange) {
            observer.on_trailers(exchange, trailers, context);
        }
    }

    fn on_end(&self, exchange: Self::Exchange, end: &Totals, context: &RequestContext) {
        if let (Some(observer), Some(exchange)) = (self, exchange) {
            observer.on_end(exchange, end, context);
        }
    }
}

/// `run` inside the last of the observers, inside the one before it, and so on.
macro_rules! nest {
    ($all:ident, $exchange:ident, $run:expr, $at:tt) => {
        $all.$at.around(&$exchange.$at, $run)
    };
    ($all:ident, $exchange:ident, $run:expr, $at:tt $($rest:tt)+) => {
        $all.$at.around(&$exchange.$at, || nest!($all, $exchange, $run, $($rest)+))
    };
}

macro_rules! tuple {
    ($($observer:ident $at:tt),+) => {
        impl<$($observer: Observer),+> Observer for ($($observer,)+) {
            type Exchange = ($($observer::Exchange,)+);

            fn on_request<B>(
                &self,
                request: &Request<B>,
                context: &RequestContext,
            ) -> Self::Exchange {
                ($(self.$at.on_request(request, context),)+)
            }

            fn on_response<B>(
                &self,
                exchange: &mut Self::Exchange,
                response: &Response<B>,
                context: &RequestContext,
            ) {
                $(contain(|| self.$at.on_response(&mut exchange.$at, response, context));)+
            }

            fn around<Out>(&self, exchange: &Self::Exchange, run: impl FnOnce() -> Out) -> Out {
                nest!(self, exchange, run, $($at)+)
            }

            fn on_trailers(
                &self,
                exchange: &mut Self::Exchange,
                trailers: &HeaderMap,
                context: &RequestContext,
            ) {
                $(contain(|| self.$at.on_trailers(&mut exchange.$at, trailers, context));)+
            }

            fn on_end(&self, exchange: Self::Exchange, end: &Totals, context: &RequestContext) {
                $(contain(|| self.$at.on_end(exchange.$at, end, context));)+
            }
        }
    };
}

tuple!(P 0);
tuple!(P 0, O 1);
tuple!(P 0, O 1, Q 2);
tuple!(P 0, O 1, Q 2, R 3);
tuple!(P 0, O 1, Q 2, R 3, S 4);
tuple!(P 0, O 1, Q 2, R 3, S 4, T 5);
