//! Where something else is.

use std::{fmt, ops::Range, str::FromStr};

use zeroize::Zeroize;

use crate::{
    print,
    value::{Invalid, Value},
};

/// A URL with an authority: `scheme://[user[:password]@]host[:port][/path][?query][#fragment]`
/// (RFC 3986 §3).
///
/// It is kept as it was written; nothing is decoded or normalised. `Debug` and `Display` leave the
/// password out (where it is empty, the user), and what in the query has a secret's name:
/// [`as_str`](Self::as_str) has all of it.
/// A URL that always has a password in it is better read as `Secret<Url>`.
///
/// ```
/// use buttress_config::Url;
///
/// let url: Url = "postgres://app:hunter2@db.internal:5432/shop".parse()?;
/// assert_eq!((url.scheme(), url.host(), url.port()), ("postgres", Some("db.internal"), Some(5432)));
/// assert_eq!(url.to_string(), "postgres://app:[REDACTED]@db.internal:5432/shop");
/// assert_eq!(url.as_str(), "postgres://app:hunter2@db.internal:5432/shop");
/// # Ok::<(), buttress_config::Invalid>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    text: String,
    scheme: usize,
    host: Range<usize>,
    port: Option<u16>,
}

impl Url {
    /// All of it, with the password. Do not print it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before the colon, as it is written.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.text.get(..self.scheme).unwrap_or_default()
    }

    /// The host, an IPv6 address in its brackets; `None` where there is none, as in
    /// `postgres:///shop`.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.text.get(self.host.clone()).filter(|host| !host.is_empty())
    }

    /// The port, where one is written.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether the host is this machine: `localhost` and what ends in `.localhost` (RFC 6761
    /// §6.3), the loopback addresses, and `0.0.0.0` and `[::]`, which reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let Some(host) = self.host() else { return false };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<std::net::IpAddr>() {
            Ok(ip) => {
                let ip = ip.to_canonical();
                ip.is_loopback() || ip.is_unspecified()
            }
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }
}

impl FromStr for Url {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Invalid::new("has white space or a control character in it"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Invalid::new("has no `://`"));
        };
        let mut letters = scheme.chars();
        let is_scheme = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        if !is_scheme {
            return Err(Invalid::new("has a scheme that is none"));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (before, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (host, port) = host_and_port(place).map_err(|error| {
            let is_cut = before.is_empty() && place.contains(':') && rest.contains('@');
            if is_cut {
                return Invalid::new(
                    "has a /, ? or # in its password, to be written %2F, %3F or %23",
                );
            }
            error
        })?;
        if host.is_empty() && matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") {
            return Err(Invalid::new("has no host"));
        }
        let start = text.len() - rest.len() + (authority.len() - place.len());
        let host = start..start + host.len();
        Ok(Self { text: text.to_owned(), scheme: scheme.len(), host, port })
    }
}

fn host_and_port(place: &str) -> Result<(&str, Option<u16>), Invalid> {
    const HOST: Invalid = Invalid::new("has a host that is none");
    const PORT: Invalid = Invalid::new("has a port that is none");
    let (host, port) = if place.starts_with('[') {
        let end = place.find(']').ok_or(HOST)?;
        let (host, rest) = place.split_at_checked(end + 1).ok_or(HOST)?;
        let address = host.trim_start_matches('[').trim_end_matches(']');
        address.parse::<std::net::Ipv6Addr>().map_err(|_| HOST)?;
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err(HOST),
        }
    } else {
        match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        }
    };
    let is_host = |c: char| c.is_alphanumeric() || "-._~%!$&'()*+,;=".contains(c);
    if !host.starts_with('[') && !host.chars().all(is_host) {
        return Err(HOST);
    }
    let Some(port) = port else { return Ok((host, None)) };
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PORT);
    }
    Ok((host, Some(port.parse().map_err(|_| PORT)?)))
}

impl Zeroize for Url {
    fn zeroize(&mut self) {
        self.text.zeroize();
        self.scheme = 0;
        self.host = 0..0;
        self.port = None;
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print::url(&self.text))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", print::url(&self.text))
    }
}

impl Value for Url {
    const IS_TEXT: bool = true;

    fn expects() -> String {
        String::from("a URL, such as https://example.com")
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        text.trim().parse()
    }
}
