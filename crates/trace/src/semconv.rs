//! How OpenTelemetry's semantic conventions for HTTP (1.23 and later) name things.

use buttress_core::{
    context::RequestContext,
    observe::{Outcome, Totals},
};
use http::{Method, Request, StatusCode, Uri, Version};

/// The method, where it is one of those that everybody knows: RFC 9110, PATCH and QUERY. A client
/// can make up any number of others.
pub(crate) fn known(method: &Method) -> Option<&'static str> {
    const KNOWN: [&str; 10] =
        ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY"];
    KNOWN.into_iter().find(|known| *known == method.as_str())
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
    Some((uri.host()?, uri.port_u16().unwrap_or(standard)))
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
    /// `error.type`.
    pub(crate) error: Option<&'a str>,
    /// Whether the span's status is an error.
    pub(crate) failed: bool,
    /// `GET` of `{method} {route}`.
    pub(crate) method: &'static str,
    pub(crate) route: Option<&'a str>,
}

impl<'a> Ending<'a> {
    /// Of a request that was served. A status of 4xx is the client's error, and leaves the span's
    /// status unset; so does a client that left.
    pub(crate) fn served(
        method: &'static str,
        end: &'a Totals,
        context: &'a RequestContext,
    ) -> Self {
        let error = match end.outcome {
            Outcome::Complete => code(end).filter(|_| is(end, StatusCode::is_server_error)),
            outcome => Some(outcome.as_str()),
        };
        let gone = end.outcome == Outcome::ClientGone && !is(end, StatusCode::is_server_error);
        // What a layer has found out is more than what the status says.
        let found = context.error_type().filter(|_| !gone);
        Self {
            status: end.status,
            error: error.map(|error| found.unwrap_or(error)),
            failed: error.is_some() && !gone,
            method,
            route: context.route(),
        }
    }

    /// Of a call that was made. Each status from 400 up is an error of the one who called.
    pub(crate) fn called(end: &'a Totals) -> Self {
        let refused = |status: &StatusCode| status.is_client_error() || status.is_server_error();
        let error = match end.outcome {
            Outcome::Complete => code(end).filter(|_| is(end, refused)),
            // It is not the client that left: it is we who gave up.
            Outcome::ClientGone => Some("cancelled"),
            outcome => Some(outcome.as_str()),
        };
        Self { status: end.status, error, failed: error.is_some(), method: UNNAMED, route: None }
    }
}

impl Ending<'_> {
    /// What the span is called once its route is known.
    pub(crate) fn name(&self) -> Option<String> {
        self.route.map(|route| format!("{} {route}", self.method))
    }
}

fn code(end: &Totals) -> Option<&str> {
    end.status.as_ref().map(StatusCode::as_str)
}

fn is(end: &Totals, what: impl Fn(&StatusCode) -> bool) -> bool {
    end.status.as_ref().is_some_and(what)
}
