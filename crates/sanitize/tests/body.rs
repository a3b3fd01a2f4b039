//! Bodies that are cut anywhere.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::convert::Infallible;

use buttress_sanitize::{Action, GuardedBody, Kind, Policy, Rule, Violation};
use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use proptest::prelude::*;

/// The bytes that pass, and the verdict.
fn read(
    text: &[u8],
    cuts: &[usize],
    kind: Kind,
    policy: &Policy,
) -> (Vec<u8>, Result<(), Violation>) {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(text.len());
    let mut start = 0;
    let chunks: Vec<_> = cuts
        .into_iter()
        .map(|end| {
            let chunk = Bytes::copy_from_slice(text.get(start..end).unwrap());
            start = end;
            Ok::<_, Infallible>(Frame::data(chunk))
        })
        .collect();
    let mut body = GuardedBody::new(StreamBody::new(stream::iter(chunks)), kind, policy);
    let mut passed = Vec::new();
    let verdict = loop {
        match body.frame().now_or_never().unwrap() {
            None => break Ok(()),
            Some(Ok(frame)) => passed.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(error)) => break Err(error.violation().unwrap().clone()),
        }
    };
    (passed, verdict)
}

fn document() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1".to_owned()),
        Just("-0.5e+3".to_owned()),
        Just(r#""\u005f a<b&c ü""#.to_owned()),
        Just("null".to_owned()),
        Just("tru".to_owned()),
    ];
    let key = prop_oneof![
        8 => Just("a"), 8 => Just("b"), 8 => Just("c"),
        1 => Just("__proto__"), 1 => Just("\\u005f_proto__"), 1 => Just("\\u0061"),
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((key.clone(), inner), 0..4).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(k, v)| format!("\"{k}\": {v}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_passes_and_the_verdict_do_not_depend_on_the_cuts(
        text in document(), cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        let policy = Policy::strict_json();
        let (passed, verdict) = read(text.as_bytes(), &cuts, Kind::Json, &policy);
        prop_assert_eq!(&verdict, &policy.check_json(text.as_bytes()).map(drop));
        prop_assert!(text.as_bytes().starts_with(&passed));
        prop_assert_eq!(passed.len() == text.len() && verdict.is_ok(), verdict.is_ok());
    }

    #[test]
    fn what_is_stripped_does_not_depend_on_the_cuts(
        text in document(), cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        let policy = Policy::strict_json()
            .on(Rule::PrototypeKey, Action::Strip).unwrap()
            .on(Rule::DuplicateKey, Action::Strip).unwrap();
        let (whole, one) = read(text.as_bytes(), &[], Kind::Json, &policy);
        let (cut, other) = read(text.as_bytes(), &cuts, Kind::Json, &policy);
        prop_assert_eq!(&one, &other);
        if one.is_ok() {
            prop_assert_eq!(&whole, &cut);
            prop_assert!(Policy::strict_json().check_json(&whole).is_ok());
        }
    }

    #[test]
    fn forms_do_not_depend_on_the_cuts(
        text in "[ab&=+%0-9A-F\\[\\]]{0,24}", cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        let policy = Policy::forms();
        let (_, verdict) = read(text.as_bytes(), &cuts, Kind::Form, &policy);
        prop_assert_eq!(verdict, policy.check_form(text.as_bytes()).map(drop));
    }
}
