//! Addresses that would be read in another way than they are meant.

/// Whether a piece of a password, or a parameter, would be read as a host or a database, and so
/// come to be in logs: what is reserved there has to be percent-encoded (RFC 3986 §3.2.1). The
/// driver of Postgres takes what comes before the first `@` for user and password, whatever it is.
pub(crate) fn is_misread(address: &str) -> bool {
    const SCHEMES: [&str; 5] = ["postgres", "postgresql", "redis", "rediss", "valkey"];

    let Some((scheme, rest)) = address.split_once("://") else { return false };
    if !SCHEMES.contains(&scheme) {
        return false;
    }
    let place = rest.split('?').next().unwrap_or_default();
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let ats = |text: &str| text.matches('@').count();
    path.contains(['@', '&', '=']) || ats(authority) > 1 || (ats(authority) == 0 && ats(rest) > 0)
}
