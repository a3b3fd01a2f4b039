//! Which of our media types a client would have (RFC 9110 §12.5.1).

use http::{HeaderMap, header::ACCEPT};

/// The best of `offers`; of equals the first. Where none is acceptable it is the first too: a
/// probe wants an answer rather than a 406.
pub(crate) fn choose(headers: &HeaderMap, offers: &[&'static str]) -> &'static str {
    let mut best = (offers.first().copied().unwrap_or_default(), 0);
    for offer in offers {
        let quality = quality(headers, offer);
        if quality > best.1 {
            best = (offer, quality);
        }
    }
    best.0
}

/// In thousandths; the most specific range that matches decides.
fn quality(headers: &HeaderMap, offer: &str) -> u32 {
    let kind = offer.split_once('/').map_or("", |(kind, _)| kind);
    let mut best = (0, 0);
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    for range in lines.flat_map(|line| line.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let specific = match media.split_once('/') {
            _ if media.eq_ignore_ascii_case(offer) => 3,
            Some((range, "*")) if range.eq_ignore_ascii_case(kind) => 2,
            Some(("*", "*")) => 1,
            _ => continue,
        };
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
        });
        if specific > best.0 {
            best = (specific, weight.unwrap_or(1_000));
        }
    }
    best.1
}

/// `0`, `0.5`, `1.000`; anything else is nothing.
fn thousandths(weight: &str) -> u32 {
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let part = part
        .bytes()
        .chain(*b"000")
        .take(3)
        .fold(0, |part, digit| part * 10 + u32::from(digit.saturating_sub(b'0')));
    match whole {
        "0" => part,
        "1" => 1_000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_gets_what_it_would_rather_have() {
        const OFFERS: [&str; 3] = ["application/health+json", "application/json", "text/plain"];
        for (accept, expected) in [
            ("", 0),
            ("*/*", 0),
            ("application/*", 0),
            ("application/json", 1),
            ("APPLICATION/JSON", 1),
            ("text/plain", 2),
            ("text/*", 2),
            ("text/plain;q=0.5, application/json", 1),
            ("text/plain;q=0.5, application/json;q=0.4", 2),
            ("*/*;q=0.1, text/plain", 2),
            ("application/health+json;q=0, */*", 1),
            ("text/plain;q=x, application/json;q=0.001", 1),
            ("image/png", 0),
            (",;=,/", 0),
            ("text/plain; Q = 1", 2),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(choose(&headers, &OFFERS), OFFERS[expected], "{accept}");
        }
        assert_eq!(choose(&HeaderMap::new(), &OFFERS), OFFERS[0]);
    }
}
