use std::collections::HashSet;

use super::*;
use crate::SecurityHeadersLayer;

fn applied(layer: &SecurityHeadersLayer, mut headers: HeaderMap, status: u16) -> HeaderMap {
    let status = StatusCode::from_u16(status).unwrap();
    layer.policy().apply(&mut headers, status, true, None);
    headers
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
    let mut headers = HeaderMap::new();
    let policy = SecurityHeadersLayer::web_strict();
    policy.policy().apply(&mut headers, StatusCode::NOT_MODIFIED, true, Some("N"));
    assert!(!headers.contains_key(CONTENT_SECURITY_POLICY));
    assert!(!headers.contains_key(CACHE_CONTROL));
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
