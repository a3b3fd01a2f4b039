//! Who called, from behind which proxies, and what of it can be forged.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use buttress_conformance::allocations;
use buttress_core::client_ip::{
    Cidr, ClientIp, ConfigError, ConfigErrorKind, MAX_HOPS, Peer, X_FORWARDED_FOR,
};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, header::FORWARDED};
use proptest::prelude::*;

const PEER: &str = "10.0.0.1";
const CLIENT: &str = "198.51.100.7";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn headers(name: &HeaderName, lines: &[impl AsRef<[u8]>]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name, HeaderValue::from_bytes(line.as_ref()).unwrap());
    }
    headers
}

fn behind() -> ClientIp {
    ClientIp::behind(["10.0.0.0/8", "2001:db8:ffff::/48"]).unwrap()
}

/// Who it is, from the trusted `PEER`, by these lines of X-Forwarded-For.
fn by_list(lines: &[impl AsRef<[u8]>]) -> IpAddr {
    behind().resolve(ip(PEER), &headers(&X_FORWARDED_FOR, lines))
}

/// The same, by `Forwarded`.
fn by_forwarded(lines: &[impl AsRef<[u8]>]) -> IpAddr {
    behind().header(FORWARDED).resolve(ip(PEER), &headers(&FORWARDED, lines))
}

mod who_is_believed {
    use super::*;

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_writes() {
        let headers = headers(&X_FORWARDED_FOR, &["203.0.113.9", "10.0.0.2"]);
        for peer in [CLIENT, "11.0.0.1", "2001:db8:fffe::1", "::1"] {
            assert_eq!(behind().resolve(ip(peer), &headers), ip(peer), "{peer}");
        }
    }

    #[test]
    fn without_proxies_no_header_is_read() {
        let headers = headers(&X_FORWARDED_FOR, &[CLIENT]);
        assert_eq!(ClientIp::peer().resolve(ip(PEER), &headers), ip(PEER));
    }

    #[test]
    fn a_proxy_that_sends_no_header_is_the_client_itself() {
        assert_eq!(behind().resolve(ip(PEER), &HeaderMap::new()), ip(PEER));
    }

    #[test]
    fn only_the_one_configured_header_is_read() {
        let real_ip = HeaderName::from_static("x-real-ip");
        let mut headers = headers(&real_ip, &[CLIENT]);
        headers.insert(X_FORWARDED_FOR, HeaderValue::from_static("203.0.113.1"));
        headers.insert(FORWARDED, HeaderValue::from_static("for=203.0.113.2"));
        let peer = ip(PEER);
        assert_eq!(behind().resolve(peer, &headers), ip("203.0.113.1"));
        assert_eq!(behind().header(FORWARDED).resolve(peer, &headers), ip("203.0.113.2"));
        assert_eq!(behind().header(real_ip).resolve(peer, &headers), ip(CLIENT));
        headers.remove(X_FORWARDED_FOR);
        assert_eq!(behind().resolve(peer, &headers), peer);
    }

    #[test]
    fn an_ipv6_proxy_is_trusted_too() {
        let headers = headers(&X_FORWARDED_FOR, &[CLIENT]);
        assert_eq!(behind().resolve(ip("2001:db8:ffff::1"), &headers), ip(CLIENT));
    }

    #[test]
    fn who_is_trusted_is_told_by_the_peer_alone() {
        let mut extensions = Extensions::new();
        assert!(!behind().trusts(&extensions));
        extensions.insert(Peer(ip(CLIENT)));
        assert!(!behind().trusts(&extensions));
        extensions.insert(Peer(ip("::ffff:10.0.0.1")));
        assert!(behind().trusts(&extensions));
        assert!(!ClientIp::peer().trusts(&extensions));
    }

    #[test]
    fn a_request_without_a_peer_has_no_client() {
        let request = Request::get("/").header(X_FORWARDED_FOR, CLIENT).body(()).unwrap();
        assert_eq!(behind().of(&request), None);
        assert_eq!(ClientIp::peer().of(&request), None);
    }

    #[test]
    fn the_peer_can_come_from_elsewhere() {
        #[derive(Clone)]
        struct Accepted(SocketAddr);

        let client_ip = behind().peer_from(|ext| ext.get::<Accepted>().map(|peer| peer.0.ip()));
        let mut request = Request::get("/").header(X_FORWARDED_FOR, CLIENT).body(()).unwrap();
        // The usual place is then not looked at.
        request.extensions_mut().insert(Peer(ip(PEER)));
        assert_eq!(client_ip.of(&request), None);
        assert!(!client_ip.trusts(request.extensions()));
        request.extensions_mut().insert(Accepted(SocketAddr::new(ip(PEER), 1)));
        assert_eq!(client_ip.of(&request), Some(ip(CLIENT)));
        assert!(client_ip.trusts(request.extensions()));
    }
}

mod the_walk {
    use super::*;

    #[test]
    fn goes_from_the_right_to_the_first_who_is_no_proxy() {
        for (lines, client) in [
            (&["198.51.100.7"][..], CLIENT),
            (&["198.51.100.7, 10.0.0.2"], CLIENT),
            (&["198.51.100.7, 10.0.0.2, 2001:db8:ffff::7, 10.9.9.9"], CLIENT),
            // What the client itself sent stays on the left.
            (&["203.0.113.9, 198.51.100.7"], CLIENT),
            (&["10.0.0.3, 198.51.100.7, 10.0.0.2"], CLIENT),
            (&["127.0.0.1, 198.51.100.7"], CLIENT),
            (&["\", 198.51.100.7"], CLIENT),
            // All of them proxies: the farthest one asked.
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            assert_eq!(by_list(lines), ip(client), "{lines:?}");
        }
    }

    #[test]
    fn takes_several_lines_as_one_list() {
        for (lines, client) in [
            (&["198.51.100.7", "10.0.0.2"][..], CLIENT),
            (&["203.0.113.9", "198.51.100.7, 10.0.0.3", "10.0.0.2"], CLIENT),
            (&["203.0.113.9, 10.0.0.4", "198.51.100.7"], CLIENT),
            // An empty line is an empty entry.
            (&["203.0.113.9", "", "10.0.0.2"], "10.0.0.2"),
        ] {
            assert_eq!(by_list(lines), ip(client), "{lines:?}");
        }
        let lines = ["for=203.0.113.9", "for=198.51.100.7;proto=https", "for=10.0.0.2"];
        assert_eq!(by_forwarded(&lines), ip(CLIENT));
    }

    #[test]
    fn ends_at_what_is_no_address_and_keeps_the_last_good_hop() {
        for broken in [
            "",
            " ",
            "unknown",
            "_hidden",
            "_x:80",
            "localhost",
            "example.com:80",
            "198.51.100",
            "198.51.100.7.1",
            "198.51.100.256",
            "198.51.100.07",
            "0xc6336407",
            "3325256711",
            "198.51.100.7/32",
            "198.51.100.7 10.0.0.2",
            "198.51.100.7:",
            "198.51.100.7:x",
            "198.51.100.7:+80",
            "198.51.100.7:65536",
            "198.51.100.7:80:80",
            "198.51.100.7:_",
            "198.51.100.7:_a b",
            "[198.51.100.7]",
            "[198.51.100.7]:80",
            "[2001:db8::1",
            "[2001:db8::1]80",
            "[2001:db8::1]:",
            "[2001:db8::1]:99999",
            "2001:db8::1]",
            "[[2001:db8::1]]",
            "[]",
            "[]:80",
            "2001:db8::1::",
            "2001:db8:::1",
            "fe80::1%eth0",
            "fe80::1%1",
            "[fe80::1%1]",
            "[fe80::1%1]:80",
            "\"198.51.100.7\"",
            "for=198.51.100.7",
            "1\u{0661}8.51.100.7",
        ] {
            let line = format!("203.0.113.9, {broken}, 10.0.0.2");
            assert_eq!(by_list(&[&line]), ip("10.0.0.2"), "{line}");
            // Right at the end nobody but the peer is known.
            let line = format!("203.0.113.9, {broken}");
            assert_eq!(by_list(&[&line]), ip(PEER), "{line}");
        }
    }

    #[test]
    fn ends_at_bytes_that_are_no_text() {
        assert_eq!(by_list(&[b"203.0.113.9, 198.51.100.7\xff, 10.0.0.2"]), ip("10.0.0.2"));
        assert_eq!(by_forwarded(&[b"for=203.0.113.9, for=\xc3\x28, for=10.0.0.2"]), ip("10.0.0.2"));
    }

    #[test]
    fn takes_off_ports_brackets_and_blanks() {
        for (entry, client) in [
            ("198.51.100.7:56", CLIENT),
            ("198.51.100.7:0", CLIENT),
            ("198.51.100.7:65535", CLIENT),
            ("198.51.100.7:_port", CLIENT),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("[2001:db8::1]:_a.b-c_d", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:DB8::ABCD", "2001:db8::abcd"),
            // No port, for want of brackets: it is the last group.
            ("2001:db8::1:80", "2001:db8::1:80"),
            ("\t 198.51.100.7 \t", CLIENT),
            ("::ffff:198.51.100.7", CLIENT),
            ("[::ffff:198.51.100.7]:443", CLIENT),
        ] {
            for line in [String::from(entry), format!("x,{entry}"), format!("{entry},10.0.0.2")] {
                assert_eq!(by_list(&[&line]), ip(client), "{line}");
            }
        }
    }

    #[test]
    fn allocates_nothing() {
        let list = vec!["[2001:db8:ffff::2]:80"; MAX_HOPS].join(",");
        let list = headers(&X_FORWARDED_FOR, &["198.51.100.7", &list]);
        let elements = vec!["by=_x;for=\"[2001:db8:ffff::2]:80\";host=\",\""; MAX_HOPS].join(",");
        let elements = headers(&FORWARDED, &[CLIENT, &elements]);
        let (by_list, by_forwarded) = (behind(), behind().header(FORWARDED));
        assert_eq!(allocations(|| by_list.resolve(ip(PEER), &list)), 0);
        assert_eq!(allocations(|| by_forwarded.resolve(ip(PEER), &elements)), 0);
        assert_eq!(allocations(|| by_list.clone()), 0);
    }

    #[test]
    fn reads_32_entries_and_no_more() {
        for (proxies, client) in
            [(MAX_HOPS - 1, "203.0.113.9"), (MAX_HOPS, "10.0.0.2"), (MAX_HOPS + 1, "10.0.0.2")]
        {
            let mut list = vec!["203.0.113.9"];
            list.extend(std::iter::repeat_n("10.0.0.2", proxies));
            assert_eq!(by_list(&[list.join(",")]), ip(client), "in one line, {proxies}");
            assert_eq!(by_list(&list), ip(client), "in a line each, {proxies}");
            let forwarded = list.iter().map(|ip| format!("for={ip}")).collect::<Vec<_>>();
            assert_eq!(by_forwarded(&[forwarded.join(",")]), ip(client), "forwarded, {proxies}");
        }
    }
}

mod ipv4_inside_ipv6 {
    use super::*;

    #[test]
    fn is_ipv4_as_a_peer() {
        for peer in ["::ffff:198.51.100.7", "::ffff:c633:6407", "64:ff9b::198.51.100.7"] {
            assert_eq!(ClientIp::peer().resolve(ip(peer), &HeaderMap::new()), ip(CLIENT), "{peer}");
            assert_eq!(behind().resolve(ip(peer), &HeaderMap::new()), ip(CLIENT), "{peer}");
        }
        let headers = headers(&X_FORWARDED_FOR, &[CLIENT]);
        assert_eq!(behind().resolve(ip("::ffff:10.0.0.1"), &headers), ip(CLIENT));
    }

    #[test]
    fn is_ipv4_as_an_entry() {
        assert_eq!(by_list(&["198.51.100.7, ::ffff:10.0.0.2"]), ip(CLIENT));
        assert_eq!(by_list(&["64:ff9b::198.51.100.7, ::ffff:a00:2"]), ip(CLIENT));
        assert_eq!(by_forwarded(&["for=\"[64:ff9b::c633:6407]\""]), ip(CLIENT));
    }

    #[test]
    fn is_ipv4_as_a_network() {
        for cidr in ["::ffff:10.0.0.0/104", "::ffff:a00:0/104"] {
            let cidr: Cidr = cidr.parse().unwrap();
            assert_eq!(cidr.to_string(), "10.0.0.0/8");
            assert!(cidr.contains(ip(PEER)));
            assert!(cidr.contains(ip("::ffff:10.1.2.3")));
        }
        let cidr: Cidr = "64:ff9b::198.51.100.0/120".parse().unwrap();
        assert_eq!(cidr.to_string(), "198.51.100.0/24");
        assert!(cidr.contains(ip(CLIENT)));
    }

    #[test]
    fn is_no_internal_address_behind_nat64() {
        let proxies = [
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "100.64.0.0/10",
        ];
        let trusting = ClientIp::behind(proxies).unwrap();
        let headers = headers(&X_FORWARDED_FOR, &[CLIENT]);
        for internal in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "127.0.0.1",
            "169.254.0.1",
            "100.64.0.1",
            "100.127.255.255",
        ] {
            let forged = ip(&format!("64:ff9b::{internal}"));
            assert_eq!(trusting.resolve(ip(internal), &headers), ip(CLIENT), "{internal}");
            assert_eq!(trusting.resolve(forged, &headers), forged, "{internal}");
            // A hop of that address is the client, and no proxy to go on from.
            let line = format!("203.0.113.9, 64:ff9b::{internal}");
            assert_eq!(by_list(&[line]), forged, "{internal}");
        }
        // Who has such a translator can say so.
        let cidr: Cidr = "64:ff9b::10.0.0.0/104".parse().unwrap();
        assert!(cidr.contains(ip("64:ff9b::10.1.2.3")));
        assert!(!cidr.contains(ip("10.1.2.3")));
        for global in ["9.255.255.255", "100.63.255.255", "100.128.0.0", "172.32.0.0"] {
            assert_eq!(by_list(&[format!("64:ff9b::{global}")]), ip(global));
        }
    }

    #[test]
    fn is_none_of_what_looks_alike() {
        for other in [
            "::198.51.100.7",
            "::fffe:198.51.100.7",
            "::1:ffff:c633:6407",
            "64:ff9b::1:0:c633:6407",
            "64:ff9b:1::c633:6407",
            "64:ff9a::c633:6407",
        ] {
            assert_eq!(by_list(&[other]), ip(other), "{other}");
        }
    }

    #[test]
    fn is_not_caught_by_a_wider_ipv6_network() {
        let cidr: Cidr = "::/64".parse().unwrap();
        assert!(cidr.contains(ip("::1")));
        assert!(!cidr.contains(ip("::ffff:10.0.0.1")));
    }
}

mod forwarded {
    use super::*;

    #[test]
    fn reads_the_examples_of_rfc_7239() {
        // §4 and §6.3, §7.1, §7.4; who wrote them is trusted, so the last good one stands.
        for (line, client) in [
            ("for=\"_gazonk\"", PEER),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("for=192.0.2.43, for=198.51.100.17", "198.51.100.17"),
            ("for=_hidden, for=_SEVKISEK", PEER),
            ("for=_mdn, for=10.0.0.2", "10.0.0.2"),
            ("for=192.0.2.43,for=\"[2001:db8:cafe::17]\",for=unknown", PEER),
            ("for=192.0.2.43, for=\"[2001:db8:cafe::17]\"", "2001:db8:cafe::17"),
            ("for=192.0.2.43,for=\"[2001:db8:ffff::17]\"", "192.0.2.43"),
            ("for=\"192.0.2.43:47011\"", "192.0.2.43"),
            ("for=\"[2001:db8:cafe::17]:47011\"", "2001:db8:cafe::17"),
            ("for=_gazonk:800", PEER),
        ] {
            assert_eq!(by_forwarded(&[line]), ip(client), "{line}");
        }
    }

    #[test]
    fn takes_the_for_of_each_element_wherever_it_stands() {
        for line in [
            "for=198.51.100.7",
            "FOR=198.51.100.7",
            "for=\"198.51.100.7\"",
            "for=198.51.100.7:8080",
            "proto=https;for=198.51.100.7",
            "by=203.0.113.43; for=198.51.100.7 ;host=example.com",
            ";;for=198.51.100.7;",
            "for=198.51.100.7;host=\"a,b;for=203.0.113.9\"",
            "host=\"a,b;for=203.0.113.9\";for=198.51.100.7",
            "host=\"for=203.0.113.9, for=203.0.113.9\";for=198.51.100.7, for=10.0.0.2;by=\",;\"",
            "for=198.51.100.7;secret",
            "xfor=203.0.113.9;for=198.51.100.7;for-x=203.0.113.9",
        ] {
            assert_eq!(by_forwarded(&[line]), ip(CLIENT), "{line}");
        }
    }

    #[test]
    fn ends_at_an_element_that_names_nobody() {
        for broken in [
            "",
            "proto=https",
            "by=198.51.100.7",
            "for",
            "for=",
            "for=\"\"",
            "for=\"",
            "for=198.51.100.7\"",
            "for=\"198.51.100.7\"x",
            "for=x\"198.51.100.7\"",
            "for=\"\"198.51.100.7\"\"",
            "for=unknown",
            "for=\"unknown\"",
            "for=_hidden",
            "for=\"[fe80::1%eth0]\"",
            "198.51.100.7",
            "\"for\"=198.51.100.7",
            // Twice: one of them may be the client's.
            "for=198.51.100.7;for=198.51.100.7",
            "for=198.51.100.7;host=x;FOR=203.0.113.9",
            // Escapes.
            "for=\"198.51.100\\.7\"",
            "for=198.51.100.7;host=\"a\\b\"",
            "for=198.51.100.7;host=\"\\\"\"",
            "for=198.51.100.7;x=\\",
        ] {
            let line = format!("for=203.0.113.9, {broken}, for=10.0.0.2");
            assert_eq!(by_forwarded(&[&line]), ip("10.0.0.2"), "{line}");
            let line = format!("for=203.0.113.9, {broken}");
            assert_eq!(by_forwarded(&[&line]), ip(PEER), "{line}");
        }
    }

    #[test]
    fn a_dangling_quote_swallows_nothing_that_stands_right_of_it() {
        for planted in [
            "\"",
            "for=\"",
            "for=\"203.0.113.9",
            "for=\"203.0.113.9, for=203.0.113.8",
            "for=203.0.113.9;host=\"",
            "\"\"\"",
            "for=\"\\\"",
            "\\",
            "for=\"10.0.0.9, \\\"",
        ] {
            for ours in [
                "for=198.51.100.7",
                "for=\"198.51.100.7:80\"",
                "for=\"198.51.100.7\";host=\"a,b\"",
                "for=198.51.100.7, for=10.0.0.2",
                "for=198.51.100.7, for=\"10.0.0.2:80\";proto=\"https\"",
            ] {
                let line = format!("{planted}, {ours}");
                assert_eq!(by_forwarded(&[&line]), ip(CLIENT), "{line}");
                assert_eq!(by_forwarded(&[planted, ours]), ip(CLIENT), "two lines: {line}");
            }
        }
    }

    #[test]
    fn an_escaped_quote_in_our_proxys_own_element_gives_nothing_away() {
        // The client sent `Host: ", for=203.0.113.9, x="` and our proxy quoted it as it should.
        for line in [
            r#"for=198.51.100.7;host="\", for=203.0.113.9, x=\"""#,
            r#"for=198.51.100.7;host="\", for=203.0.113.9""#,
            r#"for=198.51.100.7;host="\\\", for=203.0.113.9, for=\"203.0.113.9""#,
            r#"host="\"\", for=203.0.113.9, \"\"";for=198.51.100.7"#,
        ] {
            let client = by_forwarded(&[line]);
            assert_eq!(client, ip(PEER), "{line}");
        }
    }

    #[test]
    fn a_quote_does_not_reach_over_lines() {
        assert_eq!(by_forwarded(&["for=198.51.100.7;x=\""]), ip(PEER));
        assert_eq!(by_forwarded(&["for=198.51.100.7;x=\"", "\""]), ip(PEER));
        assert_eq!(by_forwarded(&["for=198.51.100.7;x=\"", "\", for=10.0.0.2"]), ip("10.0.0.2"));
    }
}

mod configuration {
    use super::*;

    fn refused(cidr: &str) -> ConfigError {
        ClientIp::behind([cidr]).expect_err(cidr)
    }

    #[test]
    fn each_mistake_has_its_own_message() {
        use ConfigErrorKind::{Address, Everyone, HostBits, Prefix};
        for (cidr, kind, message) in [
            ("10.0.0.0/33", Prefix, "the prefix of an IPv4 network must be 0 to 32"),
            ("10.0.0.0/", Prefix, "the prefix of an IPv4 network must be 0 to 32"),
            ("10.0.0.0/08", Prefix, "the prefix of an IPv4 network must be 0 to 32"),
            ("10.0.0.0/+8", Prefix, "the prefix of an IPv4 network must be 0 to 32"),
            ("10.0.0.0/-1", Prefix, "the prefix of an IPv4 network must be 0 to 32"),
            ("10.0.0.0/264", Prefix, "the prefix of an IPv4 network must be 0 to 32"),
            ("10.0.0.0/255.0.0.0", Prefix, "the prefix of an IPv4 network must be 0 to 32"),
            ("10.0.0.0/8/8", Prefix, "the prefix of an IPv4 network must be 0 to 32"),
            ("2001:db8::/129", Prefix, "the prefix of an IPv6 network must be 0 to 128"),
            (
                "::ffff:10.0.0.0/8",
                Prefix,
                "the prefix of an IPv4 network inside IPv6 must be 96 to 128; simpler is \"10.0.0.0\" with a prefix of 0 to 32",
            ),
            (
                "::ffff:10.0.0.0/129",
                Prefix,
                "the prefix of an IPv4 network inside IPv6 must be 96 to 128; simpler is \"10.0.0.0\" with a prefix of 0 to 32",
            ),
            (
                "10.1.2.3/8",
                HostBits,
                "bits beyond the prefix are set; write \"10.0.0.0/8\" for the network, or \"10.1.2.3\" for the one address",
            ),
            (
                "2001:db8::1/32",
                HostBits,
                "bits beyond the prefix are set; write \"2001:db8::/32\" for the network, or \"2001:db8::1\" for the one address",
            ),
            (
                "::ffff:10.1.2.3/104",
                HostBits,
                "bits beyond the prefix are set; write \"10.0.0.0/8\" for the network, or \"10.1.2.3\" for the one address",
            ),
            (
                "proxy.internal",
                Address,
                "not an IP address or network, such as \"192.0.2.1\" or \"10.0.0.0/8\"",
            ),
            ("", Address, "not an IP address or network, such as \"192.0.2.1\" or \"10.0.0.0/8\""),
            (
                "fe80::1%eth0/64",
                Address,
                "not an IP address or network, such as \"192.0.2.1\" or \"10.0.0.0/8\"",
            ),
            (
                "0.0.0.0/0",
                Everyone,
                "trusts everyone, so that each client may choose its own address; write the networks that your proxies connect from, such as \"10.0.0.0/8\"",
            ),
            (
                "::/0",
                Everyone,
                "trusts everyone, so that each client may choose its own address; write the networks that your proxies connect from, such as \"10.0.0.0/8\"",
            ),
        ] {
            let error = refused(cidr);
            assert_eq!(error.to_string(), format!("{cidr:?}: {message}"));
            assert_eq!(error.kind(), kind, "{cidr}");
        }
    }

    #[test]
    fn trusting_everyone_cannot_be_disguised() {
        for cidr in ["::ffff:0.0.0.0/96", "64:ff9b::/96"] {
            assert_eq!(refused(cidr).kind(), ConfigErrorKind::Everyone, "{cidr}");
        }
    }

    #[test]
    fn one_mistake_in_a_list_refuses_the_list() {
        let error = ClientIp::behind(["10.0.0.0/8", "nonsense", "192.0.2.1"]).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Address);
        assert!(error.to_string().starts_with("\"nonsense\": "));
    }

    #[test]
    fn an_empty_list_is_refused() {
        let error = ClientIp::behind(<[&str; 0]>::default()).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Empty);
        assert_eq!(
            error.to_string(),
            "no trusted proxy is named; where there is none, use ClientIp::peer()"
        );
    }

    #[test]
    fn proxies_can_be_named_in_many_forms() {
        let cidr = Cidr::new(Ipv4Addr::new(10, 0, 0, 0), 8).unwrap();
        let lists = [
            ClientIp::behind([cidr]),
            ClientIp::behind(["10.0.0.0/8"]),
            ClientIp::behind([String::from(" 10.0.0.0/8\n")]),
            ClientIp::behind(&[String::from("10.0.0.0/8")]),
            ClientIp::behind("192.0.2.1, 10.0.0.1".split(',')),
            ClientIp::behind([IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))]),
            ClientIp::behind([Ipv4Addr::new(10, 0, 0, 1)]),
            ClientIp::behind([Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped()]),
        ];
        for list in lists {
            let list = list.unwrap();
            let headers = headers(&X_FORWARDED_FOR, &[CLIENT]);
            assert_eq!(list.resolve(ip(PEER), &headers), ip(CLIENT), "{list}");
        }
    }

    #[test]
    fn a_network_reaches_from_its_first_address_to_its_last() {
        for (cidr, inside, outside) in [
            ("10.0.0.0/8", &["10.0.0.0", "10.255.255.255"][..], &["9.255.255.255", "11.0.0.0"][..]),
            ("192.0.2.1", &["192.0.2.1"], &["192.0.2.0", "192.0.2.2"]),
            ("192.0.2.0/31", &["192.0.2.0", "192.0.2.1"], &["192.0.2.2"]),
            ("128.0.0.0/1", &["128.0.0.0", "255.255.255.255"], &["127.255.255.255", "8000::"]),
            ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::", "::1"]),
            ("::/0", &["::", "2001:db8::1"], &["0.0.0.0", "::ffff:1.2.3.4"]),
            ("2001:db8::1/128", &["2001:db8::1"], &["2001:db8::", "2001:db8::2"]),
            ("2001:db8::/127", &["2001:db8::", "2001:db8::1"], &["2001:db8::2"]),
            ("fe80::/10", &["fe80::", "febf:ffff::1"], &["fec0::", "fe7f:ffff::"]),
        ] {
            let cidr: Cidr = cidr.parse().unwrap();
            assert!(inside.iter().all(|inside| cidr.contains(ip(inside))), "{cidr}");
            assert!(!outside.iter().any(|outside| cidr.contains(ip(outside))), "{cidr}");
        }
    }

    #[test]
    fn what_is_in_force_can_be_printed() {
        assert_eq!(ClientIp::peer().to_string(), "the peer");
        let client_ip = behind().header(FORWARDED);
        assert_eq!(client_ip.to_string(), "forwarded behind 10.0.0.0/8, 2001:db8:ffff::/48");
        assert_eq!(
            format!("{client_ip:?}"),
            "ClientIp { peer: <fn>, header: \"forwarded\", proxies: [10.0.0.0/8, 2001:db8:ffff::/48] }"
        );
    }

    #[test]
    fn it_can_be_shared_between_threads() {
        const fn shareable<T: Clone + Send + Sync + 'static>() {}
        shareable::<ClientIp>();
        shareable::<ConfigError>();
    }
}

mod properties {
    use super::*;

    /// An address that is no proxy and no IPv4 inside IPv6.
    fn client() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<Ipv4Addr>()
                .prop_filter("a proxy", |ip| ip.octets()[0] != 10)
                .prop_map(IpAddr::V4),
            any::<Ipv6Addr>()
                .prop_filter("a proxy, or IPv4", |ip| {
                    !matches!(
                        ip.segments(),
                        [0x2001, 0xdb8, 0xffff, ..] | [0 | 0x64, 0 | 0xff9b, 0, 0, ..]
                    )
                })
                .prop_map(IpAddr::V6),
        ]
    }

    fn proxy() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<[u8; 3]>().prop_map(|[b, c, d]| IpAddr::from([10, b, c, d])),
            any::<u64>().prop_map(|host| {
                let network = "2001:db8:ffff::".parse::<Ipv6Addr>().unwrap().to_bits();
                Ipv6Addr::from_bits(network | u128::from(host)).into()
            }),
        ]
    }

    /// One of the ways to write an address in a list.
    fn written(ip: IpAddr) -> impl Strategy<Value = String> {
        let (host, mapped) = match ip {
            IpAddr::V4(v4) => (v4.to_string(), format!("[{}]", v4.to_ipv6_mapped())),
            IpAddr::V6(v6) => (format!("[{v6}]"), v6.to_string()),
        };
        prop_oneof![
            Just(ip.to_string()),
            Just(mapped),
            any::<u16>().prop_map(move |port| format!("{host}:{port}")),
        ]
        .prop_flat_map(|node| "[ \t]{0,2}".prop_map(move |blank| format!("{blank}{node}{blank}")))
    }

    /// One of the ways to write it as an element of `Forwarded`.
    fn element(ip: IpAddr) -> impl Strategy<Value = String> {
        (
            written(ip),
            prop::sample::select(vec!["for", "For", "FOR"]),
            prop::sample::select(vec!["", "proto=https;", "host=\"a,b;c=d\";", "by=_x;"]),
            prop::sample::select(vec!["", ";proto=http", ";host=\",\"", ";"]),
        )
            .prop_map(|(node, name, before, after)| {
                format!("{before}{name}=\"{}\"{after}", node.trim())
            })
    }

    /// Header lines: what anyone may have sent, and then the list, broken into lines anywhere.
    fn lines(planted: Vec<Vec<u8>>, entries: &[String], breaks: u64) -> Vec<Vec<u8>> {
        let mut lines = planted;
        for (i, entry) in entries.iter().enumerate() {
            match lines.last_mut() {
                Some(line) if breaks >> i & 1 == 0 => {
                    line.push(b',');
                    line.extend_from_slice(entry.as_bytes());
                }
                _ => lines.push(entry.clone().into_bytes()),
            }
        }
        lines
    }

    fn planted() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let alphabet = prop_oneof![
            3 => prop::sample::select(b"\",;\\=[]: 0123456789.forFOR_unknow\t".to_vec()),
            1 => prop::sample::select((0x20..=0xff).filter(|b| *b != 0x7f).collect::<Vec<u8>>()),
        ];
        prop::collection::vec(prop::collection::vec(alphabet, 0..40), 0..4)
    }

    /// The client, the proxies from the farthest to the nearest, and the ways they are written.
    fn chain<S>(
        write: impl Fn(IpAddr) -> S + Copy + 'static,
    ) -> impl Strategy<Value = (IpAddr, Vec<String>)>
    where
        S: Strategy<Value = String> + 'static,
    {
        (client(), prop::collection::vec(proxy(), 0..MAX_HOPS)).prop_flat_map(
            move |(client, proxies)| {
                let entries = std::iter::once(client).chain(proxies).map(write);
                (Just(client), entries.collect::<Vec<_>>())
            },
        )
    }

    /// The rules once more, by way of a list of strings.
    fn model(peer: IpAddr, lines: &[Vec<u8>]) -> IpAddr {
        let proxy = |ip: IpAddr| match ip {
            IpAddr::V4(v4) => v4.octets()[0] == 10,
            IpAddr::V6(v6) => v6.segments()[..3] == [0x2001, 0xdb8, 0xffff],
        };
        let joined = lines.iter().map(|line| String::from_utf8_lossy(line).into_owned());
        let joined = joined.collect::<Vec<_>>().join(",");
        let mut entries: Vec<&str> =
            if lines.is_empty() { Vec::new() } else { joined.split(',').collect() };
        let mut client = peer;
        for _ in 0..MAX_HOPS {
            if !proxy(client) {
                break;
            }
            let Some(entry) = entries.pop() else { break };
            let entry = entry.trim();
            let hop = if entry.contains('%') {
                None
            } else if let Ok(socket) = entry.parse::<SocketAddr>() {
                Some(socket.ip())
            } else if let Some(v6) = entry.strip_prefix('[') {
                v6.strip_suffix(']').and_then(|v6| v6.parse().ok()).map(IpAddr::V6)
            } else {
                entry.parse().ok()
            };
            let Some(hop) = hop else { break };
            client = hop.to_canonical();
        }
        client
    }

    proptest! {
        #[test]
        fn what_stands_left_of_the_client_in_a_list_changes_nothing(
            (client, entries) in chain(written),
            planted in planted(),
            breaks in any::<u64>(),
        ) {
            prop_assert_eq!(by_list(&lines(planted, &entries, breaks)), client);
        }

        #[test]
        fn what_stands_left_of_the_client_in_forwarded_changes_nothing(
            (client, entries) in chain(element),
            planted in planted(),
            breaks in any::<u64>(),
        ) {
            prop_assert_eq!(by_forwarded(&lines(planted, &entries, breaks)), client);
        }

        #[test]
        fn a_list_is_read_as_the_model_reads_it(
            peer in prop_oneof![client(), proxy()],
            entries in prop::collection::vec(
                prop_oneof![
                    1 => client().prop_flat_map(written),
                    8 => proxy().prop_flat_map(written),
                    1 => "[0-9a-f:.\\[\\], ]{0,12}",
                    1 => Just(String::from("unknown")),
                ],
                0..40,
            ),
            breaks in any::<u64>(),
        ) {
            let lines = lines(Vec::new(), &entries, breaks);
            let answer = behind().resolve(peer, &headers(&X_FORWARDED_FOR, &lines));
            prop_assert_eq!(answer, model(peer, &lines));
        }

        #[test]
        fn an_untrusted_peer_is_always_the_answer(peer in client(), planted in planted()) {
            let list = headers(&X_FORWARDED_FOR, &planted);
            prop_assert_eq!(behind().resolve(peer, &list), peer);
            let forwarded = headers(&FORWARDED, &planted);
            prop_assert_eq!(behind().header(FORWARDED).resolve(peer, &forwarded), peer);
        }

        #[test]
        fn no_bytes_end_the_task(planted in planted()) {
            by_list(&planted);
            by_forwarded(&planted);
        }

        #[test]
        fn a_network_reads_back_as_it_is_written(ip in any::<IpAddr>(), prefix in 0..=128_u8) {
            let ip = ip.to_canonical();
            // Without the bits beyond the prefix.
            let network = match ip {
                IpAddr::V4(ip) => {
                    let rest = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
                    IpAddr::from(Ipv4Addr::from_bits(ip.to_bits() & !rest))
                }
                IpAddr::V6(ip) => {
                    let rest = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
                    IpAddr::from(Ipv6Addr::from_bits(ip.to_bits() & !rest))
                }
            };
            if let Ok(cidr) = Cidr::new(network, prefix) {
                prop_assert_eq!(cidr.to_string().parse::<Cidr>(), Ok(cidr));
                prop_assert!(cidr.contains(ip));
                prop_assert!(cidr.contains(network));
            } else {
                prop_assert!(ip.is_ipv4() && prefix > 32);
            }
        }

        #[test]
        fn no_text_ends_the_configuration(text in "\\PC{0,40}", near in "[0-9a-f:./%]{0,24}") {
            drop(text.parse::<Cidr>());
            drop(near.parse::<Cidr>());
        }
    }
}
