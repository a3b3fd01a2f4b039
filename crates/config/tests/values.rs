//! What is written, and what it is read as.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{
    fmt::Debug,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

use buttress_config::{Rate, Secret, Size, Unit, Url, Value};
use proptest::prelude::*;

#[track_caller]
fn reads<T: Value + Debug + PartialEq>(cases: &[(&str, T)]) {
    for (text, value) in cases {
        assert_eq!(T::parse(text).as_ref(), Ok(value), "{text:?}");
    }
}

#[track_caller]
fn refuses<T: Value + Debug>(cases: &[(&str, &str)]) {
    for (text, reason) in cases {
        let error = T::parse(text).unwrap_err().to_string();
        assert_eq!(error, *reason, "{text:?}");
    }
}

#[test]
fn durations() {
    let millis = Duration::from_millis;
    reads(&[
        ("0s", Duration::ZERO),
        ("1us", Duration::from_micros(1)),
        ("500ms", millis(500)),
        (" 30s ", millis(30_000)),
        ("15m", millis(900_000)),
        ("1h30m", millis(5_400_000)),
        ("1h 30m", millis(5_400_000)),
        ("1d2h3m4s5ms", millis(93_784_005)),
        ("90m", millis(5_400_000)),
    ]);
    refuses::<Duration>(&[
        ("30", "has no unit"),
        ("0", "has no unit"),
        ("", "is no duration"),
        ("s", "is no duration"),
        ("-1s", "is no duration"),
        ("1.5s", "has a unit that is none of us, ms, s, m, h, d"),
        ("1M", "has a unit that is none of us, ms, s, m, h, d"),
        ("1w", "has a unit that is none of us, ms, s, m, h, d"),
        ("30m1h", "has its units in the wrong order"),
        ("1m1m", "has its units in the wrong order"),
        ("1h30", "has a unit that is none of us, ms, s, m, h, d"),
        ("99999999999999999999s", "is more than can be counted"),
        ("18446744073709551615d", "is more than can be counted"),
        ("18446744073709551615s18446744073709551615ms", "is more than can be counted"),
        ("1_000ms", "has a unit that is none of us, ms, s, m, h, d"),
    ]);
    let most = format!("{}s999ms", u64::MAX);
    reads(&[(most.as_str(), Duration::new(u64::MAX, 999_000_000))]);
}

#[test]
fn bare_numbers_of_a_unit() {
    let bare = Duration::parse_bare;
    assert_eq!(bare("900000", Unit::Milliseconds), Ok(Duration::from_secs(900)));
    assert_eq!(bare("15", Unit::Minutes), Ok(Duration::from_secs(900)));
    assert_eq!(bare("15s", Unit::Minutes), Ok(Duration::from_secs(15)));
    assert!(bare("15", Unit::Megabytes).is_err());
    assert_eq!(Size::parse_bare("2", Unit::Kibibytes), Ok(Size::of_bytes(2_048)));
    assert_eq!(Size::parse_bare("2", Unit::Seconds), Ok(Size::of_bytes(2)));
    assert_eq!(u16::parse_bare("2", Unit::Seconds), Ok(2));
}

#[test]
fn sizes() {
    let bytes = Size::of_bytes;
    reads(&[
        ("0", bytes(0)),
        ("4096", bytes(4_096)),
        ("512B", bytes(512)),
        ("10kB", bytes(10_000)),
        ("10 KiB", bytes(10_240)),
        ("1_000mb", bytes(1_000_000_000)),
        ("2GiB", bytes(2 << 30)),
        ("1TB", bytes(1_000_000_000_000)),
    ]);
    refuses::<Size>(&[
        ("10M", "has a unit that could be of 1,000 or of 1,024"),
        ("10 g", "has a unit that could be of 1,000 or of 1,024"),
        ("10 miles", "has a unit that is none of size"),
        ("1.5MiB", "has a unit that is none of size"),
        ("-1", "is no whole number"),
        ("MiB", "is no whole number"),
        ("18446744073709551615KiB", "is more than can be counted"),
        ("18446744073709551616", "is too large"),
    ]);
}

#[test]
fn rates() {
    let rate = |text: &str| Rate::parse(text).map(|rate| (rate.count().get(), rate.period()));
    assert_eq!(rate("100/15m"), Ok((100, Duration::from_secs(900))));
    assert_eq!(rate(" 10 / s "), Ok((10, Duration::from_secs(1))));
    assert_eq!(rate("1/1h30m"), Ok((1, Duration::from_secs(5_400))));
    refuses::<Rate>(&[
        ("100", "has no slash"),
        ("0/s", "is none at all"),
        ("1/0s", "has a period of no length"),
        ("1/", "has no unit"),
        ("/s", "is no whole number"),
        ("x/s", "is no whole number"),
        ("1/15", "has no unit"),
        ("18446744073709551616/s", "is too large"),
        ("1/18446744073709551615d", "is more than can be counted"),
    ]);
}

#[test]
fn numbers() {
    reads(&[("0", 0_u8), ("255", 255), (" 7 ", 7), ("1_0", 10), ("0_2_5_5", 255)]);
    reads(&[("18_446_744_073_709_551_615", u64::MAX)]);
    refuses::<u64>(&[("18_446_744_073_709_551_616", "is too large"), ("_", "is no whole number")]);
    reads(&[("-128", -128_i8), ("127", 127)]);
    reads(&[("1", NonZeroU32::MIN)]);
    refuses::<u8>(&[
        ("256", "is too large"),
        ("-1", "is too small"),
        ("", "is no whole number"),
        ("+1", "is no whole number"),
        ("1.0", "is no whole number"),
        ("_1", "is no whole number"),
        ("1_", "is no whole number"),
        ("0x10", "is no whole number"),
        ("\u{661}", "is no whole number"),
    ]);
    refuses::<i8>(&[("-129", "is too small")]);
    refuses::<NonZeroU32>(&[("0", "is 0")]);
    reads(&[("0.25", 0.25_f64), ("-1e3", -1_000.0)]);
    refuses::<f64>(&[("NaN", "is not finite"), ("inf", "is not finite"), ("1,5", "is no number")]);
}

#[test]
fn booleans() {
    reads(&[("true", true), ("FALSE", false), ("1", true), ("0", false), (" Yes", true)]);
    reads(&[("no", false), ("on", true), ("off", false)]);
    refuses::<bool>(&[("2", "is neither"), ("y", "is neither"), ("", "is neither")]);
}

#[test]
fn addresses() {
    reads::<SocketAddr>(&[("[::1]:80", ([0, 0, 0, 0, 0, 0, 0, 1], 80).into())]);
    reads::<IpAddr>(&[("10.0.0.1", [10, 0, 0, 1].into())]);
    refuses::<SocketAddr>(&[
        ("localhost:80", "is no address and port"),
        (":80", "is no address and port"),
    ]);
    refuses::<IpAddr>(&[("10.0.0", "is no IP address"), ("010.0.0.1", "is no IP address")]);
}

#[test]
fn lists() {
    reads(&[("", vec![]), ("1", vec![1_u8]), ("1, 2 ,3", vec![1, 2, 3])]);
    refuses::<Vec<u8>>(&[
        ("1,,2", "has nothing in part 2"),
        ("1,", "has nothing in part 2"),
        (",", "has nothing in part 1"),
        ("1,x", "is no whole number, in part 2"),
    ]);
    assert_eq!(Vec::<Duration>::parse_bare("1,2s", Unit::Minutes).unwrap().len(), 2);
}

#[test]
fn texts_and_paths_are_as_they_are() {
    reads(&[(" a ", String::from(" a "))]);
    reads(&[("a b", PathBuf::from("a b"))]);
    assert_eq!(Secret::<String>::parse("a b").unwrap().expose(), "a b");
    for text in [" a", "a ", "a\n"] {
        assert!(Secret::<String>::parse(text).is_err());
    }
}

#[test]
fn urls() {
    let cases = [
        ("https://example.com", "https", Some("example.com"), None),
        ("postgres://u:p@db:5432/shop?sslmode=require#x", "postgres", Some("db"), Some(5432)),
        ("redis://[::1]:6379/0", "redis", Some("[::1]"), Some(6379)),
        ("postgres:///shop?host=/run/postgresql", "postgres", None, None),
        ("amqp://u:p%40@host", "amqp", Some("host"), None),
        ("http+unix://a@b@c/x", "http+unix", Some("c"), None),
        ("https://example.com/a@b:c", "https", Some("example.com"), None),
    ];
    for (text, scheme, host, port) in cases {
        let url: Url = text.parse().unwrap();
        assert_eq!((url.scheme(), url.host(), url.port()), (scheme, host, port), "{text}");
        assert_eq!(url.as_str(), text);
    }
    let cut = "has a /, ? or # in its password, to be written %2F, %3F or %23";
    let cases = [
        ("example.com", "has no `://`"),
        ("mailto:a@b", "has no `://`"),
        ("1http://a", "has a scheme that is none"),
        ("://a", "has a scheme that is none"),
        ("http://", "has no host"),
        ("https:///x", "has no host"),
        ("http://a:b", "has a port that is none"),
        ("http://a:", "has a port that is none"),
        ("http://a:65536", "has a port that is none"),
        ("http://a:+80", "has a port that is none"),
        ("http://a b", "has white space or a control character in it"),
        ("http://[::1", "has a host that is none"),
        ("http://[x]", "has a host that is none"),
        ("http://[::1]x", "has a host that is none"),
        ("http://a<b", "has a host that is none"),
        ("redis://u:p/w@host:1", cut),
        ("redis://u:p#w@host:1", cut),
    ];
    for (text, reason) in cases {
        assert_eq!(text.parse::<Url>().unwrap_err().to_string(), reason, "{text}");
    }
}

#[test]
fn which_urls_are_of_this_machine() {
    for url in [
        "http://localhost:5173",
        "http://LOCALHOST",
        "http://localhost.",
        "http://app.localhost",
        "http://127.0.0.1",
        "http://127.9.9.9",
        "http://[::1]:3000",
        "http://[::ffff:127.0.0.1]",
        "http://0.0.0.0",
        "http://[::]",
    ] {
        assert!(url.parse::<Url>().unwrap().is_local(), "{url}");
    }
    for url in [
        "http://example.com",
        "http://localhost.example.com",
        "http://notlocalhost",
        "http://10.0.0.1",
        "http://[::2]",
        "postgres:///shop",
    ] {
        assert!(!url.parse::<Url>().unwrap().is_local(), "{url}");
    }
}

proptest! {
    #[test]
    fn a_duration_is_the_sum_of_its_parts(
        d in 0_u64..400, h in 0_u64..100, m in 0_u64..100, s in 0_u64..100, ms in 0_u64..5_000,
    ) {
        let text = format!("{d}d{h}h{m}m{s}s{ms}ms");
        let sum = (((d * 24 + h) * 60 + m) * 60 + s) * 1_000 + ms;
        prop_assert_eq!(Duration::parse(&text), Ok(Duration::from_millis(sum)));
    }

    #[test]
    fn a_rate_reads_back(count in 1_u64.., micros in 1_u64..) {
        let rate = Rate::parse(&format!("{count}/{micros}us")).unwrap();
        prop_assert_eq!(rate.period(), Duration::from_micros(micros));
        prop_assert_eq!(Rate::parse(&rate.to_string()), Ok(rate));
    }

    #[test]
    fn a_size_reads_back(bytes in any::<u64>()) {
        let size = Size::of_bytes(bytes);
        prop_assert_eq!(Size::parse(&size.to_string()), Ok(size));
    }

    #[test]
    fn a_url_is_made_of_its_parts(
        scheme in "[a-z][a-z0-9+.-]{0,8}",
        user in proptest::option::of("[a-z]{1,4}(:[a-z0-9%]{0,6})?"),
        host in "[a-z0-9.-]{1,12}",
        port in proptest::option::of(any::<u16>()),
        rest in "(/[a-z@:]{0,6})?(\\?[a-z=&@]{0,6})?",
    ) {
        let at = user.map(|user| format!("{user}@")).unwrap_or_default();
        let colon = port.map(|port| format!(":{port}")).unwrap_or_default();
        let text = format!("{scheme}://{at}{host}{colon}{rest}");
        let url: Url = text.parse().unwrap();
        prop_assert_eq!(url.scheme(), &scheme);
        prop_assert_eq!(url.host(), Some(host.as_str()));
        prop_assert_eq!(url.port(), port);
    }

    #[test]
    fn nothing_that_is_written_ends_the_program(text in any::<String>()) {
        let _ = (Duration::parse(&text), Size::parse(&text), Rate::parse(&text));
        let _ = (Url::parse(&text), f64::parse(&text), i64::parse(&text), bool::parse(&text));
        let _ = (Vec::<Rate>::parse(&text), Unit::of_name(&text));
    }
}
