//! The checks inside the parse of `serde_json`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

use std::{collections::HashMap, fmt::Debug};

use buttress_sanitize::{Action, GuardedJson, Policy, ReadError, Rule};
use proptest::prelude::*;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Value, value::RawValue};
use table::TABLE;

mod table;

#[derive(Debug, Deserialize, PartialEq)]
struct Order {
    id: u64,
    name: String,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    by: HashMap<u16, bool>,
    #[serde(default)]
    size: Option<Size>,
    #[serde(default)]
    pair: Option<(u8, u8)>,
    #[serde(default)]
    inner: Option<Box<Order>>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Size {
    Small,
    Custom { width: u8 },
    Factor(f32),
    Range(u8, u8),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
enum Event {
    A { at: u64 },
    B { names: Vec<String> },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(u8),
    Order(Box<Order>),
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Closed {
    a: u8,
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, ReadError> {
    GuardedJson::from_slice(text.as_bytes(), &Policy::strict_json()).map(|read| read.value)
}

fn data<T: DeserializeOwned + Debug>(text: &str) -> String {
    match read::<T>(text).unwrap_err() {
        ReadError::Data(error) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Whatever is read into, what is refused is what the guard refuses, and as it says.
fn agrees(document: &[u8], policy: &Policy) {
    fn one<T: DeserializeOwned>(document: &[u8], policy: &Policy) {
        let read = GuardedJson::<T>::from_slice(document, policy);
        match (read, policy.check_json(document)) {
            (Err(ReadError::Refused(read)), Err(checked)) => assert_eq!(read, checked),
            (Ok(read), Ok(reports)) => assert_eq!(read.reports, reports),
            (Err(ReadError::Data(_)), Ok(_)) => {}
            (read, checked) => {
                let kind = std::any::type_name::<T>();
                let read = read.map(|_| "read");
                panic!("{}: {read:?} as {kind}, {checked:?}", document.escape_ascii());
            }
        }
    }
    one::<Value>(document, policy);
    one::<IgnoredAny>(document, policy);
    one::<Box<RawValue>>(document, policy);
    one::<Order>(document, policy);
    one::<HashMap<String, Value>>(document, policy);
    one::<HashMap<u64, IgnoredAny>>(document, policy);
    one::<HashMap<String, Box<RawValue>>>(document, policy);
    one::<Vec<Either>>(document, policy);
    one::<Vec<Size>>(document, policy);
    one::<Event>(document, policy);
    one::<Option<String>>(document, policy);
    one::<Size>(document, policy);
}

#[test]
fn it_refuses_what_the_guard_refuses_whatever_is_read() {
    for (document, _) in TABLE {
        agrees(document, &Policy::strict_json());
        agrees(document, &Policy::mongo().max_depth(1).max_keys(1).max_string(1).max_number(1));
        agrees(document, &Policy::strict_json().max_array_items(1).max_object_keys(1).max_key(1));
        agrees(document, &Policy::strict_json().max_body(4).max_number(0));
        for rule in [Rule::Nul, Rule::DuplicateKey, Rule::PrototypeKey, Rule::Control] {
            agrees(document, &Policy::strict_json().on(rule, Action::Off).unwrap());
            agrees(document, &Policy::strict_json().on(rule, Action::Report).unwrap());
        }
    }
}

#[test]
fn a_clean_document_is_what_serde_json_reads() {
    let text = r#"{"id":7,"name":"J\u00fcrgen \"x\"","note":null,"tags":["a","\ud83d\ude00"],"by":{"1":true},
        "size":{"custom":{"width":3}},"pair":[1,2],"inner":{"id":1,"name":"","size":"small"},"x":[{"y":1e5}]}"#;
    let wanted: Order = serde_json::from_str(text).unwrap();
    assert_eq!(read::<Order>(text).unwrap(), wanted);
    for size in [r#""small""#, r#"{"small":null}"#, r#"{"factor":1.5}"#, r#"{"range":[1,2]}"#] {
        assert_eq!(read::<Size>(size).unwrap(), serde_json::from_str(size).unwrap());
    }
    assert!(matches!(read(r#"{"kind":"A","at":3}"#), Ok(Event::A { at: 3 })));
    assert!(
        matches!(read(r#"{"names":["x"],"kind":"B"}"#), Ok(Event::B { names }) if names == ["x"])
    );
    assert!(matches!(read("7"), Ok(Either::Number(7))));
    assert!(matches!(read(r#"{"id":7,"name":"a"}"#), Ok(Either::Order(order)) if order.id == 7));
    assert_eq!(read::<(u8, char, bool, ())>(r#"[1,"x",true,null]"#).unwrap(), (1, 'x', true, ()));
    assert_eq!(read::<i128>("-170141183460469231731687303715884105728").unwrap(), i128::MIN);
    assert_eq!(read::<Box<RawValue>>(r#" [1, 2] "#).unwrap().get(), "[1, 2]");
}

#[test]
fn what_nobody_asks_for_is_judged_too() {
    for (member, rule) in [
        (&b"\"\xff\""[..], Rule::Encoding),
        (b"{\"\xff\":1}", Rule::Encoding),
        (b"\"\\ud800\"", Rule::LoneSurrogate),
        (b"{\"__proto__\":1}", Rule::PrototypeKey),
        (b"[{\"a\":1,\"\\u0061\":1}]", Rule::DuplicateKey),
        (b"\"\\u0000\"", Rule::Nul),
    ] {
        let document = [&b"{\"id\":1,\"name\":\"a\",\"x\":"[..], member, b"}"].concat();
        let refused = GuardedJson::<Order>::from_slice(&document, &Policy::strict_json());
        let Err(ReadError::Refused(violation)) = refused else { panic!("{refused:?}") };
        assert_eq!(violation.rule(), rule);
        assert!(violation.pointer().starts_with("/x"), "{violation}");
    }
}

#[test]
fn a_number_that_is_ignored_may_be_of_any_size() {
    assert_eq!(read::<Order>(r#"{"id":1,"name":"a","x":[1e999,-1e999]}"#).unwrap().id, 1);
}

#[test]
fn data_that_does_not_fit_is_named_and_not_repeated() {
    for (text, told) in [
        (r#"{"id":1}"#, "the member name is missing"),
        (r#"{"id":"s3cret","name":"a"}"#, "/id: expected u64"),
        (r#"{"id":-5,"name":"a"}"#, "/id: expected u64"),
        (r#"{"id":1,"name":["s3cret"]}"#, "/name: expected a string"),
        (r#"{"id":1,"name":"a","tags":["x",null]}"#, "/tags/1: expected a string"),
        (r#"{"id":1,"name":"a","tags":{"s3cret":1}}"#, "/tags: expected a sequence"),
        (r#"{"id":1,"name":"a","by":{"1":"s3cret"}}"#, "/by/1: expected a boolean"),
        (r#"{"id":1,"name":"a","inner":{"id":1}}"#, "/inner: the member name is missing"),
        (r#"{"id":1,"name":"a","inner":"s3cret"}"#, "/inner: expected another kind of value"),
        (
            r#"{"id":1,"name":"a","size":"s3cret"}"#,
            "/size: expected one of small, custom, factor, range",
        ),
        (
            r#"{"id":1,"name":"a","size":{"custom":{"width":300}}}"#,
            "/size/custom/width: expected u8",
        ),
        (
            r#"{"id":1,"name":"a","size":{"custom":{}}}"#,
            "/size/custom: the member width is missing",
        ),
        (r#"{"id":1,"name":"a","size":{"factor":"s3cret"}}"#, "/size/factor: expected f32"),
        (r#"{"id":1,"name":"a","pair":[1]}"#, "/pair: expected a tuple of size 2"),
        (r#"{"id":1,"name":"a","pair":[1,2,3]}"#, "/pair: not a value that is taken here"),
        (r#"["s3cret"]"#, "/0: expected u64"),
        ("1e999", "not a value that is taken here"),
    ] {
        assert_eq!(data::<Order>(text), told, "{text}");
    }
    assert_eq!(read(r#"{"a":1}"#), Ok(Closed { a: 1 }));
    assert_eq!(data::<Closed>(r#"{"a":1,"b":"s3cret"}"#), "/b: the member is not known");
    assert_eq!(data::<Either>(r#""s3cret""#), "not a value that is taken here");
    assert_eq!(data::<Event>(r#"{"kind":"s3cret"}"#), "/kind: expected one of A, B");
}

#[test]
fn reports_come_with_the_value() {
    let read = GuardedJson::<Order>::from_slice(
        "{\"id\":1,\"name\":\"a\u{200d}b\",\"x\":\"\\u202e\"}".as_bytes(),
        &Policy::strict_json(),
    )
    .unwrap();
    let rules: Vec<_> = read.reports.iter().map(|one| (one.rule(), one.pointer())).collect();
    assert_eq!(rules, [(Rule::ZeroWidth, "/name"), (Rule::Bidi, "/x")]);
    assert_eq!(read.value.name, "a\u{200d}b");
}

#[test]
fn what_is_stripped_is_not_read() {
    let policy = Policy::strict_json()
        .on(Rule::PrototypeKey, Action::Strip)
        .and_then(|policy| policy.on(Rule::DuplicateKey, Action::Strip))
        .unwrap();
    let text = br#"{"a":1,"__proto__":{"b":2},"a":3,"c":[{"__proto__":4}]}"#;
    let read = GuardedJson::<Value>::from_slice(text, &policy).unwrap();
    assert_eq!(read.value, serde_json::json!({"a": 1, "c": [{}]}));
}

#[test]
fn a_clean_document_costs_no_more_allocations_than_its_keys_need() {
    let text = br#"{"id":7,"name":"abc","note":"x","tags":["a","b"],"x":{"y":[1,2,3]}}"#;
    let policy = Policy::strict_json();
    let plain = allocation_counter::measure(|| drop(serde_json::from_slice::<Order>(text)));
    let guarded =
        allocation_counter::measure(|| drop(GuardedJson::<Order>::from_slice(text, &policy)));
    // The stack of open arrays and objects, their keys' bytes, and their places: each may grow.
    assert!(guarded.count_total <= plain.count_total + 8, "{guarded:?} {plain:?}");
}

proptest! {
    #[test]
    fn it_agrees_with_the_guard_on_anything(
        text in r#"([\[{]|"[ab\\u00]{0,3}"[:,]?|[\]},:]|-?[01]{1,3}(\.[01])?(e[01])?,?|null|true){0,16}"#,
        depth in 0_u8..4, keys in 0_u32..4, items in 0_u32..4, length in 0_u16..4,
    ) {
        agrees(text.as_bytes(), &Policy::strict_json());
        let limited = Policy::strict_json()
            .max_depth(depth)
            .max_keys(keys)
            .max_array_items(items)
            .max_key(length)
            .max_string(length.into())
            .max_number(length);
        agrees(text.as_bytes(), &limited);
    }

    #[test]
    fn it_agrees_with_the_guard_on_what_is_not_seen(
        text in "([1a❤👩🏴م葛 \u{200c}\u{200d}\u{fe0f}\u{20e3}\u{e0067}\u{e0100}]|\\\\n|\\\\u200d){0,8}",
        action in prop::sample::select(vec![Action::Reject, Action::Report, Action::Off]),
    ) {
        let policy = Policy::strict_json().on(Rule::ZeroWidth, action).unwrap();
        agrees(format!("{{\"{text}\":[\"{text}\"]}}").as_bytes(), &policy);
    }

    #[test]
    fn it_agrees_with_the_guard_on_objects(
        members in prop::collection::vec((prop::sample::select(vec!["a", "\\u0061", "b", "id", "name", "size", "small", "custom", "constructor", "prototype", "__proto__"]), 0_u8..8), 0..6),
    ) {
        let members: Vec<String> = members.iter().map(|(key, value)| {
            let value = match value {
                0 => "1", 1 => r#""a""#, 2 => r#""small""#, 3 => "{}", 4 => r#"{"small":null}"#,
                5 => r#"{"prototype":1}"#, 6 => r#"[{"a":1,"a":2}]"#, _ => "null",
            };
            format!("\"{key}\":{value}")
        }).collect();
        let text = format!("{{{}}}", members.join(","));
        agrees(text.as_bytes(), &Policy::strict_json());
        agrees(format!("[{text}]").as_bytes(), &Policy::mongo().max_depth(2).max_object_keys(2));
    }
}

/// A field that takes anything for its default swallows the error by which the walk would have
/// told.
#[test]
fn a_type_that_forgives_hides_no_violation() {
    fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
    where
        D: serde::Deserializer<'de>,
        T: Deserialize<'de> + Default,
    {
        Ok(T::deserialize(from).unwrap_or_default())
    }
    #[derive(Debug, Default, Deserialize, PartialEq)]
    struct Pair(#[serde(deserialize_with = "or_default")] String);
    #[derive(Debug, Default, PartialEq)]
    struct Two(u8, u8);
    impl<'de> Deserialize<'de> for Two {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            or_default(from).map(|(one, two)| Self(one, two))
        }
    }

    let read = |text: &str| {
        let read = GuardedJson::<HashMap<String, Two>>::from_slice(
            text.as_bytes(),
            &Policy::strict_json(),
        );
        read.map(|read| read.value.len()).map_err(|error| match error {
            ReadError::Refused(violation) => Some(violation.rule()),
            _ => None,
        })
    };
    assert_eq!(read(r#"{"a": [1, 2], "x": [1], "b": [1, 2]}"#), Ok(3));
    assert_eq!(read(r#"{"a": [1, 2], "x": [1], "a": [3, 4]}"#), Err(Some(Rule::DuplicateKey)));

    let text = r#"["\u0000"]"#;
    let read = GuardedJson::<Vec<Pair>>::from_slice(text.as_bytes(), &Policy::strict_json());
    let Err(ReadError::Refused(violation)) = read else { panic!("it has U+0000") };
    assert_eq!((violation.rule(), violation.pointer()), (Rule::Nul, "/0"));
}
