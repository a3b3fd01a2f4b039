//! CORS, checked when it is configured.

use std::{fmt, sync::Arc, time::Duration};

use http::{
    HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::origin::{self, OriginError, OriginErrorKind};

/// Which other origins' pages may call this service and read its answers (Fetch, "CORS protocol").
///
/// The work is tower-http's [`CorsLayer`]; this is the part that a person fills in. A combination
/// that browsers refuse is an error here, where [`CorsLayer`] panics when it is first used, and an
/// origin that could never match is refused with what to write instead.
///
/// A preflight (OPTIONS with `Origin` and `Access-Control-Request-Method`) is answered here; any
/// other OPTIONS goes to the service, and its answer is not for other origins' pages.
///
/// Say it once, in the outermost stack: a second one inside is shown no preflight, and where the
/// two differ, browsers hear something of both.
///
/// Defaults: GET, HEAD, POST, PUT, PATCH and DELETE ([`any`](Self::any): GET and HEAD); the request
/// headers `authorization`,
/// `content-type`, `idempotency-key`, `traceparent` and `x-request-id`; the answer's `x-request-id`,
/// `retry-after` and rate limit headers readable by the page; no credentials; a preflight is
/// remembered for an hour.
///
/// ```
/// use buttress::{Cors, Stack};
///
/// let cors = Cors::allow(["https://app.example.com"])?.credentials()?;
/// let stack = Stack::new().cors(cors);
///
/// let error = Cors::allow(["https://app.example.com/"]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#""https://app.example.com/": an origin has no path and no slash at its end"#
/// );
/// assert!(Cors::any().credentials().is_err());
/// # let _ = stack;
/// # Ok::<(), buttress::OriginError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Cors {
    /// None is any.
    origins: Option<Arc<[HeaderValue]>>,
    credentials: bool,
    methods: Vec<Method>,
    headers: Vec<HeaderName>,
    expose: Vec<HeaderName>,
    max_age: Duration,
}

impl Cors {
    /// Lets pages of these origins in.
    ///
    /// # Errors
    ///
    /// For an empty list, and for anything that is not an origin as browsers send it: a scheme, a
    /// host in lower case, and a port unless it is the scheme's own.
    pub fn allow<I>(origins: I) -> Result<Self, OriginError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let changing = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let mut cors = Self { origins: Some(origin::parse_all(origins)?.into()), ..Self::any() };
        cors.methods.extend(changing);
        Ok(cors)
    }

    /// Lets pages of any origin in, without credentials: for a public API that is read with GET
    /// and HEAD. [`Csrf`](crate::Csrf) trusts nobody for it; where any page may send something,
    /// say `methods` here and `csrf(None)` at the stack.
    pub fn any() -> Self {
        let names = ["idempotency-key", "traceparent", "x-request-id"];
        let exposed = ["ratelimit", "ratelimit-policy", "x-request-id"];
        Self {
            origins: None,
            credentials: false,
            methods: vec![Method::GET, Method::HEAD],
            headers: [AUTHORIZATION, CONTENT_TYPE]
                .into_iter()
                .chain(names.map(HeaderName::from_static))
                .collect(),
            expose: [RETRY_AFTER].into_iter().chain(exposed.map(HeaderName::from_static)).collect(),
            max_age: Duration::from_secs(60 * 60),
        }
    }

    /// Takes origins from one text, parted by commas, as they stand in an environment variable;
    /// `*` is any.
    ///
    /// # Errors
    ///
    /// As [`allow`](Self::allow).
    pub fn parse(list: &str) -> Result<Self, OriginError> {
        match list.trim() {
            "*" => Ok(Self::any()),
            list => Self::allow(list.split(',').map(str::trim).filter(|origin| !origin.is_empty())),
        }
    }

    /// Lets those pages send cookies and read what comes back for them. Then
    /// [`Csrf`](crate::Csrf) trusts their requests with cookies, too.
    ///
    /// # Errors
    ///
    /// With [`any`](Self::any): it would hand every visitor's session to every web page. With `*`
    /// as a method or header: no browser takes it for a wildcard then (Fetch, "CORS protocol and
    /// credentials").
    pub fn credentials(mut self) -> Result<Self, OriginError> {
        self.credentials = true;
        self.checked()
    }

    /// The methods that may be used, in place of the default ones.
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials).
    pub fn methods(
        mut self,
        methods: impl IntoIterator<Item = Method>,
    ) -> Result<Self, OriginError> {
        self.methods = methods.into_iter().collect();
        self.checked()
    }

    /// The request headers that may be sent, in place of the default ones.
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials).
    pub fn headers(
        mut self,
        headers: impl IntoIterator<Item = HeaderName>,
    ) -> Result<Self, OriginError> {
        self.headers = headers.into_iter().collect();
        self.checked()
    }

    /// The answer's headers that the page may read, in place of the default ones. gRPC-Web needs
    /// `grpc-status` and `grpc-message`.
    ///
    /// # Errors
    ///
    /// As [`credentials`](Self::credentials).
    pub fn expose(
        mut self,
        headers: impl IntoIterator<Item = HeaderName>,
    ) -> Result<Self, OriginError> {
        self.expose = headers.into_iter().collect();
        self.checked()
    }

    fn checked(self) -> Result<Self, OriginError> {
        let named = |names: &[HeaderName]| names.iter().all(|name| name.as_str() != "*");
        let advice = match () {
            () if !self.credentials => return Ok(self),
            () if self.origins.is_none() => {
                "credentials need origins by name; browsers refuse them for any"
            }
            () if self.methods.iter().any(|method| method.as_str() == "*") => {
                "with credentials, browsers want methods by name"
            }
            () if !named(&self.headers) || !named(&self.expose) => {
                "with credentials, browsers want headers by name"
            }
            () => return Ok(self),
        };
        Err(OriginError::new(OriginErrorKind::AnyWithCredentials, "*", advice))
    }

    /// How long a browser may remember a preflight. Chromium caps it at two hours.
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    pub(crate) fn origins(&self) -> &[HeaderValue] {
        self.origins.as_deref().unwrap_or_default()
    }

    pub(crate) const fn has_credentials(&self) -> bool {
        self.credentials
    }

    pub(crate) fn layer(&self) -> CorsLayer {
        let layer = CorsLayer::new()
            .allow_methods(self.methods.clone())
            .allow_headers(self.headers.clone())
            .expose_headers(self.expose.clone())
            .max_age(self.max_age);
        match self.origins.clone() {
            None => layer.allow_origin(Any),
            // A list would be cloned with every service.
            Some(origins) => layer
                .allow_origin(AllowOrigin::predicate(move |origin, _| origins.contains(origin)))
                .allow_credentials(self.credentials),
        }
    }
}

/// `https://app.example.com, with credentials; GET, HEAD`
impl fmt::Display for Cors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origins {
            None => f.write_str("any origin")?,
            Some(origins) => {
                list(f, origins.iter().map(|origin| origin.to_str().unwrap_or_default()))?;
            }
        }
        f.write_str(if self.credentials { ", with credentials; " } else { "; " })?;
        list(f, self.methods.iter().map(Method::as_str))
    }
}

fn list<'a>(f: &mut fmt::Formatter<'_>, words: impl Iterator<Item = &'a str>) -> fmt::Result {
    for (i, word) in words.enumerate() {
        write!(f, "{}{word}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}
