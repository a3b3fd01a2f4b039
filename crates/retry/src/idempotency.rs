//! Which requests may be repeated.

use std::{fmt, sync::Arc};

use http::{Extensions, HeaderMap, Method, Request, Uri};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The head of a request, as the rules see it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The extensions.
    pub extensions: &'a Extensions,
}

/// What a request says of itself, in its extensions; it goes before every other rule.
///
/// ```
/// use buttress_retry::Repeat;
/// use http::Request;
///
/// // A search that is a POST for the size of its query.
/// let request = Request::post("/search").extension(Repeat::Allowed).body(())?;
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It may be sent again, whatever its method.
    Allowed,
    /// It is sent once. Nothing of it is kept.
    Never,
}

/// Which requests may be sent again when nobody knows whether the first one was acted upon.
///
/// By default: those of an idempotent method (GET, HEAD, OPTIONS, TRACE, PUT, DELETE: RFC 9110
/// §9.2.2), those with an `Idempotency-Key`, and those with [`Repeat::Allowed`] among their
/// extensions. A gRPC call is a POST: name the methods that may be repeated, as here or by
/// [`idempotent_methods`](crate::RetryLayer::idempotent_methods).
///
/// What was never acted upon may be sent again, whatever it is: see [`unsent`](crate::unsent).
///
/// ```
/// use buttress_retry::{Idempotency, RetryLayer};
///
/// let safe = Idempotency::default().or(|head| head.uri.path() == "/helloworld.Greeter/SayHello");
/// let layer = RetryLayer::grpc().idempotency(safe);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Idempotency {
    rule: Rule,
    also: Vec<Also>,
    after_unsent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Http,
    All,
    Nothing,
}

type Also = Arc<dyn Fn(&RequestHead<'_>) -> bool + Send + Sync>;

impl Idempotency {
    /// Every request: for a service of which all calls may be repeated.
    pub const fn all() -> Self {
        Self { rule: Rule::All, also: Vec::new(), after_unsent: true }
    }

    /// No request but what [`or`](Self::or) and the request itself say.
    pub const fn none() -> Self {
        Self { rule: Rule::Nothing, also: Vec::new(), after_unsent: true }
    }

    /// Those of which this is true, too.
    pub fn or<F>(mut self, also: F) -> Self
    where
        F: Fn(&RequestHead<'_>) -> bool + Send + Sync + 'static,
    {
        self.also.push(Arc::new(also));
        self
    }

    /// Sends nothing again that may not be repeated, not even what is known to have never been sent.
    /// So nothing is kept of such a request.
    pub const fn strict(mut self) -> Self {
        self.after_unsent = false;
        self
    }

    pub(crate) const fn is_after_unsent(&self) -> bool {
        self.after_unsent
    }

    pub(crate) fn allows(&self, head: &RequestHead<'_>) -> bool {
        match head.extensions.get::<Repeat>() {
            Some(Repeat::Allowed) => return true,
            Some(Repeat::Never) => return false,
            None => {}
        }
        let by_rule = match self.rule {
            Rule::Http => head.method.is_idempotent() || head.headers.contains_key(IDEMPOTENCY_KEY),
            Rule::All => true,
            Rule::Nothing => false,
        };
        by_rule || self.also.iter().any(|also| also(head))
    }
}

impl Default for Idempotency {
    fn default() -> Self {
        Self { rule: Rule::Http, also: Vec::new(), after_unsent: true }
    }
}

impl fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency")
            .field("rule", &self.rule)
            .field("also", &self.also.len())
            .field("after_unsent", &self.after_unsent)
            .finish()
    }
}

/// Methods, or whole services, of gRPC; without the `/` before them.
pub(crate) struct Methods(Box<[Box<str>]>);

impl Methods {
    pub(crate) fn new<I: IntoIterator<Item: AsRef<str>>>(names: I) -> Self {
        let names = names.into_iter();
        Self(names.map(|name| name.as_ref().trim_start_matches('/').into()).collect())
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.strip_prefix('/').unwrap_or(path);
        let service = path.rsplit_once('/').map(|(service, _)| service);
        self.0.iter().any(|name| **name == *path || !name.contains('/') && service == Some(name))
    }
}

impl<'a> RequestHead<'a> {
    pub(crate) fn of_request<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::request;

    use super::*;

    fn allows(idempotency: &Idempotency, request: request::Builder) -> bool {
        idempotency.allows(&RequestHead::of_request(&request.body(()).unwrap()))
    }

    #[test]
    fn the_methods_of_rfc_9110() {
        let default = Idempotency::default();
        for (method, allowed) in [
            ("GET", true),
            ("HEAD", true),
            ("OPTIONS", true),
            ("TRACE", true),
            ("PUT", true),
            ("DELETE", true),
            ("POST", false),
            ("PATCH", false),
            ("CONNECT", false),
            ("PROPFIND", false),
        ] {
            assert_eq!(allows(&default, Request::builder().method(method)), allowed, "{method}");
        }
    }

    #[test]
    fn a_key_an_extension_or_a_rule_allow_and_never_is_never() {
        let default = Idempotency::default();
        assert!(allows(&default, Request::post("/").header("Idempotency-Key", "8e03")));
        assert!(allows(&default, Request::post("/").extension(Repeat::Allowed)));
        assert!(!allows(&default, Request::get("/").extension(Repeat::Never)));
        assert!(allows(&Idempotency::all(), Request::post("/")));
        let search = Idempotency::none().or(|head| head.uri.path() == "/search");
        assert!(allows(&search, Request::post("/search")));
        assert!(!allows(&search, Request::get("/")));
    }
}
