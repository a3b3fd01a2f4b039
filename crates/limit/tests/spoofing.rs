//! Nobody chooses its own key, and everybody has one.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::convert::Infallible;

use buttress_core::client_ip::{ClientIp, Peer};
use buttress_limit::{Key, LimitLayer, Rule, minutes, requests};
use futures_util::FutureExt;
use http::{HeaderName, Request, Response, header::FORWARDED};
use tower::{Layer, Service, service_fn};

type Lines<'a> = &'a [(&'static str, &'a str)];

fn request(peer: &str, lines: Lines<'_>) -> Request<()> {
    let mut request = Request::builder().extension(Peer(peer.parse().unwrap()));
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// Whether the second is counted with the first.
fn one_client(key: &Key, first: Request<()>, second: Request<()>) -> bool {
    let one = Rule::new("one", requests(1).per(minutes(15))).unwrap();
    let mut service = LimitLayer::new(key.clone(), [one])
        .unwrap()
        .layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) }));
    let mut status = |request| service.call(request).now_or_never().unwrap().unwrap().status();
    assert_eq!(status(first), 200);
    status(second) == 429
}

fn behind(header: HeaderName) -> Key {
    Key::client_ip(ClientIp::behind(["10.0.0.0/8", "2001:db8:ffff::/48"]).unwrap().header(header))
}

fn x_forwarded_for() -> Key {
    behind(HeaderName::from_static("x-forwarded-for"))
}

const LIES: [Lines<'_>; 14] = [
    &[],
    &[("x-forwarded-for", "203.0.113.7")],
    &[("x-forwarded-for", "203.0.113.7, 10.0.0.1")],
    &[("x-forwarded-for", "203.0.113.7"), ("x-forwarded-for", "10.0.0.2")],
    &[("x-forwarded-for", "10.0.0.1"), ("x-forwarded-for", "203.0.113.8:443")],
    &[("x-forwarded-for", "::ffff:203.0.113.7")],
    &[("x-forwarded-for", "[2001:db8::7]:443")],
    &[("x-forwarded-for", "unknown"), ("x-forwarded-for", "")],
    &[("forwarded", "for=203.0.113.7")],
    &[("forwarded", r#"for="[2001:db8::7]:4711";proto=https, for=10.0.0.1"#)],
    &[("x-real-ip", "203.0.113.7")],
    &[("cf-connecting-ip", "203.0.113.7"), ("true-client-ip", "203.0.113.8")],
    &[("fastly-client-ip", "203.0.113.7"), ("x-client-ip", "203.0.113.8")],
    &[("x-cluster-client-ip", "203.0.113.7"), ("via", "1.1 10.0.0.1"), ("host", "10.0.0.1")],
];

#[test]
fn a_stranger_is_its_own_address_whatever_it_says() {
    let keys = [x_forwarded_for(), behind(FORWARDED), Key::peer()];
    for key in &keys {
        for peer in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:1::1"] {
            for (one, other) in LIES.iter().zip(LIES.iter().cycle().skip(1)) {
                let [first, second] = [one, other].map(|lie| request(peer, lie));
                assert!(one_client(key, first, second), "{key:?} {peer} {one:?} {other:?}");
            }
            // Nor can it use up what is another's.
            let victim = request("203.0.113.7", &[]);
            for lie in LIES {
                assert!(!one_client(key, request(peer, lie), victim.clone()), "{peer} {lie:?}");
            }
        }
    }
}

#[test]
fn behind_a_proxy_only_what_the_proxy_has_added_counts() {
    let cases: [(Lines<'_>, Lines<'_>, bool); 12] = [
        // What stands on the left, or in lines before, is the client's own.
        (
            &[("x-forwarded-for", "198.51.100.1")],
            &[("x-forwarded-for", "1.1.1.1, 198.51.100.1")],
            true,
        ),
        (
            &[("x-forwarded-for", "198.51.100.1")],
            &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.1")],
            true,
        ),
        (
            &[("x-forwarded-for", "198.51.100.1")],
            &[("x-forwarded-for", "10.0.0.9"), ("x-forwarded-for", "junk, 198.51.100.1")],
            true,
        ),
        // More of our proxies on the way are no other client.
        (
            &[("x-forwarded-for", "198.51.100.1")],
            &[("x-forwarded-for", "198.51.100.1, 10.1.2.3")],
            true,
        ),
        // Ports and mapped addresses neither.
        (&[("x-forwarded-for", "198.51.100.1")], &[("x-forwarded-for", "198.51.100.1:4711")], true),
        (&[("x-forwarded-for", "198.51.100.1:1")], &[("x-forwarded-for", "198.51.100.1:2")], true),
        (
            &[("x-forwarded-for", "198.51.100.1")],
            &[("x-forwarded-for", "::ffff:198.51.100.1")],
            true,
        ),
        (&[("x-forwarded-for", "[2001:db8::1]:1")], &[("x-forwarded-for", "2001:db8::2")], true),
        // Other headers are not read.
        (
            &[("x-forwarded-for", "198.51.100.1"), ("x-real-ip", "1.1.1.1")],
            &[("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=2.2.2.2")],
            true,
        ),
        // Two clients are two.
        (&[("x-forwarded-for", "198.51.100.1")], &[("x-forwarded-for", "198.51.100.2")], false),
        (
            &[("x-forwarded-for", "::ffff:198.51.100.1")],
            &[("x-forwarded-for", "::ffff:198.51.100.2")],
            false,
        ),
        (&[("x-forwarded-for", "2001:db8::1")], &[("x-forwarded-for", "2001:db8:0:100::1")], false),
    ];
    for peer in ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8:ffff::1"] {
        for (one, other, same) in cases {
            let [first, second] = [one, other].map(|lines| request(peer, lines));
            let seen = one_client(&x_forwarded_for(), first, second);
            assert_eq!(seen, same, "{peer} {one:?} {other:?}");
        }
    }
}

#[test]
fn a_ladder_is_climbed_by_the_address_behind_the_proxy() {
    let key = x_forwarded_for().ipv6_ladder([(64, 1), (56, 1), (48, 2)]).unwrap();
    let from = |client| request("10.0.0.1", &[("x-forwarded-for", client)]);
    // Another /64 of the same /56, which has used what it may.
    assert!(one_client(&key, from("2001:db8:0:1::1"), from("[2001:db8:0:2::1]:443")));
    assert!(!one_client(&key, from("2001:db8:0:1::1"), from("2001:db8:0:101::1")));
    assert!(!one_client(&key, from("2001:db8:0:1::1"), from("198.51.100.1")));
    assert!(one_client(&key, from("198.51.100.1"), from("::ffff:198.51.100.1")));
}

#[test]
fn who_has_no_address_shares_no_key() {
    let one = Rule::new("one", requests(1).per(minutes(15))).unwrap();
    let mut service = LimitLayer::new(x_forwarded_for(), [one])
        .unwrap()
        .layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) }));
    // Without a peer, no header makes one.
    let request = || Request::builder().header("x-forwarded-for", "198.51.100.1").body(()).unwrap();
    for _ in 0..2 {
        let answer = service.call(request()).now_or_never().unwrap().unwrap();
        assert_eq!(answer.status(), 403);
    }
}
