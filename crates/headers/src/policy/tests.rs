use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::SecurityHeadersLayer;

fn applied(layer: &SecurityHeadersLayer, headers: HeaderMap, status: u16) -> HeaderMap {
    let mut response = Response::new(());
    *response.headers_mut() = headers;
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    layer.policy().apply(&mut response, true, None);
    std::mem::take(response.headers_mut())
}

fn names(headers: &HeaderMap) -> HashSet<&str> {
    headers.keys().map(HeaderName::as_str).collect()
}

#[test]
fn the_ready_map_and_the_single_pairs_are_the_same_headers() {
    for layer in [
        SecurityHeadersLayer::api(),
        SecurityHeadersLayer::web(),
        SecurityHeadersLayer::web_strict(),
        SecurityHeadersLayer::dev(),
        SecurityHeadersLayer::helmet8(),
        SecurityHeadersLayer::owasp(),
    ] {
        let mut one = HeaderMap::new();
        one.insert("x-one", HeaderValue::from_static("1"));
        let mut slowly = applied(&layer, one, 200);
        slowly.remove("x-one");
        assert_eq!(applied(&layer, HeaderMap::new(), 200), slowly);
        assert_eq!(&slowly, layer.headers());
    }
}

#[test]
fn a_304_gets_no_policy_that_has_a_nonce_and_all_the_rest() {
    let layer = SecurityHeadersLayer::web_strict();
    for present in
        [HeaderMap::new(), HeaderMap::from_iter([(CACHE_CONTROL, "max-age=1".parse().unwrap())])]
    {
        let answer = applied(&layer, present, 304);
        assert!(!answer.contains_key(CONTENT_SECURITY_POLICY));
        assert!(answer.contains_key(STRICT_TRANSPORT_SECURITY));
    }
    let without_nonce = applied(&SecurityHeadersLayer::web(), HeaderMap::new(), 304);
    assert!(without_nonce.contains_key(CONTENT_SECURITY_POLICY));
}

#[test]
fn a_304_gets_no_policy_even_when_its_nonce_was_asked_for() {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    SecurityHeadersLayer::web_strict().policy().apply(&mut response, true, Some("N"));
    assert!(!response.headers().contains_key(CONTENT_SECURITY_POLICY));
    assert!(!response.headers().contains_key(CACHE_CONTROL));
}

#[test]
fn a_full_map_keeps_what_it_has() {
    let mut headers = HeaderMap::new();
    for at in 0..24_570 {
        let name = HeaderName::try_from(format!("x-{at}")).unwrap();
        headers.insert(name, HeaderValue::from_static(""));
    }
    let before = headers.len();
    let after = applied(&SecurityHeadersLayer::web(), headers, 200);
    assert!(after.len() >= before);
}

#[test]
fn both_ways_of_stripping_take_the_same_headers() {
    let many = SecurityHeadersLayer::owasp();
    let few = SecurityHeadersLayer::none().remove([http::header::SERVER]);
    let present = || {
        let mut headers = HeaderMap::new();
        for (name, value) in [("server", "a"), ("server", "b"), ("x-kept", "c"), ("x-kept", "d")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    };
    for layer in [many, few] {
        let answer = applied(&layer, present(), 200);
        assert!(!names(&answer).contains("server"));
        assert_eq!(answer.get_all("x-kept").iter().count(), 2);
    }
}

#[test]
fn endpoints_are_forgotten_with_their_header() {
    let layer = SecurityHeadersLayer::none()
        .reporting_endpoint("old", "/old")
        .unwrap()
        .without(crate::names::REPORTING_ENDPOINTS)
        .reporting_endpoint("new", "/new")
        .unwrap();
    assert_eq!(layer.headers()["reporting-endpoints"], "new=\"/new\"");
}

/// What `apply` is to do, said line by line.
fn expected(
    layer: &SecurityHeadersLayer,
    theirs: &[(&str, u8)],
    mode: Mode,
) -> Vec<(String, String)> {
    let ours = layer.headers();
    let removed = |name: &str| layer.policy().remove.contains_key(name);
    let is_theirs = |name: &str| !removed(name) && theirs.iter().any(|(theirs, _)| *theirs == name);
    let wins =
        |name: &str| mode == Mode::Override && name != CACHE_CONTROL && ours.contains_key(name);
    let mut lines: Vec<_> = theirs
        .iter()
        .filter(|(name, _)| !removed(name) && !wins(name))
        .map(|(name, value)| ((*name).to_owned(), value.to_string()))
        .chain(ours.iter().filter_map(|(name, value)| {
            let name = name.as_str();
            (!is_theirs(name) || wins(name))
                .then(|| (name.to_owned(), value.to_str().unwrap().to_owned()))
        }))
        .collect();
    lines.sort_by(|one, next| one.0.cmp(&next.0));
    lines
}

proptest! {
    #[test]
    fn every_line_is_where_it_should_be(
        theirs in proptest::collection::vec((proptest::sample::select(vec![
            "server", "x-powered-by", "x-frame-options", "content-security-policy",
            "cache-control", "set-cookie", "x-one", "x-two", "referrer-policy", "content-type",
        ]), 0..9_u8), 0..12),
        overrides in any::<bool>(),
        api in any::<bool>(),
    ) {
        let mode = if overrides { Mode::Override } else { Mode::IfAbsent };
        let layer = if api { SecurityHeadersLayer::api() } else { SecurityHeadersLayer::owasp() };
        let layer = layer.mode(mode);
        let mut headers = HeaderMap::new();
        for (name, value) in &theirs {
            headers.append(*name, HeaderValue::from(u16::from(*value)));
        }
        let applied = applied(&layer, headers, 200);
        let mut lines: Vec<_> = applied
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        lines.sort_by(|one, next| one.0.cmp(&next.0));
        prop_assert_eq!(lines, expected(&layer, &theirs, mode));
    }
}
