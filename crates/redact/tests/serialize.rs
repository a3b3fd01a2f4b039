//! Values serialised through the rules.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::collections::BTreeMap;

use buttress_redact::{Censor, Redacted, Rules, ValueRule};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

fn redacted(value: &impl Serialize) -> Value {
    serde_json::to_value(Redacted(value)).unwrap()
}

#[test]
fn sensitive_keys_are_found_at_any_depth() {
    let value = json!({
        "user": {"name": "Ada", "password": "hunter2", "sessions": [{"id": 1}]},
        "list": [[{"x": {"apiKey": "k"}}], {"author": "Ada", "token_count": 3}],
    });
    assert_eq!(
        redacted(&value),
        json!({
            "user": {"name": "Ada", "password": "[REDACTED]", "sessions": "[REDACTED]"},
            "list": [[{"x": {"apiKey": "[REDACTED]"}}], {"author": "Ada", "token_count": 3}],
        })
    );
    let mut deep = json!({"secret": "hunter2"});
    for _ in 0..100 {
        deep = json!([{ "a": deep }]);
    }
    let text = redacted(&deep).to_string();
    assert!(text.contains("[REDACTED]") && !text.contains("hunter2"));
}

#[test]
fn any_type_under_a_sensitive_key_is_replaced_and_nothing_stays_nothing() {
    for value in [json!("a"), json!(1), json!(-1), json!(1.5), json!(true), json!([]), json!({})] {
        assert_eq!(redacted(&json!({ "pin": value })), json!({"pin": "[REDACTED]"}), "{value}");
    }
    assert_eq!(redacted(&json!({"pin": null})), json!({"pin": null}));
}

#[test]
fn values_are_censored_by_their_look_wherever_they_are() {
    let value = json!({
        "url": "https://a:b@c",
        "card": 4_111_111_111_111_111_u64,
        "float": 4_111_111_111_111_111.0,
        "list": ["4111 1111 1111 1111", 7, "plain"],
        "4111111111111111": 1,
    });
    assert_eq!(
        redacted(&value),
        json!({
            "url": "https://a:[REDACTED]@c",
            "card": "[REDACTED]",
            "float": "[REDACTED]",
            "list": ["[REDACTED]", 7, "plain"],
            "[REDACTED]": 1,
        })
    );
}

#[derive(Serialize)]
struct Login {
    user: &'static str,
    password: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    otp: Option<u32>,
    kind: Kind,
    tuple: (u8, &'static str),
    unit: (),
    byte_text: Bytes,
}

#[derive(Serialize)]
enum Kind {
    Plain,
    Token(&'static str),
    Secret(&'static str, Option<u8>),
    Session { id: &'static str, deep: [(&'static str, bool); 1] },
    Wrapped(Wrapped),
}

#[derive(Serialize)]
struct Wrapped(&'static str);

struct Bytes;

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(b"AKIAIOSFODNN7EXAMPLE")
    }
}

#[test]
fn structs_and_enums_of_every_kind_are_followed() {
    let login = |kind| Login {
        user: "ada",
        password: Some("hunter2"),
        otp: None,
        kind,
        tuple: (1, "Bearer abc"),
        unit: (),
        byte_text: Bytes,
    };
    let expected = |kind: Value| {
        json!({
            "user": "ada",
            "password": "[REDACTED]",
            "kind": kind,
            "tuple": [1, "Bearer [REDACTED]"],
            "unit": null,
            "byte_text": "[REDACTED]",
        })
    };
    for (kind, printed) in [
        (Kind::Plain, json!("Plain")),
        (Kind::Token("hunter2"), json!({"Token": "[REDACTED]"})),
        (Kind::Secret("hunter2", None), json!({"Secret": ["[REDACTED]", null]})),
        (
            Kind::Session { id: "hunter2", deep: [("hunter2", true)] },
            json!({"Session": {"id": "[REDACTED]", "deep": [["[REDACTED]", "[REDACTED]"]]}}),
        ),
        (Kind::Wrapped(Wrapped("AKIAIOSFODNN7EXAMPLE")), json!({"Wrapped": "[REDACTED]"})),
    ] {
        assert_eq!(redacted(&login(kind)), expected(printed));
    }
}

#[test]
fn keys_that_are_no_strings_are_judged_by_their_text() {
    let cards = BTreeMap::from([(4_111_111_111_111_111_u64, "a"), (7, "b")]);
    assert_eq!(redacted(&cards), json!({"[REDACTED]": "a", "7": "b"}));
    let rules = Rules::none().redact_path("[7]").unwrap();
    let printed = serde_json::to_value(rules.redacted(&cards)).unwrap();
    assert_eq!(printed, json!({"4111111111111111": "a", "7": "[REDACTED]"}));
}

#[test]
fn paths_reach_into_maps_lists_and_structs() {
    let value = json!({
        "a": {"b": {"c": 1}, "x-y": {"d": 2}, "list": [{"b": 3}, {"b": 4, "c": 5}]},
        "k": 6,
        "deep": [{"k": [7]}, [{"k": 8}]],
    });
    let table = [
        ("a.b.c", json!(1)),
        ("a[\"x-y\"].d", json!(2)),
        ("a.list[0].b", json!(3)),
        ("a.list[1]['c']", json!(5)),
    ];
    for (path, hidden) in table {
        let rules = Rules::none().redact_path(path).unwrap();
        let printed = serde_json::to_string(&rules.redacted(&value)).unwrap();
        let expected = value.to_string().replacen(&hidden.to_string(), "\"[REDACTED]\"", 1);
        assert_eq!(printed, expected, "{path}");
    }
    let rules = Rules::none().redact_path("**.k").unwrap().redact_path("a.list[*].b").unwrap();
    assert_eq!(
        serde_json::to_value(rules.redacted(&value)).unwrap(),
        json!({
            "a": {"b": {"c": 1}, "x-y": {"d": 2},
                "list": [{"b": "[REDACTED]"}, {"b": "[REDACTED]", "c": 5}]},
            "k": "[REDACTED]",
            "deep": [{"k": "[REDACTED]"}, [{"k": "[REDACTED]"}]],
        })
    );
}

#[test]
fn each_censor_prints_what_it_says() {
    let value = json!({
        "gone": 1, "tail": "123456789", "hash": "ada", "mine": 42, "text": [1], "list": [1, 2],
    });
    let rules = Rules::none()
        .redact_key_with("gone", Censor::remove())
        .and_then(|rules| rules.redact_key_with("tail", Censor::keep_last(3)))
        .and_then(|rules| rules.redact_key_with("hash", Censor::hash(b"0123456789abcdef")))
        .and_then(|rules| {
            rules.redact_key_with("mine", Censor::with(|text, out| write!(out, "<{}>", text.len())))
        })
        .and_then(|rules| rules.redact_key("text"))
        .and_then(|rules| rules.redact_path_with("list[0]", Censor::remove()))
        .unwrap()
        .censor("***");
    let printed = serde_json::to_value(rules.redacted(&value)).unwrap();
    let hash = printed["hash"].as_str().unwrap().to_owned();
    assert_eq!(
        printed,
        json!({"tail": "[..789]", "hash": hash, "mine": "<2>", "text": "***", "list": ["", 2]})
    );
    assert!(hash.starts_with("[h:") && hash.len() == 12, "{hash}");
    // The same value has the same hash, and with another key it has another.
    let print = |key: &[u8; 16], text: &str| {
        let mut out = String::new();
        Censor::hash(key).write(&text, &mut out).unwrap();
        out
    };
    assert_eq!(print(b"0123456789abcdef", "ada"), hash);
    assert_ne!(print(b"0123456789abcdeF", "ada"), hash);
    assert_ne!(print(b"0123456789abcdef", "adb"), hash);
}

#[test]
fn raw_json_is_not_believed() {
    // What `RawValue` looks like to a serializer.
    struct Raw;
    impl Serialize for Raw {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeStruct;
            const NAME: &str = "$serde_json::private::RawValue";
            let mut raw = serializer.serialize_struct(NAME, 1)?;
            raw.serialize_field(NAME, "{\"password\":\"hunter2\"}")?;
            raw.end()
        }
    }
    let mut out = Vec::new();
    serde_json::to_writer(&mut out, &Redacted([Raw])).unwrap();
    assert_eq!(out, b"[\"[REDACTED]\"]");
}

/// What a number of `serde_json` looks like to a serializer, with its feature `arbitrary_precision`.
struct Digits(&'static str);

impl Serialize for Digits {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        const NAME: &str = "$serde_json::private::Number";
        let mut number = serializer.serialize_struct(NAME, 1)?;
        number.serialize_field(NAME, self.0)?;
        number.end()
    }
}

#[test]
fn a_number_that_comes_as_digits_is_looked_at() {
    const NAME: &str = "$serde_json::private::Number";
    let print = |digits| redacted(&[Digits(digits)]);
    for card in ["4111111111111111", "4111111111111111.0", "4.111111111111111e15"] {
        assert_eq!(print(card), json!(["[REDACTED]"]), "{card}");
    }
    for clear in
        ["4111111111111112", "-1", "1e400", "0.5", "340282366920938463463374607431768211456"]
    {
        // Without the feature the format takes it for a struct.
        assert_eq!(print(clear), json!([{ NAME: clear }]), "{clear}");
    }
    let rules = Rules::new().redact_value_with(ValueRule::CardNumber, Censor::keep_last(4));
    let card = serde_json::to_value(rules.redacted(&Digits("4111111111111111"))).unwrap();
    assert_eq!(card, json!("[..1111]"));
    assert_eq!(redacted(&BTreeMap::from([("pin", Digits("12"))])), json!({"pin": "[REDACTED]"}));
}

#[test]
fn a_secret_among_bytes_that_are_no_text_is_censored() {
    struct Binary;
    impl Serialize for Binary {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(b"\xff AKIAIOSFODNN7EXAMPLE")
        }
    }
    assert_eq!(redacted(&Binary), json!("\u{fffd} [REDACTED]"));
}

#[test]
fn a_clear_value_is_serialised_as_it_is() {
    let value = json!({"a": [1, -2, 3.5, "x", null, true, {"b": {}}], "c": u64::MAX});
    assert_eq!(serde_json::to_string(&Redacted(&value)).unwrap(), value.to_string());
    let secret = json!({"password": "hunter2", "n": 4_111_111_111_111_111_u64});
    let rules = Rules::none().redact_value(ValueRule::Jwt);
    assert_eq!(serde_json::to_value(rules.redacted(&secret)).unwrap(), secret);
    assert_eq!(format!("{:?}", Redacted(&secret)), "Redacted { .. }");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-h]{1,3}", inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn a_clear_document_stays_as_it_is(value in any_json()) {
        prop_assert_eq!(redacted(&value), value);
    }

    #[test]
    fn a_secret_planted_anywhere_is_never_in_the_output(
        value in any_json(),
        path in prop::collection::vec("[a-h]{1,3}", 0..6),
        key in prop::sample::select(vec!["password", "X-Api-Key", "userToken", "SSN", "my_cookie"]),
        wrap in any::<bool>(),
    ) {
        let secret = "HUNTER-2";
        let secret = if wrap { json!([{"x": secret}]) } else { json!(secret) };
        let mut planted = json!({key: secret, "beside": value});
        for key in path {
            planted = json!([{key: planted}, value]);
        }
        let text = serde_json::to_string(&Redacted(&planted)).unwrap();
        prop_assert!(!text.contains("HUNTER"), "{}", text);
    }
}
