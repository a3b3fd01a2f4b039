//! The service that shows the numbers.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use buttress_core::{
    Secret,
    body::ResponseBody,
    reject::{DefaultResponder, Protocol, Rejection},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, VARY, WWW_AUTHENTICATE,
    },
    request::Parts,
};
use subtle::ConstantTimeEq;
use tower_service::Service;

use crate::{
    error::{ConfigError, ConfigErrorKind},
    exposition::Exposition,
    http_metrics::HttpMetrics,
};

/// What the service answers: always bytes of its own.
type Answer = Response<ResponseBody<String>>;

/// Answers `GET` and `HEAD` with an [`Exposition`], or with a [`Report`](crate::Report) as JSON.
///
/// To everyone, unless [`bearer`](Self::bearer) or [`allow_if`](Self::allow_if) says whom; with
/// both, to those who pass both. The others get 404 ([`denied`](Self::denied)). Any other method
/// gets 405. Nothing is cached (`Cache-Control: no-store`).
///
/// ```
/// use buttress_metrics::{Exposition, HttpMetrics, MetricsService};
///
/// let metrics = HttpMetrics::server();
/// let page = MetricsService::new(Exposition::new().http(&metrics)).bearer("c2NyYXBlcg")?;
/// let report = MetricsService::report(&metrics);
/// let app: axum::Router =
///     axum::Router::new().route_service("/metrics", page).route_service("/report", report);
/// # let _ = app;
/// # Ok::<(), buttress_metrics::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct MetricsService(Arc<Shared>);

#[derive(Clone)]
struct Shared {
    shows: Shows,
    token: Option<Secret<String>>,
    allow: Option<Allow>,
    denied: Denied,
}

type Allow = Arc<dyn Fn(&Parts) -> bool + Send + Sync>;

#[derive(Clone, Debug)]
enum Shows {
    Page(Exposition),
    Report(HttpMetrics),
}

/// What those get who may not see the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Denied {
    /// 404: that there is anything here is not their business.
    #[default]
    NotFound,
    /// 401 and `WWW-Authenticate: Bearer`: for whoever sets up a scraper.
    Unauthorized,
}

impl MetricsService {
    /// Shows this page, in the format that the request asks for.
    #[must_use]
    pub fn new(page: Exposition) -> Self {
        Self::of(Shows::Page(page))
    }

    /// Shows the report, as JSON.
    #[must_use]
    pub fn report(metrics: &HttpMetrics) -> Self {
        Self::of(Shows::Report(metrics.clone()))
    }

    fn of(shows: Shows) -> Self {
        Self(Arc::new(Shared { shows, token: None, allow: None, denied: Denied::default() }))
    }

    /// Asks for `Authorization: Bearer` with this token. They are compared in a time that depends
    /// on nothing but their lengths.
    ///
    /// # Errors
    /// Where the token is empty or has a character in it that no bearer token may have
    /// (RFC 6750 §2.1: letters, digits, `-._~+/`, and `=` at the end).
    pub fn bearer(mut self, token: impl Into<Secret<String>>) -> Result<Self, ConfigError> {
        let token = token.into();
        let stem = token.expose().trim_end_matches('=');
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        if stem.is_empty() || !stem.bytes().all(is_allowed) {
            let message = "a bearer token is of letters, digits and -._~+/, and = at its end";
            return Err(ConfigError::new(ConfigErrorKind::InvalidToken, message));
        }
        Arc::make_mut(&mut self.0).token = Some(token);
        Ok(self)
    }

    /// Shows the numbers to those requests only that this says yes to.
    ///
    /// ```
    /// # use buttress_metrics::{Exposition, MetricsService};
    /// use buttress_core::client_ip::Peer;
    ///
    /// let local = MetricsService::new(Exposition::new())
    ///     .allow_if(|request| request.extensions.get::<Peer>().is_some_and(|peer| peer.0.is_loopback()));
    /// ```
    #[must_use]
    pub fn allow_if(mut self, allow: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0).allow = Some(Arc::new(allow));
        self
    }

    /// What the others get: 404 by default.
    #[must_use]
    pub fn denied(mut self, denied: Denied) -> Self {
        Arc::make_mut(&mut self.0).denied = denied;
        self
    }
}

impl fmt::Debug for MetricsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsService")
            .field("shows", &self.0.shows)
            .field("token", &self.0.token)
            .field("allow", &self.0.allow.as_ref().map(|_| format_args!("<fn>")))
            .field("denied", &self.0.denied)
            .finish()
    }
}

impl<B> Service<Request<B>> for MetricsService {
    type Response = Answer;
    type Error = Infallible;
    type Future = Ready<Result<Answer, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, _) = request.into_parts();
        ready(Ok(self.0.answer(&parts)))
    }
}

impl Shared {
    fn answer(&self, request: &Parts) -> Answer {
        if !self.admits(request) {
            return refuse(match self.denied {
                Denied::NotFound => Rejection::new("metrics", "denied", StatusCode::NOT_FOUND),
                Denied::Unauthorized => {
                    Rejection::new("metrics", "denied", StatusCode::UNAUTHORIZED)
                        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
                }
            });
        }
        if !matches!(request.method, Method::GET | Method::HEAD) {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let refusal = Rejection::new("metrics", "method_not_allowed", status);
            return refuse(refusal.with_header(ALLOW, HeaderValue::from_static("GET, HEAD")));
        }
        let (content_type, text) = self.shows.render(&request.headers);
        let length = text.len();
        let is_head = request.method == Method::HEAD;
        let body = if is_head { ResponseBody::empty() } else { ResponseBody::from_bytes(text) };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        headers.insert(CACHE_CONTROL, NO_STORE);
        headers.insert(VARY, HeaderValue::from_static("accept"));
        response
    }

    fn admits(&self, request: &Parts) -> bool {
        let has_token = |token: &Secret<String>| {
            sent_token(&request.headers)
                .is_some_and(|sent| sent.ct_eq(token.expose().as_bytes()).into())
        };
        self.token.as_ref().is_none_or(has_token)
            && self.allow.as_ref().is_none_or(|allow| allow(request))
    }
}

impl Shows {
    fn render(&self, headers: &HeaderMap) -> (HeaderValue, String) {
        match self {
            Self::Page(page) => {
                let (format, text) = page.negotiate(headers);
                (format.content_type(), text)
            }
            Self::Report(metrics) => {
                (HeaderValue::from_static("application/json"), metrics.report().to_json())
            }
        }
    }
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The token, where there is one line of `Authorization` and its scheme is Bearer, in whatever
/// case (RFC 9110 §11.1).
fn sent_token(headers: &HeaderMap) -> Option<&[u8]> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return None };
    let (scheme, token) = line.as_bytes().split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn refuse(refusal: Rejection) -> Answer {
    refusal.with_header(CACHE_CONTROL, NO_STORE).respond(&DefaultResponder, Protocol::Http)
}
