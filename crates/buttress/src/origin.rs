//! What an origin is, for CORS and CSRF alike.

use std::{error::Error, fmt};

use http::{HeaderValue, Uri, uri::Scheme};

/// Why a cross-origin rule was refused when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginError {
    kind: OriginErrorKind,
    given: String,
    advice: &'static str,
}

/// What is wrong with a cross-origin rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginErrorKind {
    /// It is not an origin: a scheme, a host and perhaps a port (RFC 6454 §7).
    NotAnOrigin,
    /// No origin at all was given.
    NoOrigin,
    /// Any origin and credentials together, which no browser accepts.
    AnyWithCredentials,
}

impl OriginError {
    pub(crate) fn new(kind: OriginErrorKind, given: &str, advice: &'static str) -> Self {
        Self { kind, given: given.to_owned(), advice }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> OriginErrorKind {
        self.kind
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.given, self.advice)
    }
}

impl Error for OriginError {}

/// Takes an origin as a browser would send it, and nothing else: what is spelled in another way
/// would be compared byte by byte, and never match.
pub(crate) fn parse(origin: &str) -> Result<HeaderValue, OriginError> {
    let refuse = |advice| Err(OriginError::new(OriginErrorKind::NotAnOrigin, origin, advice));
    if origin == "*" {
        return refuse("name the origins, or say Cors::any()");
    }
    if origin == "null" {
        return refuse("every sandboxed frame has this origin, so it names nobody");
    }
    if origin.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return refuse("browsers send an origin in lower case; write it so");
    }
    let Some((scheme, authority)) = origin.split_once("://") else {
        return refuse("an origin begins with a scheme, as in https://app.example.com");
    };
    if authority.contains(['/', '?', '#']) {
        return refuse("an origin has no path and no slash at its end");
    }
    if authority.contains('@') {
        return refuse("an origin has no user in it");
    }
    let default_port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return refuse("the scheme of a web origin is https or http"),
    };
    if authority.ends_with(default_port) {
        return refuse("browsers leave the scheme's own port out; write it so");
    }
    let Ok(uri) = origin.parse::<Uri>() else {
        return refuse("the host or port is malformed");
    };
    if uri.scheme() != Some(&Scheme::HTTPS) && uri.scheme() != Some(&Scheme::HTTP) {
        return refuse("the scheme of a web origin is https or http");
    }
    match uri.authority() {
        Some(to) if to.host().is_empty() => return refuse("the host is missing"),
        Some(to) if to.as_str() == to.host() || to.port_u16().is_some() => {}
        _ => return refuse("the host or port is malformed"),
    }
    HeaderValue::from_str(origin).or_else(|_| refuse("the host or port is malformed"))
}

/// Takes a list of origins, of which there must be one at least.
pub(crate) fn parse_all<I>(origins: I) -> Result<Vec<HeaderValue>, OriginError>
where
    I: IntoIterator<Item: AsRef<str>>,
{
    let origins: Vec<_> =
        origins.into_iter().map(|origin| parse(origin.as_ref())).collect::<Result<_, _>>()?;
    if origins.is_empty() {
        return Err(OriginError::new(
            OriginErrorKind::NoOrigin,
            "",
            "name one origin at least, as in https://app.example.com",
        ));
    }
    Ok(origins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_as_browsers_send_them() {
        for origin in [
            "https://app.example.com",
            "http://localhost:5173",
            "http://127.0.0.1:8080",
            "https://[2001:db8::1]:8443",
        ] {
            assert_eq!(parse(origin).unwrap(), origin);
        }
    }

    #[test]
    fn whatever_would_never_match_is_refused() {
        for (origin, advice) in [
            ("*", "Cors::any()"),
            ("null", "sandboxed"),
            ("https://App.example.com", "lower case"),
            ("app.example.com", "begins with a scheme"),
            ("https://app.example.com/", "no slash"),
            ("https://app.example.com/path", "no path"),
            ("https://app.example.com?x", "no path"),
            ("https://user@app.example.com", "no user"),
            ("ftp://app.example.com", "https or http"),
            ("https://app.example.com:443", "own port"),
            ("http://app.example.com:80", "own port"),
            ("https://", "malformed"),
            ("https://a b", "malformed"),
            ("https://a\r\nb", "malformed"),
            ("https://app.example.com:99999999", "malformed"),
            ("", "begins with a scheme"),
        ] {
            let error = parse(origin).unwrap_err();
            assert_eq!(error.kind(), OriginErrorKind::NotAnOrigin);
            assert!(error.to_string().contains(advice), "{origin}: {error}");
        }
    }

    #[test]
    fn an_empty_list_is_refused() {
        let error = parse_all::<[&str; 0]>([]).unwrap_err();
        assert_eq!(error.kind(), OriginErrorKind::NoOrigin);
    }
}
