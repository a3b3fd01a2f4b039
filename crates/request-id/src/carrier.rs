//! Ids across a queue, a job table or a web hook: out of one request's context, into the next.

use buttress_core::context::{self, RequestContext};
use http::{HeaderMap, HeaderName, HeaderValue, header::Entry};

use crate::{Generator, X_REQUEST_ID, id::is_valid};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Takes the current request's id and trace along, out through the headers of a call, a message
/// or a job, and the id back in where that is handled.
///
/// ```
/// use buttress_core::context::{self, RequestContext};
/// use buttress_request_id::Carrier;
/// use http::HeaderValue;
/// use std::collections::BTreeMap;
///
/// // In the request that queues the job.
/// let request = RequestContext::new();
/// request.set_request_id(HeaderValue::from_static("01890a5d"));
/// let mut message = BTreeMap::new();
/// request.scope(|| {
///     Carrier::new().inject_with(|name, value| {
///         message.insert(name.to_owned(), value.to_owned());
///     });
/// });
/// assert_eq!(message["x-request-id"], "01890a5d");
///
/// // In the worker that runs it.
/// let job = Carrier::new().extract_with(|name| message.get(name));
/// job.scope(|| {
///     assert_eq!(context::current().unwrap().request_id().unwrap(), "01890a5d");
/// });
/// ```
///
/// A worker's future runs in the context with
/// [`InRequest::new`](buttress_core::context::InRequest::new).
#[derive(Clone, Debug)]
#[must_use]
pub struct Carrier {
    header: HeaderName,
    also_send: Vec<HeaderName>,
}

impl Carrier {
    /// Carries the id as [`X_REQUEST_ID`].
    pub const fn new() -> Self {
        Self { header: X_REQUEST_ID, also_send: Vec::new() }
    }

    /// The name that the id is sent under and read from. Default [`X_REQUEST_ID`].
    pub fn header(mut self, name: HeaderName) -> Self {
        self.header = name;
        self
    }

    /// Names that the id is sent under besides the first one.
    pub fn also_send(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.also_send = names.into_iter().collect();
        self
    }

    /// Sets the id, `traceparent` and `tracestate` of the current request where they are absent.
    ///
    /// Nothing is set outside of a request. A `tracestate` goes only with the `traceparent` that
    /// it belongs to (W3C Trace Context §3.3): where the headers have either of them already, both
    /// are left as they are.
    ///
    /// ```
    /// use buttress_core::context::RequestContext;
    /// use buttress_request_id::Carrier;
    /// use http::{HeaderMap, HeaderValue};
    ///
    /// let request = RequestContext::new();
    /// request.set_request_id(HeaderValue::from_static("01890a5d"));
    /// let mut headers = HeaderMap::new();
    /// request.scope(|| Carrier::new().inject(&mut headers));
    /// assert_eq!(headers["x-request-id"], "01890a5d");
    /// ```
    pub fn inject(&self, headers: &mut HeaderMap) {
        let traced = headers.contains_key(TRACEPARENT) || headers.contains_key(TRACESTATE);
        self.each(|name, value| {
            if traced && (*name == TRACEPARENT || *name == TRACESTATE) {
                return;
            }
            // A map that can take no more goes out without the id: the call matters more.
            if let Ok(Entry::Vacant(place)) = headers.try_entry(name) {
                let _ = place.try_insert(value);
            }
        });
    }

    /// Hands each name and value to `set`: for messages whose headers are no `HeaderMap`.
    pub fn inject_with(&self, mut set: impl FnMut(&str, &str)) {
        self.each(|name, value| {
            if let Ok(value) = value.to_str() {
                set(name.as_str(), value);
            }
        });
    }

    /// The context of what is handled now, with the id that these headers carry.
    ///
    /// The id is held to the same rule as a request's: one line, and valid
    /// ([`is_valid`]). Where there is none that can be taken, the context has a new UUIDv7: every
    /// job has an id. The trace is not read: `traceparent` is for what continues it.
    pub fn extract(&self, headers: &HeaderMap) -> RequestContext {
        let mut lines = headers.get_all(&self.header).iter();
        let id = lines.next().filter(|_| lines.next().is_none());
        context_of(id.filter(|id| is_valid(id.as_bytes())).cloned())
    }

    /// [`extract`](Self::extract) from what `get` finds under a name.
    pub fn extract_with<V: AsRef<[u8]>>(
        &self,
        get: impl FnOnce(&str) -> Option<V>,
    ) -> RequestContext {
        let id = get(self.header.as_str()).filter(|id| is_valid(id.as_ref()));
        context_of(id.and_then(|id| HeaderValue::from_bytes(id.as_ref()).ok()))
    }

    fn each(&self, mut set: impl FnMut(&HeaderName, HeaderValue)) {
        let Some(context) = context::current() else {
            return;
        };
        if let Some(id) = context.request_id() {
            set(&self.header, id.clone());
            for name in &self.also_send {
                set(name, id.clone());
            }
        }
        if let Some(trace) = context.trace() {
            set(&TRACEPARENT, trace.traceparent());
            if let Some(state) = trace.state() {
                set(&TRACESTATE, state.clone());
            }
        }
    }
}

impl Default for Carrier {
    fn default() -> Self {
        Self::new()
    }
}

fn context_of(id: Option<HeaderValue>) -> RequestContext {
    let context = RequestContext::new();
    context.set_request_id(id.unwrap_or_else(|| Generator::Uuid7.generate()));
    context
}
