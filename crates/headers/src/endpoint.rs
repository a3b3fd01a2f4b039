//! Reporting-Endpoints: where browsers send their reports.

use http::HeaderValue;

use crate::error::{ConfigError, ConfigErrorKind as Kind};

/// The header with one more endpoint.
pub(crate) fn added(
    present: Option<&HeaderValue>,
    name: &str,
    url: &str,
) -> Result<HeaderValue, ConfigError> {
    if !is_endpoint_name(name) {
        let message = format!(
            "the endpoint name {name:?} is no key of a structured field: a-z, then a-z 0-9 _ - . *"
        );
        return Err(ConfigError::new(Kind::InvalidEndpointName, message));
    }
    if !is_endpoint_url(url) {
        let message =
            format!("browsers send reports to https (or to this machine) only, not to {url:?}");
        return Err(ConfigError::new(Kind::InvalidEndpointUrl, message));
    }
    // No URL has a space in it, so each of these is one endpoint.
    let present = present.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut endpoints: Vec<_> = present.split_terminator(", ").collect();
    if endpoints.iter().filter_map(|known| known.split_once('=')).any(|(known, _)| known == name) {
        let message = format!("the endpoint {name} is named twice");
        return Err(ConfigError::new(Kind::InvalidEndpointName, message));
    }
    let added = format!("{name}=\"{url}\"");
    endpoints.push(&added);
    HeaderValue::try_from(endpoints.join(", "))
        .map_err(|_| ConfigError::new(Kind::InvalidEndpointUrl, "no header value"))
}

/// A key of a structured field's dictionary (RFC 9651 §3.2).
pub(crate) fn is_endpoint_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c == '*')
        && name.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.' | b'*')
        })
}

/// A path of this site, or a URL that is potentially trustworthy (Reporting API §3.3): https, or
/// http to a loopback host.
fn is_endpoint_url(url: &str) -> bool {
    let spelled = url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'));
    let is_path = url.starts_with('/') && !url.starts_with("//");
    let is_https = url.strip_prefix("https://").is_some_and(|rest| !authority(rest).is_empty());
    let is_loopback = url.strip_prefix("http://").is_some_and(|rest| {
        let authority = authority(rest);
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        !authority.contains('@')
            && (matches!(host, "localhost" | "127.0.0.1") || authority.starts_with("[::1]"))
    });
    spelled && (is_path || is_https || is_loopback)
}

fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}
