//! Addresses that would be read in another way than they are meant.

#[cfg(feature = "postgres")]
use buttress_core::Secret;
#[cfg(feature = "postgres")]
use tokio_postgres::{Config, config::SslMode};

/// Whether a piece of a password, or a parameter, would be read as a host or a database, and so
/// come to be in logs: what is reserved there has to be percent-encoded (RFC 3986 §3.2.1). The
/// driver of Postgres takes what comes before the first `@` for user and password, whatever it is;
/// that of Redis reads a URL, with a scheme in any case, blanks around it, and what is behind a `#`
/// left out.
pub(crate) fn is_misread(address: &str) -> bool {
    const ENDS: [(&str, &[char]); 6] = [
        ("postgres", &['?']),
        ("postgresql", &['?']),
        ("redis", &['?', '#']),
        ("rediss", &['?', '#']),
        ("valkey", &['?', '#']),
        ("valkeys", &['?', '#']),
    ];

    let Some((scheme, rest)) = address.split_once("://") else { return false };
    let scheme = scheme.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
    let Some((_, ends)) = ENDS.iter().find(|(one, _)| scheme.eq_ignore_ascii_case(one)) else {
        return false;
    };
    let place = rest.split(*ends).next().unwrap_or_default();
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let ats = |text: &str| text.matches('@').count();
    path.contains(['@', '&', '=']) || ats(authority) > 1 || (ats(authority) == 0 && ats(rest) > 0)
}

/// `host:port`; of IPv6, in brackets (RFC 3986 §3.2.2).
pub(crate) fn place(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Whether a Postgres address says itself that it need not be encrypted, as the driver reads it: a
/// `require` that stands before the rest is what holds then, unless another one is said. The words
/// alone would be found in a quoted password too.
#[cfg(feature = "postgres")]
pub(crate) fn may_be_plain(address: &str) -> bool {
    let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| address.starts_with(scheme));
    let required = match address.split_once('?') {
        Some((place, parameters)) if is_url => format!("{place}?sslmode=require&{parameters}"),
        None if is_url => return false,
        _ => format!("sslmode=require {address}"),
    };
    let config = Secret::new(required).expose().parse::<Config>();
    config.is_ok_and(|config| config.get_ssl_mode() != SslMode::Require)
}
