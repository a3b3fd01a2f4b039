//! What is known of the request that is being served, wherever the code is.
//!
//! The outermost layer of this family makes a [`RequestContext`] and polls everything inside it
//! with the context in a thread-local; [`current`] reads it from there. So any function, after
//! any await and in any crate, finds the request's id with no span, no argument and no runtime.
//! Two requests that are interleaved on one thread never see each other's: the context is put in
//! before each poll and taken out after it.
//!
//! Code that leaves the request's own future takes the context along: [`in_request`] for a future
//! that runs elsewhere, and with the feature `tokio` [`spawn`] and [`blocking`].
//!
//! ```
//! use buttress_core::context::{self, RequestContext};
//! use http::{Extensions, HeaderValue};
//!
//! fn deep_inside() -> Option<HeaderValue> {
//!     context::current()?.request_id().cloned()
//! }
//!
//! let request = RequestContext::new();
//! request.set_request_id(HeaderValue::from_static("01890a5d"));
//! assert_eq!(request.scope(deep_inside).unwrap(), "01890a5d");
//! assert!(context::current().is_none());
//! ```

use std::{
    borrow::Cow,
    cell::Cell,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use http::{Extensions, HeaderValue};

#[cfg(feature = "tokio")]
pub use self::task::{blocking, spawn};
pub use self::{
    layer::{ContextLayer, InContext, ResponseFuture},
    operation::{Operation, OperationTotal},
    scope::{InRequest, current, in_request},
    trace::TraceContext,
};
use crate::value::Value;

mod layer;
mod operation;
mod route;
mod scope;
#[cfg(feature = "tokio")]
mod task;
mod trace;

thread_local! {
    static SPARE: Cell<Option<Arc<Inner>>> = const { Cell::new(None) };
}

/// How many fields of the application's a context keeps; more are counted, and not kept.
pub const MAX_FIELDS: usize = 64;

/// What is known of one request. A clone is another handle to the same context.
///
/// Each value is set once, by whichever layer finds it out first, and never changes after that:
/// what one log line says of a request, all of them say.
///
/// ```
/// use buttress_core::context::RequestContext;
///
/// let request = RequestContext::new();
/// assert!(request.set_principal("user-17".into()));
/// assert!(!request.set_principal("user-18".into()), "it is set already");
/// assert_eq!(request.clone().principal(), Some("user-17"));
///
/// // For the log line at the end.
/// request.add("cart_items", 3_u64);
/// assert_eq!(request.take_fields(), [("cart_items".into(), 3_u64.into())]);
/// ```
#[derive(Clone)]
pub struct RequestContext(Arc<Inner>);

#[derive(Default)]
struct Inner {
    request_id: OnceLock<HeaderValue>,
    trace: OnceLock<TraceContext>,
    started: OnceLock<Instant>,
    client_ip: OnceLock<IpAddr>,
    route: OnceLock<Arc<str>>,
    principal: OnceLock<Arc<str>>,
    error_type: OnceLock<&'static str>,
    operations: operation::Counters,
    fields: Mutex<Fields>,
}

#[derive(Default)]
struct Fields {
    kept: Vec<(Cow<'static, str>, Value)>,
    dropped: u64,
}

macro_rules! set_once {
    ($(
        $(#[$get_doc:meta])* $get:ident -> $out:ty = |$value:ident| $read:expr;
        $(#[$set_doc:meta])* $set:ident($in:ty);
    )*) => {$(
        $(#[$get_doc])*
        #[must_use]
        pub fn $get(&self) -> Option<$out> {
            self.0.$get.get().map(|$value| $read)
        }

        $(#[$set_doc])*
        /// Answers false, and changes nothing, if it was set before.
        pub fn $set(&self, value: $in) -> bool {
            self.0.$get.set(value).is_ok()
        }
    )*};
}

impl RequestContext {
    /// A context in which nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self(SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default())
    }

    /// The context of the request that is being served, for a layer: the current one, else the one
    /// among the request's extensions, which a layer further out has put there
    /// ([`ContextLayer::extension`]) and the task has left behind; else a new one.
    ///
    /// The second value is what [`InRequest::call`] takes: the context again, unless it is the
    /// current one and so entered already.
    #[must_use]
    pub fn join(extensions: &Extensions) -> (Self, Option<Self>) {
        if let Some(current) = current() {
            return (current, None);
        }
        let context = extensions.get::<Self>().cloned().unwrap_or_default();
        (context.clone(), Some(context))
    }

    /// Gives the memory back for this thread's next request, if this is the last handle.
    pub(crate) fn recycle(self) {
        let Self(mut inner) = self;
        if let Some(last) = Arc::get_mut(&mut inner) {
            // Whole, not field by field: nothing of one request may be left for the next.
            *last = Inner::default();
            // A thread that is being torn down needs no spare.
            let _ = SPARE.try_with(|spare| spare.set(Some(inner)));
        }
    }

    set_once! {
        /// The request's id.
        request_id -> &HeaderValue = |id| id;
        /// Sets the request's id.
        set_request_id(HeaderValue);

        /// The trace that the request belongs to.
        trace -> &TraceContext = |trace| trace;
        /// Sets the trace that the request belongs to.
        set_trace(TraceContext);

        /// When the request came in, if a layer that measures is there.
        started -> Instant = |at| *at;
        /// Sets when the request came in.
        set_started(Instant);

        /// The client's address, by the service's own rule
        /// ([`ClientIp`](crate::client_ip::ClientIp)).
        client_ip -> IpAddr = |ip| *ip;
        /// Sets the client's address.
        set_client_ip(IpAddr);

        /// The route's template, such as `/users/{id}`; unknown until the router has matched.
        route -> &str = |route| &**route;
        /// Sets the route's template.
        set_route(Arc<str>);

        /// Who is asking, once that is proven: a user's id, never a name or an address.
        principal -> &str = |principal| &**principal;
        /// Sets who is asking.
        set_principal(Arc<str>);

        /// What kind of failure this was, if it was one: one of a few fixed words, such as
        /// `timeout` or `panic`, for logs and metrics (`error.type` of OpenTelemetry).
        error_type -> &'static str = |kind| *kind;
        /// Sets what kind of failure this was.
        set_error_type(&'static str);
    }

    /// The request's id as text, for a log line or a message.
    #[must_use]
    pub fn request_id_str(&self) -> Option<&str> {
        self.request_id().and_then(|id| id.to_str().ok())
    }

    /// Adds a field to what is logged of this request. The same name again replaces the value.
    ///
    /// At most [`MAX_FIELDS`] are kept.
    pub fn add(&self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        let mut fields = self.lock_fields();
        let full = fields.kept.len() >= MAX_FIELDS;
        let replaced = match fields.kept.iter_mut().find(|(other, _)| *other == name) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None if full => {
                fields.dropped += 1;
                Some(value)
            }
            None => {
                fields.kept.push((name, value));
                None
            }
        };
        // Not under the lock: a value may be large.
        drop(fields);
        drop(replaced);
    }

    /// Takes the fields that were added, in their order: for whoever writes them, at the end.
    #[must_use]
    pub fn take_fields(&self) -> Vec<(Cow<'static, str>, Value)> {
        std::mem::take(&mut self.lock_fields().kept)
    }

    /// How many fields were not kept.
    #[must_use]
    pub fn fields_dropped(&self) -> u64 {
        self.lock_fields().dropped
    }

    fn lock_fields(&self) -> MutexGuard<'_, Fields> {
        self.0.fields.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one operation that this request caused.
    pub fn count(&self, operation: Operation, took: Duration) {
        self.0.operations.add(operation, took);
    }

    /// How many operations of a kind this request has caused, and how long they took together.
    #[must_use]
    pub fn operations(&self, operation: Operation) -> OperationTotal {
        self.0.operations.total(operation)
    }
}

impl Default for RequestContext {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the principal nor the fields: a `Debug` of a request must not leak them.
        f.debug_struct("RequestContext")
            .field("request_id", &self.request_id())
            .field("trace", &self.trace())
            .field("route", &self.route())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
