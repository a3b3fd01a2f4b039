//! Addresses that would be read in another way than they are meant.

/// Whether a piece of a password, or a parameter, would be read as a host or a database, and so
/// come to be in logs: what is reserved there has to be percent-encoded (RFC 3986 §3.2.1). The
/// driver of Postgres takes what comes before the first `@` for user and password, whatever it is.
pub(crate) fn is_misread(address: &str) -> bool {
    const SCHEMES: [&str; 6] = ["postgres", "postgresql", "redis", "rediss", "valkey", "valkeys"];

    let Some((scheme, rest)) = address.split_once("://") else { return false };
    if !SCHEMES.contains(&scheme) {
        return false;
    }
    let place = rest.split('?').next().unwrap_or_default();
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let ats = |text: &str| text.matches('@').count();
    path.contains(['@', '&', '=']) || ats(authority) > 1 || (ats(authority) == 0 && ats(rest) > 0)
}

/// `host:port`; of IPv6, in brackets (RFC 3986 §3.2.2).
pub(crate) fn place(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Whether a Postgres address says itself whether to encrypt, in either of its two forms.
#[cfg(feature = "postgres")]
pub(crate) fn says_ssl_mode(address: &str) -> bool {
    let parameters = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('?').map_or("", |(_, parameters)| parameters),
        None => address,
    };
    let mut words = parameters.split(|c: char| c == '&' || c.is_whitespace());
    words.any(|word| word.split('=').next() == Some("sslmode"))
}
