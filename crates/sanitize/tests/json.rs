//! The JSON guard: cuts, limits, strip, reports.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use buttress_sanitize::{Action, JsonGuard, Place, Policy, Rule, Violation};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

type Judged = (Result<(), Violation>, Vec<Violation>, Vec<u8>);

/// The verdict, the reports and, of what is accepted, the bytes that pass, for these chunks.
fn judge<'a>(policy: &Policy, chunks: impl IntoIterator<Item = &'a [u8]>) -> Judged {
    let mut guard = JsonGuard::new(policy);
    let mut out = Vec::new();
    let verdict = chunks
        .into_iter()
        .try_for_each(|chunk| guard.strip(&Bytes::copy_from_slice(chunk), &mut out))
        .and_then(|()| guard.finish());
    let passed = if verdict.is_ok() { out.concat() } else { Vec::new() };
    (verdict, guard.reports().to_vec(), passed)
}

fn strip(policy: &Policy, text: &str) -> String {
    let (verdict, _, passed) = judge(policy, [text.as_bytes()]);
    verdict.unwrap();
    String::from_utf8(passed).unwrap()
}

fn stripping() -> Policy {
    [Rule::PrototypeKey, Rule::DuplicateKey, Rule::OperatorKey]
        .into_iter()
        .try_fold(Policy::mongo(), |policy, rule| policy.on(rule, Action::Strip))
        .unwrap()
}

fn refused(policy: &Policy, text: &str) -> (Rule, String) {
    let violation = policy.check_json(text.as_bytes()).unwrap_err();
    (violation.rule(), violation.pointer().to_owned())
}

const DOCUMENTS: &[&str] = &[
    "[\"Это предложение 漢字 😀\u{202e}é\u{200b}\\n\\\"ü\"]",
    r#"{"id":1,"name":"J\u00fcrgen \ud83d\ude00","tags":["a","b",[]],"n":-1.5e+10,"ok":true,"no":null,"f":false}"#,
    r#" { "a" : { "__proto__" : { "x" : [ 1 , { "__proto__" : 2 } ] } , "b" : 1 } , "$where" : "1" , "c.d" : 2 , "e" : 3 } "#,
    r#"{"__proto__":1}"#,
    r#"[{"a":1 , "\u0061" : "\u202e" , "b":2},"größe 😀 \u200b",12345678901234567890.123e-7]"#,
    "[\"\u{202e}\u{200b}\u{2028}\u{7f}\",\"\\u0007\",{\"k\u{200b}\":1}]",
    r#"{"a":"\ud83d"}"#,
    r#"{"a":"\ud83d\u0041"}"#,
    r#"["a\u00zz"]"#,
    r#"{"a":tru}"#,
    r#"[1,2,,3]"#,
    r#"{"a":1,"a":2,"a":3,"b":{"a":1,"a":2}}"#,
    r#"{"constructor":{"prototype":1,"x":2},"y":1}"#,
    "\u{feff}{}",
    "[1.]",
    "[-]",
    "1e",
    "12",
    "\"a\nb\"",
    "[\"❤\u{fe0f} 👩\u{200d}👦1\u{fe0f}\u{20e3}\",\"👩\u{200d}a\",\"1\u{fe0f}\\n\",\"👩\u{200d}\",{\"م\u{200c}خ👩\u{200d}\":1}]",
];

#[test]
fn wherever_a_document_is_cut_the_verdict_the_reports_and_the_bytes_are_the_same() {
    for policy in
        [stripping(), Policy::strict_json(), Policy::strict_json().max_key(3).max_string(9)]
    {
        for document in DOCUMENTS {
            let bytes = document.as_bytes();
            let whole = judge(&policy, [bytes]);
            let each = judge(&policy, bytes.chunks(1));
            assert_eq!(each, whole, "{document} byte by byte");
            for first in 0..=bytes.len() {
                let (head, tail) = bytes.split_at(first);
                assert_eq!(judge(&policy, [head, tail]), whole, "{document} cut at {first}");
                for second in 0..=tail.len() {
                    let (middle, tail) = tail.split_at(second);
                    let judged = judge(&policy, [head, middle, tail]);
                    assert_eq!(judged, whole, "{document} cut at {first} and {}", first + second);
                }
            }
        }
    }
}

#[test]
fn bytes_that_are_no_utf8_are_refused_at_the_same_place_wherever_they_are_cut() {
    for document in
        [&b"[\"a\xe2\x82\",1]"[..], b"{\"\xf0\x9f\x98\":1}", b"\"\xed\xa0\x80\"", b"[\xff]"]
    {
        let whole = judge(&Policy::strict_json(), [document]);
        assert!(whole.0.is_err());
        for cut in 0..=document.len() {
            let (head, tail) = document.split_at(cut);
            assert_eq!(judge(&Policy::strict_json(), [head, tail]), whole);
        }
    }
}

#[test]
fn a_small_document_costs_three_allocations_and_a_scalar_none() {
    let policy = Policy::strict_json();
    let count = |text: &[u8]| {
        allocation_counter::measure(|| policy.check_json(text).map(drop).unwrap()).count_total
    };
    assert_eq!(count(br#"{"id":1,"user":{"name":"J\u00fcrgen","tags":["a","b"]},"ok":true}"#), 3);
    assert_eq!(count(br#"["a\n", 1, true]"#), 1);
    assert_eq!(count("\"größe\"".as_bytes()), 0);
}

#[test]
fn a_clean_chunk_passes_as_the_same_memory() {
    for policy in [stripping(), Policy::strict_json()] {
        let chunk = Bytes::from_static(br#"{"a":[1,2,{"b":"c"}],"d":{"e":"f"}}"#);
        let mut guard = JsonGuard::new(&policy);
        let mut out = Vec::new();
        guard.strip(&chunk, &mut out).unwrap();
        guard.finish().unwrap();
        let [passed] = out.as_slice() else { panic!("{out:?}") };
        assert_eq!(passed.as_ptr(), chunk.as_ptr());
        assert_eq!(passed.len(), chunk.len());
    }
}

#[test]
fn the_first_the_middle_the_last_and_the_only_member_are_stripped() {
    let policy = stripping();
    for (text, left) in [
        (r#"{"__proto__":1}"#, r#"{}"#),
        (r#"{"__proto__":1,"a":2}"#, r#"{"a":2}"#),
        (r#"{"a":1,"__proto__":2,"b":3}"#, r#"{"a":1,"b":3}"#),
        (r#"{"a":1,"__proto__":2}"#, r#"{"a":1}"#),
        (r#"{"__proto__":1,"$a":2,"b.c":3}"#, r#"{}"#),
        (r#"{"__proto__":1,"$a":2,"b":3}"#, r#"{"b":3}"#),
        (r#"{"a":1,"__proto__":1,"$a":2}"#, r#"{"a":1}"#),
        (r#"{"a":1,"\u005f_proto__":1,"$a":2,"b":4,"$c":5}"#, r#"{"a":1,"b":4}"#),
        (r#"{"__proto__":{"a":[1,2,{"b":"}"}]},"c":"d"}"#, r#"{"c":"d"}"#),
        (r#"{"a":{"__proto__":1},"b":[{"__proto__":1}]}"#, r#"{"a":{},"b":[{}]}"#),
        (r#"{"a":1,"a":2,"b":3,"a":4}"#, r#"{"a":1,"b":3}"#),
        (r#"{"constructor":{"prototype":1}}"#, r#"{"constructor":{}}"#),
        (r#"{"__proto__":-1.5e3}"#, r#"{}"#),
        (r#"{"__proto__":true,"a":null}"#, r#"{"a":null}"#),
        (r#"[{"$a":[]},1]"#, r#"[{},1]"#),
        ("{ \"__proto__\" : 1 , \"a\" : 2 }", "{   \"a\" : 2 }"),
        ("{ \"a\" : 1 , \"__proto__\" : 2 }", "{ \"a\" : 1  }"),
    ] {
        assert_eq!(strip(&policy, text), left, "{text}");
    }
}

#[test]
fn what_is_stripped_is_still_judged() {
    let policy = stripping();
    for (text, rule) in [
        (r#"{"__proto__":[1,]}"#, Rule::Syntax),
        (r#"{"__proto__":"\ud83d"}"#, Rule::LoneSurrogate),
        (r#"{"__proto__":"\u0000"}"#, Rule::Nul),
        (r#"{"__proto__":1"#, Rule::Syntax),
        (r#"{"a":1,"__proto__":2,}"#, Rule::Syntax),
    ] {
        assert_eq!(judge(&policy, [text.as_bytes()]).0.unwrap_err().rule(), rule, "{text}");
    }
}

#[test]
fn where_nothing_is_passed_on_what_would_be_stripped_is_refused() {
    assert_eq!(refused(&stripping(), r#"{"a":{"$b":1}}"#), (Rule::OperatorKey, "/a/$b".into()));
}

#[test]
fn every_limit_is_exact_in_every_notation() {
    let policy = Policy::strict_json();
    let list = |count: usize, item: &str| format!("[{}]", vec![item; count].join(","));
    let keys = |from: usize, to: usize| {
        let all: Vec<String> = (from..to).map(|key| format!("\"{key}\":0")).collect();
        format!("{{{}}}", all.join(","))
    };
    let cases: &[(Rule, Policy, String, String, &str)] = &[
        (Rule::Depth, policy.clone().max_depth(2), "[[1]]".into(), "[[[1]]]".into(), "/0/0"),
        (
            Rule::Depth,
            policy.clone().max_depth(2),
            r#"{"a":{}}"#.into(),
            r#"{"a":{"b":{}}}"#.into(),
            "/a/b",
        ),
        (Rule::Depth, policy.clone().max_depth(0), "1".into(), "[]".into(), ""),
        (
            Rule::Depth,
            policy.clone(),
            "[".repeat(32) + &"]".repeat(32),
            "[".repeat(33),
            &"/0".repeat(32),
        ),
        (
            Rule::ArrayItems,
            policy.clone().max_array_items(3),
            "[1,2,3]".into(),
            "[1,2,3,4]".into(),
            "/3",
        ),
        (
            Rule::ArrayItems,
            policy.clone().max_array_items(1),
            "[[[1]]]".into(),
            "[[1,1]]".into(),
            "/0/1",
        ),
        (Rule::ArrayItems, policy.clone(), list(10_000, "0"), list(10_001, "0"), "/10000"),
        (Rule::ArrayItems, policy.clone().max_array_items(0), "[ ]".into(), "[{}]".into(), "/0"),
        (Rule::ObjectKeys, policy.clone(), keys(0, 1_000), keys(0, 1_001), "/1000"),
        (
            Rule::ObjectKeys,
            policy.clone().max_object_keys(1),
            r#"[{"a":1},{"b":1}]"#.into(),
            r#"{"a":{},"\u0062":{}}"#.into(),
            "/b",
        ),
        (
            Rule::Keys,
            policy.clone(),
            list(10, &keys(0, 1_000)),
            format!("[{},{}]", list(10, &keys(0, 1_000)), keys(0, 1)),
            "/1/0",
        ),
        (
            Rule::Keys,
            policy.clone().max_keys(2),
            r#"{"a":{"b":1}}"#.into(),
            r#"{"a":{"b":1},"c":1}"#.into(),
            "/c",
        ),
        (
            Rule::KeyLength,
            policy.clone(),
            format!("{{\"{}\":1}}", "a".repeat(256)),
            format!("{{\"{}\":1}}", "a".repeat(257)),
            &format!("/{}…", "a".repeat(64)),
        ),
        (
            Rule::KeyLength,
            policy.clone().max_key(2),
            r#"{"\u0061\u0061":1}"#.into(),
            r#"{"\u0061\u0061\u0061":1}"#.into(),
            "/aa",
        ),
        (
            Rule::KeyLength,
            policy.clone().max_key(2),
            r#"{"é":1}"#.into(),
            r#"{"éa":1}"#.into(),
            "/é",
        ),
        (
            Rule::KeyLength,
            policy.clone().max_key(4),
            r#"{"\ud83d\ude00":1}"#.into(),
            r#"{"a\ud83d\ude00":1}"#.into(),
            "/a\u{fffd}",
        ),
        (Rule::KeyLength, policy.clone().max_key(0), r#"{"":1}"#.into(), r#"{"a":1}"#.into(), "/"),
        (
            Rule::StringLength,
            policy.clone(),
            format!("\"{}\"", "a".repeat(262_144)),
            format!("[\"{}\"]", "a".repeat(262_145)),
            "/0",
        ),
        (
            Rule::StringLength,
            policy.clone().max_string(3),
            r#""\u0061\n\"""#.into(),
            r#"{"k":"\u0061\n\"a"}"#.into(),
            "/k",
        ),
        (
            Rule::StringLength,
            policy.clone().max_string(4),
            r#""\ud83d\ude00""#.into(),
            r#""\ud83d\ude00a""#.into(),
            "",
        ),
        (Rule::StringLength, policy.clone().max_string(3), r#""€""#.into(), r#""€€""#.into(), ""),
        (
            Rule::StringLength,
            policy.clone().max_string(0),
            r#""""#.into(),
            r#"[""," "]"#.into(),
            "/1",
        ),
        (Rule::NumberLength, policy.clone(), "1".repeat(64), "1".repeat(65), ""),
        (
            Rule::NumberLength,
            policy.clone().max_number(6),
            "[-1.5e1]".into(),
            "[-1.5e12]".into(),
            "/0",
        ),
        (Rule::NumberLength, policy.clone().max_number(1), "[1,2]".into(), "[1,-2]".into(), "/1"),
        (Rule::NumberLength, policy.clone().max_number(0), "[]".into(), "[1]".into(), "/0"),
        (Rule::BodySize, policy.clone().max_body(5), "[1,2]".into(), "[1,2] ".into(), ""),
        (Rule::BodySize, policy.clone().max_body(5), "    1".into(), r#""\u0061""#.into(), ""),
        (Rule::BodySize, policy, " ".repeat((1 << 20) - 1) + "1", " ".repeat(1 << 20) + "1", ""),
    ];
    for (rule, policy, fits, over, pointer) in cases {
        assert_eq!(policy.check_json(fits.as_bytes()), Ok(Vec::new()), "{rule} {fits:.40}");
        assert_eq!(refused(policy, over), (*rule, (*pointer).to_owned()), "{over:.40}");
        let each = judge(policy, over.as_bytes().chunks(7));
        assert_eq!(each.0, policy.check_json(over.as_bytes()).map(drop));
    }
}

#[test]
fn what_is_wrong_before_the_limit_of_the_body_comes_before_it() {
    let policy = Policy::strict_json().max_body(4);
    assert_eq!(refused(&policy, "[1,,2,3,4]").0, Rule::Syntax);
    assert_eq!(refused(&policy, "[1,2,,]").0, Rule::BodySize);
    let violation = policy.check_json(b"[1,2,3]").unwrap_err();
    assert_eq!((violation.offset(), violation.status().as_u16()), (Some(4), 413));
}

#[test]
fn a_refusal_stays() {
    let mut guard = JsonGuard::new(&Policy::strict_json());
    let first = guard.push(b"[,").unwrap_err();
    assert_eq!(guard.push(b"1]").unwrap_err(), first);
    assert_eq!(guard.finish().unwrap_err(), first);
    let mut out = Vec::new();
    assert_eq!(guard.strip(&Bytes::from_static(b"1"), &mut out).unwrap_err(), first);
    assert!(out.is_empty());
}

#[test]
fn operators_are_refused_by_the_mongo_preset_only() {
    for text in [
        r#"{"$where":1}"#,
        r#"{"a":{"$ne":null}}"#,
        r#"{"a.b":1}"#,
        r#"{"\u0024gt":1}"#,
        r#"{".":1}"#,
        r#"{"a\u002eb":1}"#,
    ] {
        assert_eq!(refused(&Policy::mongo(), text).0, Rule::OperatorKey, "{text}");
        assert!(Policy::strict_json().check_json(text.as_bytes()).is_ok());
    }
    assert!(Policy::mongo().check_json(br#"{"a$":"$ne","price":"1.5"}"#).is_ok());
}

#[test]
fn what_is_only_reported_passes_and_is_kept_once_for_each_rule() {
    let text = r#"{"a":"\u202e","b":["\u200b","\u202e"],"c":"\u0007","k\u200d":"ok\t\r\n"}"#;
    let reports = Policy::strict_json().check_json(text.as_bytes()).unwrap();
    let reports: Vec<_> =
        reports.iter().map(|one| (one.rule(), one.pointer(), one.place())).collect();
    assert_eq!(
        reports,
        [
            (Rule::Bidi, "/a", Place::Body),
            (Rule::ZeroWidth, "/b/0", Place::Body),
            (Rule::Control, "/c", Place::Body)
        ]
    );
}

#[test]
fn a_value_is_in_no_violation() {
    for text in
        [r#"{"a":"s3cret\u0000"}"#, r#"{"a":"s3cret"#, r#"{"a":["s3cret",]}"#, r#"{"a":s3cret}"#]
    {
        let violation = Policy::strict_json().check_json(text.as_bytes()).unwrap_err();
        assert!(!format!("{violation} {violation:?}").contains("s3cret"), "{violation:?}");
    }
}

#[test]
fn an_escaped_key_hides_nothing_in_an_object_of_many() {
    let keys: Vec<String> = (0..900).map(|key| format!("\"key{key}\":0")).collect();
    let twice = format!("{{{},\"k\\u0065y7\":1}}", keys.join(","));
    assert_eq!(refused(&Policy::strict_json(), &twice), (Rule::DuplicateKey, "/key7".into()));
    let once = format!("{{{},\"k\\u0065y900\":1}}", keys.join(","));
    assert!(Policy::strict_json().check_json(once.as_bytes()).is_ok());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec(("[a-c_$.é]{0,3}", inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A key in a notation: each of its characters as it is, or escaped, in small or capital letters.
fn spelled(key: &str, choices: u64) -> String {
    let spell = |(at, character): (usize, char)| match choices >> (2 * at) & 3 {
        0 | 1 => character.to_string(),
        2 => format!("\\u{:04x}", u32::from(character)),
        _ => format!("\\u{:04X}", u32::from(character)),
    };
    key.chars().enumerate().map(spell).collect()
}

proptest! {
    /// Among any members, at any depth, in any notation, cut anywhere.
    #[test]
    fn no_planted_key_gets_through(
        members in prop::collection::vec(("[a-z]{1,3}", any_json()), 0..6),
        key in prop::sample::select(vec!["__proto__", "$where", "a.b", "constructor", "twice"]),
        choices in any::<[u64; 2]>(), place in any::<usize>(), depth in 0_u8..20, cut in any::<usize>(),
    ) {
        let first = spelled(key, choices[0]);
        let second = spelled(if key == "constructor" { "prototype" } else { key }, choices[1]);
        let mut names = std::collections::BTreeSet::new();
        let mut members: Vec<String> = members.iter().filter(|(name, _)| names.insert(name))
            .map(|(name, value)| format!("\"{name}\":{value}")).collect();
        members.insert(place % (members.len() + 1), match key {
            "constructor" => format!("\"{first}\":{{\"x\":0,\"{second}\":0}}"),
            "twice" => format!("\"{first}\":0,\"x y\":{{}},\"{second}\":1"),
            _ => format!("\"{first}\":0"),
        });
        let mut text = format!("{{{}}}", members.join(","));
        for level in 0..depth {
            text = if level % 2 == 0 { format!("[0,{text}]") } else { format!("{{\"o\":{text}}}") };
        }
        let rule = match key {
            "twice" => Rule::DuplicateKey,
            "$where" | "a.b" => Rule::OperatorKey,
            _ => Rule::PrototypeKey,
        };
        // What any_json has of its own is in no object's way: these are all that is looked for.
        let policy = [Rule::PrototypeKey, Rule::DuplicateKey, Rule::OperatorKey].into_iter()
            .filter(|other| *other != rule)
            .try_fold(Policy::mongo(), |policy, other| policy.on(other, Action::Off)).unwrap();
        let (head, tail) = text.as_bytes().split_at(cut % (text.len() + 1));
        let (verdict, _, _) = judge(&policy, [head, tail]);
        prop_assert_eq!(verdict.map_err(|violation| violation.rule()), Err(rule), "{}", text);
        #[cfg(feature = "serde")]
        {
            use buttress_sanitize::{GuardedJson, ReadError};
            let read = GuardedJson::<Value>::from_slice(text.as_bytes(), &policy);
            prop_assert!(matches!(read, Err(ReadError::Refused(_))), "{}", text);
        }
    }

    #[test]
    fn what_serde_json_writes_passes_unchanged(value in any_json(), cut in 0_usize..64) {
        let text = serde_json::to_vec(&value).unwrap();
        let (head, tail) = text.split_at(cut.min(text.len()));
        let (verdict, _, passed) = judge(&Policy::strict_json(), [head, tail]);
        prop_assert_eq!(verdict, Ok(()));
        prop_assert_eq!(passed, text);
    }

    #[test]
    fn what_passes_is_read_by_serde_json(text in r#"[\[\]{}",:0-9a-c\\u. eE+-]{0,24}|[\[{]{1,3}[a"1:,\]}]{0,12}"#) {
        if Policy::strict_json().check_json(text.as_bytes()).is_ok() {
            let read = serde_json::from_str::<Value>(&text);
            let out_of_range = matches!(&read, Err(error) if error.to_string().starts_with("number out of range"));
            prop_assert!(read.is_ok() || out_of_range, "{:?}", read);
        } else if let Ok(value) = serde_json::from_str::<Value>(&text) {
            // It is stricter in one thing here: a key that is there twice.
            let rule = Policy::strict_json().check_json(text.as_bytes()).unwrap_err().rule();
            prop_assert!(matches!(rule, Rule::DuplicateKey | Rule::Nul), "{} {}", rule, value);
        }
    }

    #[test]
    fn what_is_left_after_a_strip_is_the_document_without_those_members(value in any_json()) {
        fn without(value: Value) -> Value {
            match value {
                Value::Object(members) => members
                    .into_iter()
                    .filter(|(key, _)| !key.starts_with('$') && !key.contains('.'))
                    .map(|(key, value)| (key, without(value)))
                    .collect::<serde_json::Map<_, _>>()
                    .into(),
                Value::Array(items) => items.into_iter().map(without).collect::<Vec<_>>().into(),
                other => other,
            }
        }
        for text in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
            let left: Value = serde_json::from_str(&strip(&stripping(), &text)).unwrap();
            prop_assert_eq!(left, without(serde_json::from_str(&text).unwrap()));
        }
    }
}
