//! How OpenTelemetry's semantic conventions for HTTP (1.23 and later) name things.

use std::{borrow::Cow, sync::Arc};

use buttress_core::{
    context::RequestContext,
    observe::{Outcome, Totals},
};
use http::{Method, Request, StatusCode, Uri, Version};

/// The methods that a span is called by. A client can make up any number of others.
///
/// `None` stands for those that everybody knows: RFC 9110, PATCH (RFC 5789) and QUERY.
#[derive(Clone, Debug)]
pub(crate) struct Methods(Option<Arc<[Method]>>);

impl Methods {
    pub(crate) const CONVENTIONAL: Self = Self(None);

    pub(crate) fn new(known: impl IntoIterator<Item = Method>) -> Self {
        Self(Some(known.into_iter().collect()))
    }

    /// The method's name, where it is known.
    pub(crate) fn name(&self, method: &Method) -> Option<Cow<'static, str>> {
        const CONVENTIONAL: [&str; 10] = [
            "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY",
        ];
        match &self.0 {
            None => {
                CONVENTIONAL.into_iter().find(|known| *known == method.as_str()).map(Cow::Borrowed)
            }
            Some(known) => known.contains(method).then(|| Cow::Owned(method.as_str().to_owned())),
        }
    }
}

/// `http.request.method` where it is not known.
pub(crate) const OTHER: &str = "_OTHER";

/// What a span is called where the method is not known.
pub(crate) const UNNAMED: &str = "HTTP";

/// `network.protocol.version`.
pub(crate) const fn version(version: Version) -> Option<&'static str> {
    Some(match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => return None,
    })
}

/// `url.scheme`: the request's own, where it says one of the two.
pub(crate) fn scheme(uri: &Uri, otherwise: &'static str) -> &'static str {
    match uri.scheme_str() {
        Some("http") => "http",
        Some("https") => "https",
        _ => otherwise,
    }
}

/// `server.address` and `server.port` of a call.
pub(crate) fn server<B>(request: &Request<B>) -> Option<(&str, u16)> {
    let uri = request.uri();
    let standard = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    let host = uri.host()?;
    // An address of IPv6 stands in brackets in a URL only (RFC 3986 §3.2.2).
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some((address, uri.port_u16().unwrap_or(standard)))
}

/// `url.full` of a call, without what may be secret in it: user, password and query.
pub(crate) fn url(uri: &Uri) -> Option<String> {
    let (scheme, host) = (uri.scheme_str()?, uri.host()?);
    Some(match uri.port_u16() {
        Some(port) => format!("{scheme}://{host}:{port}{}", uri.path()),
        None => format!("{scheme}://{host}{}", uri.path()),
    })
}

/// How it ended, for a span.
pub(crate) struct Ending<'a> {
    pub(crate) status: Option<StatusCode>,
    /// `error.type`: where there is one, the span's status is an error.
    pub(crate) error: Option<&'a str>,
    /// `GET` of `{method} {route}`.
    method: &'a str,
    pub(crate) route: Option<&'a str>,
}

impl<'a> Ending<'a> {
    /// Of a request that was served. A status of 4xx is the client's error and none of the span's.
    pub(crate) fn served(method: &'a str, end: &'a Totals, context: &'a RequestContext) -> Self {
        let found = context.error_type();
        let error = match (code_if(end, StatusCode::is_server_error), end.outcome) {
            // What a layer has found out is more than what the status says.
            (Some(status), _) => Some(found.unwrap_or(status)),
            (None, Outcome::Complete) => None,
            // But it is not why a client left.
            (None, Outcome::ClientGone) => Some(Outcome::ClientGone.as_str()),
            (None, outcome) => Some(found.unwrap_or(outcome.as_str())),
        };
        Self { status: end.status, error, method, route: context.route() }
    }

    /// Of a call that was made. Each status from 400 up is an error of the one who called.
    pub(crate) fn called(end: &'a Totals) -> Self {
        let failed = code_if(end, |status| status.is_client_error() || status.is_server_error());
        let error = match (end.outcome, end.status) {
            // Who has the head need not want the body.
            (Outcome::Complete, _) | (Outcome::ClientGone, Some(_)) => failed,
            // It is not the client that left: it is we who gave up.
            (Outcome::ClientGone, None) => Some("cancelled"),
            (outcome, _) => Some(outcome.as_str()),
        };
        Self { status: end.status, error, method: UNNAMED, route: None }
    }
}

impl Ending<'_> {
    /// What the span is called once its route is known.
    pub(crate) fn name(&self) -> Option<String> {
        self.route.map(|route| format!("{} {route}", self.method))
    }
}

fn code_if(end: &Totals, is_error: impl Fn(&StatusCode) -> bool) -> Option<&str> {
    end.status.as_ref().filter(|status| is_error(status)).map(StatusCode::as_str)
}
