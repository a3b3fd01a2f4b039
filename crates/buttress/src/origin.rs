//! What an origin is, for CORS and CSRF alike.

use std::{
    error::Error,
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use http::HeaderValue;

/// Why a cross-origin rule was refused when it was made.
///
/// ```
/// use buttress::Cors;
///
/// let error = Cors::allow(["https://app.example.com/"]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#""https://app.example.com/": an origin has no path and no slash at its end"#,
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginError {
    kind: OriginErrorKind,
    given: String,
    advice: &'static str,
}

/// What is wrong with a cross-origin rule.
///
/// ```
/// use buttress::{Cors, OriginErrorKind};
///
/// // An empty setting leaves CORS out; any other mistake in it stops the start.
/// let cors = match Cors::parse("") {
///     Err(error) if error.kind() == OriginErrorKind::NoOrigin => None,
///     cors => Some(cors?),
/// };
/// # assert!(cors.is_none());
/// # Ok::<(), buttress::OriginError>(())
/// ```
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

/// Takes an origin as a browser would send it (URL standard, "host serializing"), and nothing
/// else: what is spelled in another way would be compared byte by byte, and never match.
pub(crate) fn parse(origin: &str) -> Result<HeaderValue, OriginError> {
    judge(origin)
        .and_then(|()| HeaderValue::from_str(origin).map_err(|_| MALFORMED))
        .map_err(|advice| OriginError::new(OriginErrorKind::NotAnOrigin, origin, advice))
}

type Advice = &'static str;

const MALFORMED: Advice = "the host or port is malformed";

fn judge(origin: &str) -> Result<(), Advice> {
    if origin == "*" {
        return Err("name the origins, or say Cors::any()");
    }
    if origin == "null" {
        return Err("every sandboxed frame has this origin, so it names nobody");
    }
    if !origin.is_ascii() {
        return Err("browsers send a host in ASCII (xn--...); write it so");
    }
    if origin.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("browsers send an origin in lower case; write it so");
    }
    let Some((scheme, authority)) = origin.split_once("://") else {
        return Err("an origin begins with a scheme, as in https://app.example.com");
    };
    let default_port = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return Err("the scheme of a web origin is https or http"),
    };
    if authority.contains(['/', '?', '#']) {
        return Err("an origin has no path and no slash at its end");
    }
    if authority.contains('@') {
        return Err("an origin has no user in it");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    judge_host(host)?;
    port.map_or(Ok(()), |port| judge_port(port, default_port))
}

fn judge_port(port: &str, default: u16) -> Result<(), Advice> {
    match port.parse::<u16>() {
        Ok(number) if number == default => {
            Err("browsers leave the scheme's own port out; write it so")
        }
        Ok(number) if number.to_string() != port => {
            Err("browsers send a port without leading zeros; write it so")
        }
        Ok(_) => Ok(()),
        Err(_) => Err(MALFORMED),
    }
}

fn judge_host(host: &str) -> Result<(), Advice> {
    if host.is_empty() {
        return Err("the host is missing");
    }
    if host.contains('*') {
        return Err("browsers send one host, never a pattern; name each origin");
    }
    if host.contains(',') {
        return Err("this is a list; give its origins one by one");
    }
    if let Some(address) = host.strip_prefix('[') {
        return judge_v6(address.strip_suffix(']').ok_or(MALFORMED)?);
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return Err(MALFORMED);
    }
    // What ends in a number is an IPv4 address (URL standard, "ends in a number checker").
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    let number = last.strip_prefix("0x").map_or_else(
        || !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
        |hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
    );
    // std takes four decimal numbers without leading zeros, and nothing else.
    if number && host.parse::<Ipv4Addr>().is_err() {
        return Err("browsers send an IPv4 address as four numbers, as in 127.0.0.1; write it so");
    }
    Ok(())
}

fn judge_v6(address: &str) -> Result<(), Advice> {
    if address.contains('%') {
        return Err("an origin has no zone in its address");
    }
    let parsed: Ipv6Addr = address.parse().map_err(|_| MALFORMED)?;
    let sent = match (parsed.to_ipv4_mapped(), parsed.segments()) {
        // Where std prints the IPv4 address, browsers send numbers like any other.
        (Some(_), [.., high, low]) => format!("::ffff:{high:x}:{low:x}"),
        _ => parsed.to_string(),
    };
    if sent == address {
        Ok(())
    } else {
        Err("browsers send the shortest form of an IPv6 address (RFC 5952); write it so")
    }
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
            "https://[::1]",
            "https://[::ffff:102:304]",
            "https://xn--bcher-kva.example",
            "https://a_b.example:8080",
            "https://1.example",
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
            ("https://", "host is missing"),
            ("https://:8443", "host is missing"),
            ("https://*.example.com", "never a pattern"),
            ("https://a.example,https://b.example", "no path"),
            ("https://a,b", "one by one"),
            ("https://b\u{fc}cher.example", "xn--"),
            ("https://a.example:0443", "own port"),
            ("https://a.example:08443", "leading zeros"),
            ("https://a.example:", "malformed"),
            ("https://a.example:+1", "leading zeros"),
            ("https://127.1", "four numbers"),
            ("https://2130706433", "four numbers"),
            ("https://127.0.0.1.", "four numbers"),
            ("https://127.0.0.01", "four numbers"),
            ("https://0x7f.1", "four numbers"),
            ("https://127.0.0.0x1", "four numbers"),
            ("https://[::0:1]", "shortest form"),
            ("https://[0:0:0:0:0:0:0:1]", "shortest form"),
            ("https://[::ffff:1.2.3.4]", "shortest form"),
            ("https://[fe80::1%25eth0]", "no zone"),
            ("https://[::1", "malformed"),
            ("https://[::1]8443", "malformed"),
            ("https://a]", "malformed"),
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
