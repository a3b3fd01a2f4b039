//! What cannot be right is refused when it is made, with what and why.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test is meant to panic")]

use std::time::Duration;

use buttress_core::client_ip::ClientIp;
use buttress_limit::{
    ConfigError, ConfigErrorKind as Kind, Key, LimitLayer, Limiter, MemoryStore, Quota, Rule, days,
    minutes, requests, seconds,
};

fn check<T: std::fmt::Debug>(result: Result<T, ConfigError>, kind: Kind, message: &str) {
    let error = result.expect_err(message);
    assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
}

#[test]
fn a_quota_in_words() {
    let table = [
        ("0/15m", Kind::Requests, "the quota must be at least 1 request"),
        ("000/s", Kind::Requests, "the quota must be at least 1 request"),
        ("100/0", Kind::Syntax, "the period's unit must be one of ms, s, m, h, d"),
        ("100/0s", Kind::Period, "the period must be at least 1ms"),
        ("100/0ms", Kind::Period, "the period must be at least 1ms"),
        ("100/367d", Kind::Period, "the period must be at most 366d"),
        ("100/8785h", Kind::Period, "the period must be at most 366d"),
        ("100/18446744073709551615d", Kind::Period, "the period must be at most 366d"),
        ("100/18446744073709551616s", Kind::Period, "the period must be at most 366d"),
        ("100/15x", Kind::Syntax, "the period's unit must be one of ms, s, m, h, d"),
        ("100/15", Kind::Syntax, "the period's unit must be one of ms, s, m, h, d"),
        ("100/", Kind::Syntax, "the period's unit must be one of ms, s, m, h, d"),
        ("100/15 m", Kind::Syntax, "the period's unit must be one of ms, s, m, h, d"),
        ("100/15M", Kind::Syntax, "the period's unit must be one of ms, s, m, h, d"),
        ("100/1.5h", Kind::Syntax, "the period's unit must be one of ms, s, m, h, d"),
        ("100/-1s", Kind::Syntax, "the period's unit must be one of ms, s, m, h, d"),
        ("100/15m/2", Kind::Syntax, "the period's unit must be one of ms, s, m, h, d"),
        ("100/١m", Kind::Syntax, "the period's unit must be one of ms, s, m, h, d"),
        ("", Kind::Syntax, "a quota is written as N/period, such as 100/15m or 10/s"),
        ("100 per 15m", Kind::Syntax, "a quota is written as N/period, such as 100/15m or 10/s"),
        ("/15m", Kind::Syntax, "the requests must be a whole number, such as the 100 of 100/15m"),
        ("-1/s", Kind::Syntax, "the requests must be a whole number, such as the 100 of 100/15m"),
        ("+1/s", Kind::Syntax, "the requests must be a whole number, such as the 100 of 100/15m"),
        ("1e3/s", Kind::Syntax, "the requests must be a whole number, such as the 100 of 100/15m"),
        (
            "1,000/s",
            Kind::Syntax,
            "the requests must be a whole number, such as the 100 of 100/15m",
        ),
        ("١/s", Kind::Syntax, "the requests must be a whole number, such as the 100 of 100/15m"),
        ("18446744073709551616/s", Kind::Requests, "the number is too large"),
        ("18446744073709551615/s", Kind::Requests, "the quota is more than one request a ns"),
        ("1000001/1ms", Kind::Requests, "the quota is more than one request a ns"),
        (
            "1000000000000000/366d",
            Kind::Requests,
            "the quota must be at most 999999999999999 requests",
        ),
        ("4294967297/1d", Kind::Burst, "the burst must be at most 4294967296"),
    ];
    for (text, kind, why) in table {
        check(text.parse::<Quota>(), kind, &format!("{text:?}: {why}"));
        check(Quota::from_var("LIMIT", text), kind, &format!("LIMIT={text:?}: {why}"));
    }
    for (text, quota) in [
        ("4294967296/1d", requests(1 << 32).per(days(1))),
        ("1000000/ms", requests(1_000_000).per(Duration::from_millis(1))),
        ("1/366d", requests(1).per(days(366))),
        ("007/060s", requests(7).per(minutes(1))),
    ] {
        assert_eq!(text.parse::<Quota>().unwrap(), quota, "{text}");
    }
}

#[test]
fn a_rule() {
    let of = |quota: Quota| Rule::new("r", quota);
    let minute = minutes(1);
    check(of(requests(0).per(minute)), Kind::Requests, "r: the quota must be at least 1 request");
    check(of(requests(1).per(seconds(0))), Kind::Period, "r: the period must be at least 1ms");
    check(
        of(requests(1).per(Duration::from_nanos(999_999))),
        Kind::Period,
        "r: the period must be at least 1ms",
    );
    check(of(requests(1).per(Duration::MAX)), Kind::Period, "r: the period must be at most 366d");
    check(of(requests(1).per(days(u64::MAX))), Kind::Period, "r: the period must be at most 366d");
    check(
        of(requests(u64::MAX).per(minute)),
        Kind::Requests,
        "r: the quota is more than one request a ns",
    );
    check(of(requests(1).per(minute).burst(0)), Kind::Burst, "r: the burst must be at least 1");
    check(
        of(requests(9).per(minute).burst(u64::MAX)),
        Kind::Burst,
        "r: the burst must be at most 4294967296",
    );
    check(
        of(requests(1).per(days(366)).burst(11)),
        Kind::Overflow,
        "r: the burst would take longer than 10 years to come back",
    );
    check(
        of(requests(10).per(minute).strict().burst(6)),
        Kind::Burst,
        "r: a strict quota's burst and refill must be no more than its requests",
    );
    let windows = requests(5).per(minute).burst(2);
    let no_burst = "r: a window has no burst: leave it out";
    check(Rule::new("r", windows.fixed_window()), Kind::Burst, no_burst);
    check(Rule::new("r", windows.sliding_counter()), Kind::Burst, no_burst);
    let strict = requests(5).per(minute).strict();
    check(Rule::new("r", strict.fixed_window()), Kind::Burst, no_burst);
    let many = requests(1 << 20).per(minute);
    let most = "r: such a window counts to";
    check(Rule::new("r", many.fixed_window()), Kind::Requests, &format!("{most} 1048575"));
    check(Rule::new("r", many.sliding_counter()), Kind::Requests, &format!("{most} 16383"));

    let five = || of(requests(9).per(minute).burst(5)).unwrap();
    check(five().cost(0), Kind::Cost, "r: the cost must be at least 1");
    check(
        five().cost(6),
        Kind::Cost,
        "r: the cost of 6 is more than the burst of 5: no request could pass",
    );
    assert!(five().cost(5).is_ok());

    let name =
        |name: &str| format!("{name:?}: a name is 1 to 64 ASCII letters, digits and _ - . : /");
    for bad in ["", "a b", "a\"b", "a;q", "ä", "a\n", &"a".repeat(65)] {
        check(Rule::new(bad.to_owned(), requests(1).per(minute)), Kind::Name, &name(bad));
    }
    assert!(Rule::new("a".repeat(64), requests(1).per(minute)).is_ok());
}

#[test]
fn a_layer() {
    let layer = || LimitLayer::new(Key::peer(), [Rule::general()]).unwrap();
    check(LimitLayer::new(Key::peer(), []), Kind::NoRules, "no rule is given: name one at least");
    check(
        LimitLayer::new(Key::peer(), [Rule::auth(), Rule::auth()]),
        Kind::DuplicateRule,
        "auth: a rule of this name is there already",
    );
    let many = |n: usize| {
        let rules =
            (0..n).map(|i| Rule::new(format!("r{i}"), requests(1).per(seconds(1))).unwrap());
        rules.collect::<Vec<_>>()
    };
    check(
        LimitLayer::new(Key::peer(), many(13)),
        Kind::TooManyRules,
        "13 counts for one request, of rules times rungs: at most 12",
    );
    let ladder = || Key::peer().ipv6_ladder([(64, 1), (56, 2), (48, 4)]).unwrap();
    check(
        LimitLayer::new(ladder(), many(5)),
        Kind::TooManyRules,
        "15 counts for one request, of rules times rungs: at most 12",
    );
    let huge = Rule::new("huge", requests(1 << 31).per(minutes(15))).unwrap();
    check(
        LimitLayer::new(ladder(), [huge]),
        Kind::Burst,
        "huge: the burst must be at most 4294967296",
    );
    check(
        layer().tier("general plan", [Rule::strict()]),
        Kind::Name,
        "\"general plan\": a name is 1 to 64 ASCII letters, digits and _ - . : /",
    );
    check(layer().tier("paid", []), Kind::NoRules, "paid: no rule is given: name one at least");
    check(
        layer().tier("paid", [Rule::strict()]).unwrap().tier("paid", [Rule::strict()]),
        Kind::DuplicateRule,
        "paid: a tier of this name is there already",
    );
    let windows = Rule::new("general", requests(5).per(minutes(15)).fixed_window()).unwrap();
    check(
        layer().tier("paid", [windows]),
        Kind::UnlikeRules,
        "paid: general: rules of one name share their count, so they must count in one way, and in \
         windows of one length",
    );
    for (bad, why) in [
        ("10.0.0.0/33", "the prefix of an IPv4 network must be 0 to 32"),
        ("::/129", "the prefix of an IPv6 network must be 0 to 128"),
    ] {
        let message = format!("{bad:?}: {why}");
        check(layer().allow_networks(ClientIp::peer(), [bad]), Kind::Network, &message);
        check(
            layer().deny_networks(ClientIp::peer(), ["192.0.2.0/24", bad]),
            Kind::Network,
            &message,
        );
    }
    for bad in
        ["", "10.0.0", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.256/8", "localhost", "10.0.0.0/-1"]
    {
        let error = layer().deny_networks(ClientIp::peer(), [bad]).unwrap_err();
        assert_eq!(error.kind(), Kind::Network);
        assert!(error.to_string().starts_with(&format!("{bad:?}: ")), "{error}");
    }
}

#[test]
fn a_key_and_a_store() {
    let prefix = |rungs: &[(u8, u32)]| Key::peer().ipv6_ladder(rungs.iter().copied());
    check(prefix(&[]), Kind::Prefix, "a ladder has one rung at least");
    check(prefix(&[(31, 1)]), Kind::Prefix, "/31: the prefix must be 32 to 128");
    check(Key::peer().ipv6_prefix(129), Kind::Prefix, "/129: the prefix must be 32 to 128");
    check(prefix(&[(64, 0)]), Kind::Prefix, "/64: a rung must be worth the quota at least");
    check(prefix(&[(64, 2)]), Kind::Prefix, "/64: the first rung is worth the quota: 1");
    let narrow = "the rungs of a ladder go from narrow to wide";
    check(prefix(&[(64, 1), (64, 2)]), Kind::Prefix, &format!("/64 after /64: {narrow}"));
    let four = [(64, 1), (56, 2), (48, 3), (40, 4)];
    check(prefix(&four), Kind::Prefix, "a ladder has at most 3 rungs");

    check(
        MemoryStore::with_capacity((1 << 30) + 1),
        Kind::Capacity,
        "1073741825 slots: a store has at most 1073741824, which is 8 GiB",
    );
    let store = MemoryStore::with_capacity(0).unwrap();
    assert_eq!(store.capacity(), 16);
    // 31 rules in all, whoever brings them.
    let rule = |i: usize| Rule::new(format!("r{i}"), requests(1).per(seconds(1))).unwrap();
    for i in 0..31 {
        assert!(Limiter::new(store.clone(), [rule(i)]).is_ok());
    }
    assert!(Limiter::new(store.clone(), [rule(7)]).is_ok());
    check(
        Limiter::new(store, [rule(31)]),
        Kind::TooManyRules,
        "r31: a store counts for at most 31 rules and rungs",
    );
}

#[cfg(feature = "slow-down")]
#[test]
fn a_slow_down() {
    use buttress_limit::SlowDown;

    check(
        SlowDown::new(1, seconds(0), seconds(1)),
        Kind::Delay,
        "the step must be longer than nothing",
    );
    check(
        SlowDown::new(1, seconds(2), seconds(1)),
        Kind::Delay,
        "the step of 2s is longer than the longest, 1s",
    );
}
