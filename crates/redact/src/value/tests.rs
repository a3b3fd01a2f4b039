use std::{fmt::Write, time::Duration};

use proptest::prelude::*;

use super::{Found, Pivots, Scan, Values};
use crate::{Censor, Rules, ValueRule, Verdict};

fn censored(text: &str) -> String {
    let mut out = String::new();
    Rules::new().text(text, &mut out).unwrap();
    out
}

fn assert_table(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(censored(text), *expected, "{text}");
        assert_eq!(Rules::new().is_clear(text), text == expected, "{text}");
    }
}

fn assert_clear(texts: &[&str]) {
    for text in texts {
        assert_eq!(censored(text), *text);
    }
}

/// Test numbers that the networks and payment services publish (`PayPal`, Stripe, Adyen, Braintree).
const CARDS: &[&str] = &[
    "4222222222222",
    "4111111111111111",
    "4012888888881881",
    "4242424242424242",
    "4000056655665556",
    "6304000000000000",
    "5555555555554444",
    "5105105105105100",
    "2223003122003222",
    "378282246310005",
    "371449635398431",
    "378734493671000",
    "6011111111111117",
    "6011000990139424",
    "6011981111111113",
    "30569309025904",
    "38520000023237",
    "36227206271667",
    "3530111333300000",
    "3566002020360505",
    "6200000000000005",
    "6205500000000000004",
    "6759649826438453",
    "2201382000000013",
];

#[test]
fn published_test_cards_are_found_as_texts_and_as_numbers() {
    let rules = Rules::new();
    for card in CARDS {
        assert_eq!(censored(card), "[REDACTED]", "{card}");
        assert_eq!(censored(&format!("paid with {card}.")), "paid with [REDACTED].");
        assert_eq!(censored(&format!("card{card}x")), "card[REDACTED]x");
        let number = card.parse().unwrap();
        assert!(matches!(rules.number(number), Verdict::Censor(_)), "{card}");
        assert!(matches!(rules.number(number + 1), Verdict::Clear), "{card}");
    }
}

#[test]
fn a_card_is_found_however_it_is_grouped() {
    assert_table(&[
        ("4111 1111 1111 1111", "[REDACTED]"),
        ("4111-1111-1111-1111", "[REDACTED]"),
        ("3782 822463 10005", "[REDACTED]"),
        ("4111 1111-1111 1111", "[REDACTED]"),
        // What follows and what precedes are groups of their own.
        ("4111111111111111 12/27 123", "[REDACTED] 12/27 123"),
        ("4111 1111 1111 1111 12 27", "[REDACTED] 12 27"),
        ("42 4111 1111 1111 1111", "42 [REDACTED]"),
        ("4111111111111111 5555555555554444", "[REDACTED] [REDACTED]"),
        ("4111111111111111,4242424242424242", "[REDACTED],[REDACTED]"),
    ]);
}

#[test]
fn what_only_resembles_a_card_stays() {
    assert_clear(&[
        // A wrong check digit, an unknown issuer, a wrong length.
        "4111111111111112",
        "1111111111111117",
        "9111111111111111",
        "41111111111111",
        // Luhn holds, but it is a part of something longer.
        "41111111111111110000000000",
        "4111  1111  1111  1111",
        // Fractions.
        "score: 0.4111111111111111",
        "[1.4242424242424242, -3.5555555555554444]",
        // Times, ids, telephone numbers.
        "1763726407123",
        "1763726407123456789",
        "2026-11-21 12:00:00.123456",
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "+49 151 23456789",
        "0",
        "",
    ]);
    let rules = Rules::new();
    for number in [0, 42, 1_763_726_407_123, u128::from(u64::MAX), u128::MAX] {
        assert!(matches!(rules.number(number), Verdict::Clear), "{number}");
    }
}

#[test]
fn tokens_are_found_and_what_has_dots_is_not() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    let jwe = "eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn";
    assert_eq!(censored(jwt), "[REDACTED]");
    assert_eq!(censored(jwe), "[REDACTED]");
    assert_eq!(censored(&format!("id={jwt}, next")), "id=[REDACTED], next");
    assert_eq!(censored(&format!("\"{jwe}\"")), "\"[REDACTED]\"");
    // Unsigned, and cut off.
    assert_eq!(censored("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."), "[REDACTED]");
    assert_eq!(censored("eyJhbGciOiJIUzI1NiJ9.eyJzdWIi"), "[REDACTED]");
    assert_clear(&[
        "eyJ.a.b",
        "keyJhbGciOiJIUzI1NiJ9.a.b",
        "eyJhbGciOiJIUzI1NiJ9",
        "a.b.c",
        "JSON",
    ]);
}

#[test]
fn credentials_are_found_and_the_words_are_not() {
    assert_table(&[
        ("Bearer abc", "Bearer [REDACTED]"),
        ("bearer mF_9.B5f-4.1JqM", "bearer [REDACTED]"),
        ("authorization: Bearer  mF_9.B5f-4.1JqM ok", "authorization: Bearer  [REDACTED] ok"),
        ("sent Bearer sixteenletterslong", "sent Bearer [REDACTED]"),
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic [REDACTED]"),
        ("header \"basic dTpw\"", "header \"basic [REDACTED]\""),
        ("BEARER x1", "BEARER [REDACTED]"),
    ]);
    assert_clear(&[
        "error: bearer token missing",
        "the bearer of this",
        "no bearer authentication.",
        "Bearer",
        "Bearer ",
        "basic authentication failed",
        "Basic functionality",
        "Basic Operations on lists",
        "see basic Order",
        "forbearer x1y2z3w4v5u6t7s8",
    ]);
}

/// As `Debug` prints a text of several lines, and as a URL stands in one.
#[test]
fn an_escape_before_a_secret_does_not_hide_it() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    for secret in [jwt, "AKIAIOSFODNN7EXAMPLE", "4111111111111111"] {
        for before in ["\\n", "\\t", "%20", "%3D", "%0a", "a%2C"] {
            let text = format!("x{before}{secret}");
            assert_eq!(censored(&text), format!("x{before}[REDACTED]"), "{text}");
        }
    }
    assert_eq!(censored("a\\nBearer mF_9.B5f-4"), "a\\nBearer [REDACTED]");
    assert_eq!(censored("100%4111111111111111"), "100%[REDACTED]");
}

#[test]
fn key_ids_of_aws_are_found() {
    assert_table(&[
        ("AKIAIOSFODNN7EXAMPLE", "[REDACTED]"),
        ("key=ASIAIOSFODNN7EXAMPLE;", "key=[REDACTED];"),
    ]);
    assert_clear(&[
        "AKIAIOSFODNN7EXAMPL",
        "AKIAIOSFODNN7EXAMPLES",
        "akiaiosfodnn7example",
        "XAKIAIOSFODNN7EXAMPLE",
        "AKIAIOSFODNN7EXAMPLe",
        "AIDACKCEVSQ6C2EXAMPLE",
    ]);
}

#[test]
fn private_keys_are_found_and_public_ones_are_not() {
    let key =
        |label: &str| format!("-----BEGIN {label}-----\nMIIEvQ==\nIDAQAB\n-----END {label}-----");
    for label in [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ] {
        assert_eq!(censored(&format!("a\n{}\nb", key(label))), "a\n[REDACTED]\nb");
        // As `Debug` prints it.
        assert_eq!(censored(&format!("{:?}", key(label))), "\"[REDACTED]\"");
    }
    assert_eq!(censored("-----BEGIN PRIVATE KEY-----\nMIIEvQ"), "[REDACTED]");
    for label in ["PUBLIC KEY", "CERTIFICATE"] {
        assert_eq!(censored(&key(label)), key(label));
    }
}

#[test]
fn passwords_of_urls_are_found_and_hosts_and_ports_are_not() {
    assert_table(&[
        ("postgres://app:hunter2@db:5432/main", "postgres://app:[REDACTED]@db:5432/main"),
        ("redis://:hunter2@cache", "redis://:[REDACTED]@cache"),
        ("see https://a:b@c.example/d, e", "see https://a:[REDACTED]@c.example/d, e"),
        ("amqp://u:p@ss:w@host/v", "amqp://u:[REDACTED]@host/v"),
        ("postgres://app:a/b?c#d@db/main", "postgres://app:[REDACTED]@db/main"),
        ("http://u:pässwörd@h", "http://u:[REDACTED]@h"),
        ("a://b:c@d e://f:g@h", "a://b:[REDACTED]@d e://f:[REDACTED]@h"),
    ]);
    assert_clear(&[
        "https://example.com/a:b@c",
        "http://localhost:3000/users/@me",
        "http://[::1]:3000/@",
        "https://user@example.com",
        "https://user:@example.com",
        "12:30: mail to ada@example.com",
        "std::fmt::Display",
        "://",
    ]);
}

#[derive(Debug)]
#[expect(dead_code, reason = "`Debug` reads them")]
struct Login {
    user: &'static str,
    password: Option<&'static str>,
    api_key: Wrapped,
    pinned: &'static str,
}

#[derive(Debug)]
#[expect(dead_code, reason = "`Debug` reads it")]
struct Wrapped(String);

/// In one line, in many, and quoted once more.
#[test]
fn what_debug_prints_under_a_sensitive_name_is_censored() {
    let login = Login {
        user: "ada",
        password: Some("hun\"ter\\2"),
        api_key: Wrapped("hunter3".to_owned()),
        pinned: "yes",
    };
    let quoted = format!("{login:?}");
    for text in
        [&quoted, &format!("{login:#?}"), &format!("{quoted:?}"), &format!("{:?}", [&quoted; 2])]
    {
        let out = censored(text);
        assert!(!out.contains("hun") && !out.contains("ter"), "{out}");
        assert!(out.contains("ada") && out.contains("yes"), "{out}");
    }
    assert_eq!(
        censored(&quoted),
        "Login { user: \"ada\", password: Some(\"[REDACTED]\"), \
         api_key: Wrapped(\"[REDACTED]\"), pinned: \"yes\" }"
    );
}

#[test]
fn quoted_members_are_found_and_prose_is_not() {
    assert_table(&[
        (r#"{"password":"a\"b","page":"2"}"#, r#"{"password":"[REDACTED]","page":"2"}"#),
        (r#"got {\"token\": \"a\\\"b\"} ok"#, r#"got {\"token\": \"[REDACTED]\"} ok"#),
        (r#"api_key: b"\xff", x"#, r#"api_key: b"[REDACTED]", x"#),
        (r#"{"session": "cut off"#, r#"{"session": "[REDACTED]"#),
        (r#"user.pin: "12""#, r#"user.pin: "[REDACTED]""#),
    ]);
    assert_clear(&[
        r#"password: """#,
        r#"pinned: "yes", design: "new", author: "ada""#,
        "password: too short",
        "invalid token: expected a comma",
        r#"token_count: "3""#,
        r#": "x" "": "y""#,
    ]);
    let off = Rules::new().allow_value(ValueRule::Member);
    assert!(off.is_clear(r#"password: "x""#));
    let last = Rules::new().redact_key_with("iban", Censor::keep_last(4)).unwrap();
    let mut out = String::new();
    last.text(r#"iban: "DE02120300000000202051""#, &mut out).unwrap();
    assert_eq!(out, r#"iban: "[..2051]""#);
}

#[test]
fn each_rule_can_be_turned_off_and_have_a_censor_of_its_own() {
    let text = "4111111111111111 https://a:b@c";
    let print = |rules: &Rules| {
        let mut out = String::new();
        rules.text(text, &mut out).unwrap();
        out
    };
    assert_eq!(print(&Rules::none()), text);
    assert_eq!(print(&Rules::new().allow_values()), text);
    let last = Rules::new().redact_value_with(ValueRule::CardNumber, Censor::keep_last(4));
    assert_eq!(print(&last), "[..1111] https://a:[REDACTED]@c");
    let last = last.allow_value(ValueRule::UrlPassword);
    assert_eq!(print(&last), "[..1111] https://a:b@c");
    let removed = Rules::new().redact_value_with(ValueRule::CardNumber, Censor::remove());
    assert_eq!(print(&removed), " https://a:[REDACTED]@c");
}

/// Texts that would take minutes if they were read once for each of their parts.
#[test]
fn a_hostile_text_is_read_in_linear_time() {
    let parts = [
        "://",
        "a://b:c",
        "eyJ",
        "eyJhbGciOiJIUzI1NiJ9.",
        "A",
        "AKIA",
        "-----BEGIN ",
        "-",
        "1 ",
        "9",
        "%20",
        "0.1",
        "%20eyJ",
        "\\neyJhhhhhhhhhhhhh",
    ];
    let more = [
        ":",
        ": ",
        "token:",
        ":x(x(x(",
        "token: \"\"",
        "token: \\\\\\",
        "user: \"",
        "Bearer ",
        "basic a",
        "-----BEGIN PRIVATE KEY-----",
        "a://b:c@",
    ];
    let off = Rules::new().allow_value(ValueRule::PrivateKey);
    for part in parts.into_iter().chain(more) {
        let text = part.repeat(200_000 / part.len());
        let start = std::time::Instant::now();
        let mut out = String::new();
        Rules::new().text(&text, &mut out).unwrap();
        off.text(&text, &mut out).unwrap();
        assert!(start.elapsed() < Duration::from_secs(10), "{part}: {:?}", start.elapsed());
    }
}

/// What texts are made of that have signs, and things that are nearly signs.
#[rustfmt::skip] // It would give each piece a line.
const PIECES: &[&str] = &[
    "4111111111111111", "4111 1111-1111 1111", "411111111111", "1", "0.", " ", "-", "--", "-----",
    "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----END ", "-----BEGIN rsa PRIVATE KEY", "PRIVATE KEY-----",
    "eyJ", "eyJhbGciOiJIUzI1NiJ9", ".", "y", "J", "Bearer ", "bEARER ", "Basic ", "BASIC ", "dTpw",
    "mF_9.B5f-4.1JqM", "bear", "er ", "AKIA", "AKIAIOSFODNN7EXAMPLE", "ACCAIOSFODNN7EXAMPLE", "A",
    "a://", ":b@", "://:p@h", "@", ":", "/", "password", "pin", "\"", ": \"", ":\"x", "Some(", "\\", "\\n",
    "%20", "%", "\n", "\u{e9}", "GET /users/42", "x", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "Z",
];

fn all(scan: Option<&Scan<'_>>) -> Vec<Found> {
    let mut from = 0;
    let next = || {
        let found = scan?.find(from)?;
        from = found.range.end;
        Some(found)
    };
    std::iter::from_fn(next).collect()
}

proptest! {
    /// Where there is no sign there is nothing.
    #[test]
    fn the_signs_hide_nothing(
        before in "[ -~\u{e9}]{0,24}",
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..10),
        after in "[ -~\u{e9}]{0,24}",
        off in prop::sample::select(&ValueRule::ALL[..]),
    ) {
        let text = before + &pieces.concat() + &after;
        let rules = Rules::new().redact_key("k").unwrap();
        let mut censors = [Some(0); ValueRule::ALL.len()];
        let every = Values::new(censors);
        censors[off.index()] = None;
        for values in [&every, &Values::new(censors)] {
            let keys = rules.keys();
            let thorough = Scan { values, keys, text: &text, pivots: Pivots(u64::MAX) };
            let quick = values.scan(keys, &text);
            prop_assert_eq!(all(quick.as_ref()), all(Some(&thorough)), "{}", text);
        }
    }

    /// Whatever stands around it.
    #[test]
    fn a_planted_secret_is_never_in_the_output(
        before in "[ -~\n\u{e9}]{0,40}",
        after in "[ -~\n\u{e9}]{0,40}",
        secret in prop::sample::select(vec![
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            "Bearer mF_9.B5f-4.1JqM",
            "AKIAIOSFODNN7EXAMPLE",
            "-----BEGIN PRIVATE KEY-----\nMIIEvQ==\n-----END PRIVATE KEY-----",
            "4111111111111111",
        ]),
    ) {
        let text = format!("{before}\n|{secret}|\n{after}");
        let out = censored(&text);
        let core = secret.trim_start_matches("Bearer ");
        prop_assert!(!out.contains(core), "{out}");
    }

    /// What is clear comes out as it went in.
    #[test]
    fn a_text_without_digits_and_signs_stays(text in "[a-z ,\u{e9}\u{4e2d}]{0,80}") {
        prop_assume!(!text.contains("bearer") && !text.contains("basic"));
        prop_assert_eq!(censored(&text), text);
    }

    /// Nothing panics, and no boundary is wrong.
    #[test]
    fn any_text_can_be_scanned(text in any::<String>()) {
        let mut out = String::new();
        write!(out, "{}", censored(&text)).unwrap();
        prop_assert_eq!(Rules::new().is_clear(&text), out == text);
    }
}
