//! CORS, checked when it is configured.

use std::{fmt, time::Duration};

use http::{
    HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::origin::{self, ConfigError, ConfigErrorKind};

/// Which other origins' pages may call this service and read its answers (Fetch, "CORS protocol").
///
/// The work is tower-http's [`CorsLayer`]; this is the part that a person fills in. A combination
/// that browsers refuse is an error here, where [`CorsLayer`] panics when it is first used, and an
/// origin that could never match is refused with what to write instead.
///
/// Defaults: GET, HEAD, POST, PUT, PATCH and DELETE; the request headers `authorization`,
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
/// # Ok::<(), buttress::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Cors {
    origins: Option<Vec<HeaderValue>>,
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
    pub fn allow<I>(origins: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        origin::parse_all(origins).map(|origins| Self::new(Some(origins)))
    }

    /// Lets pages of any origin in, without credentials: for a public, read-only API.
    pub fn any() -> Self {
        Self::new(None)
    }

    /// Takes origins from one text, parted by commas, as they stand in an environment variable;
    /// `*` is any.
    ///
    /// # Errors
    ///
    /// As [`allow`](Self::allow).
    pub fn parse(list: &str) -> Result<Self, ConfigError> {
        match list.trim() {
            "*" => Ok(Self::any()),
            list => Self::allow(list.split(',').map(str::trim).filter(|origin| !origin.is_empty())),
        }
    }

    fn new(origins: Option<Vec<HeaderValue>>) -> Self {
        let names = ["idempotency-key", "traceparent", "x-request-id"];
        let exposed = ["ratelimit", "ratelimit-policy", "x-request-id"];
        Self {
            origins,
            credentials: false,
            methods: vec![
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ],
            headers: [AUTHORIZATION, CONTENT_TYPE]
                .into_iter()
                .chain(names.map(HeaderName::from_static))
                .collect(),
            expose: [RETRY_AFTER].into_iter().chain(exposed.map(HeaderName::from_static)).collect(),
            max_age: Duration::from_secs(60 * 60),
        }
    }

    /// Lets those pages send cookies and read what comes back for them.
    ///
    /// # Errors
    ///
    /// With [`any`](Self::any): it would hand every visitor's session to every web page.
    pub fn credentials(mut self) -> Result<Self, ConfigError> {
        if self.origins.is_none() {
            return Err(ConfigError::new(
                ConfigErrorKind::AnyWithCredentials,
                "*",
                "credentials need origins by name; browsers refuse them for any",
            ));
        }
        self.credentials = true;
        Ok(self)
    }

    /// The methods that may be used, in place of the default ones.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = methods.into_iter().collect();
        self
    }

    /// The request headers that may be sent, in place of the default ones.
    pub fn headers(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.headers = headers.into_iter().collect();
        self
    }

    /// The answer's headers that the page may read, in place of the default ones. gRPC-Web needs
    /// `grpc-status` and `grpc-message`.
    pub fn expose(mut self, headers: impl IntoIterator<Item = HeaderName>) -> Self {
        self.expose = headers.into_iter().collect();
        self
    }

    /// How long a browser may remember a preflight. Chromium caps it at two hours.
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    pub(crate) fn origins(&self) -> &[HeaderValue] {
        self.origins.as_deref().unwrap_or_default()
    }

    pub(crate) fn layer(&self) -> CorsLayer {
        let layer = CorsLayer::new()
            .allow_methods(self.methods.clone())
            .allow_headers(self.headers.clone())
            .expose_headers(self.expose.clone())
            .max_age(self.max_age);
        match &self.origins {
            None => layer.allow_origin(Any),
            Some(origins) => layer
                .allow_origin(AllowOrigin::list(origins.iter().cloned()))
                .allow_credentials(self.credentials),
        }
    }
}

impl fmt::Display for Cors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origins {
            None => f.write_str("any origin")?,
            Some(origins) => {
                for (i, origin) in origins.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", origin.to_str().unwrap_or_default())?;
                }
            }
        }
        f.write_str(if self.credentials { ", with credentials" } else { "" })
    }
}
