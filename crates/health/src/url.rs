//! What is asked over plain HTTP.

use http::Uri;

/// `HTTP/1.1 200`
pub(crate) const STATUS_LINE: usize = 12;

/// Where a GET goes, and how it reads.
#[derive(Clone, Debug)]
pub(crate) struct Url {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) request: String,
}

impl Url {
    /// `None` for what is no `http://` URL.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let (Some("http"), Some(host)) = (uri.scheme_str(), uri.host()) else { return None };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // With the port, without a user and a password (RFC 9110 §7.2).
        let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {host}{port}\r\nconnection: close\r\n\r\n");
        // The brackets of an IPv6 address belong to the URL.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self { host, port: uri.port_u16().unwrap_or(80), request })
    }
}

/// The status in the first [`STATUS_LINE`] bytes of an answer.
pub(crate) fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (b" ", code) = rest.get(1..)?.split_at_checked(1)? else { return None };
    std::str::from_utf8(code).ok()?.parse().ok().filter(|code| (100..1_000).contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_where_and_what_to_ask() {
        for (url, host, port, line) in [
            ("http://a", "a", 80, "GET / HTTP/1.1\r\nhost: a\r\n"),
            ("http://a:81/b?c", "a", 81, "GET /b?c HTTP/1.1\r\nhost: a:81\r\n"),
            ("http://me:pw@a/b", "a", 80, "GET /b HTTP/1.1\r\nhost: a\r\n"),
            ("http://[::1]:81/", "::1", 81, "GET / HTTP/1.1\r\nhost: [::1]:81\r\n"),
        ] {
            let parsed = Url::parse(url).unwrap();
            assert_eq!((parsed.host.as_str(), parsed.port), (host, port), "{url}");
            assert_eq!(parsed.request, format!("{line}connection: close\r\n\r\n"), "{url}");
        }
        for url in ["https://a/", "/a", "a", "", "http://", "http://a\r\nb"] {
            assert!(Url::parse(url).is_none(), "{url}");
        }
    }

    #[test]
    fn a_status_line_has_a_status() {
        for (line, expected) in [
            ("HTTP/1.1 200", Some(200)),
            ("HTTP/1.0 503", Some(503)),
            ("HTTP/1.1 2", None),
            ("HTTP/1.1 +20", None),
            ("HTTP/1.1_200", None),
            ("HTTP/2 200 O", None),
            ("", None),
        ] {
            assert_eq!(status(line.as_bytes()), expected, "{line}");
        }
    }
}
