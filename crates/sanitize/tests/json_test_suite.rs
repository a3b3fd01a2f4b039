//! The verdicts of `JSONTestSuite`: `y_` must be accepted, `n_` must be rejected.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use buttress_sanitize::{Action, JsonGuard, Policy, Rule};

const DATA: &str = include_str!("data/json_test_suite.txt");

fn documents() -> Vec<(String, Vec<u8>)> {
    let lines = DATA.lines().filter(|line| !line.starts_with('#'));
    let mut all: Vec<(String, Vec<u8>)> = lines
        .map(|line| {
            let (name, text) = line.split_once('\t').unwrap();
            (name.to_owned(), unescape(text))
        })
        .collect();
    let mut made = |name: &str, document: String| all.push((name.to_owned(), document.into()));
    made("i_structure_500_nested_arrays", "[".repeat(500) + &"]".repeat(500));
    made("n_structure_100000_opening_arrays", "[".repeat(100_000));
    made("n_structure_open_array_object", "[{\"\":".repeat(50_000) + "\n");
    all
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.extend_from_slice(before.as_bytes());
        rest = match after.strip_prefix('\\') {
            Some(after) => {
                out.push(b'\\');
                after
            }
            None => {
                let (digits, after) = after.strip_prefix('x').unwrap().split_at(2);
                out.push(u8::from_str_radix(digits, 16).unwrap());
                after
            }
        };
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// Grammar and encoding alone: whatever can be turned off is off, and numbers may be long.
fn grammar() -> Policy {
    [Rule::PrototypeKey, Rule::DuplicateKey, Rule::Nul, Rule::Control, Rule::Bidi, Rule::ZeroWidth]
        .into_iter()
        .try_fold(Policy::strict_json().max_number(1_000), |policy, rule| {
            policy.on(rule, Action::Off)
        })
        .unwrap()
}

#[test]
fn all_documents_are_there() {
    let documents = documents();
    let count =
        |prefix: &str| documents.iter().filter(|(name, _)| name.starts_with(prefix)).count();
    assert_eq!((count("y_"), count("n_"), count("i_")), (95, 188, 35));
}

#[test]
fn every_document_that_must_be_accepted_is() {
    for (name, document) in documents().iter().filter(|(name, _)| name.starts_with("y_")) {
        assert_eq!(grammar().check_json(document), Ok(Vec::new()), "{name}");
    }
}

#[test]
fn the_strict_preset_refuses_of_those_only_what_it_says() {
    let mut refused: Vec<(String, Rule)> = Vec::new();
    for (name, document) in documents() {
        if let Err(violation) = Policy::strict_json().check_json(&document)
            && name.starts_with("y_")
        {
            refused.push((name, violation.rule()));
        }
    }
    assert_eq!(
        refused,
        [
            // 79 characters, where 64 are allowed.
            ("y_number_double_close_to_zero".to_owned(), Rule::NumberLength),
            ("y_object_duplicated_key".to_owned(), Rule::DuplicateKey),
            ("y_object_duplicated_key_and_value".to_owned(), Rule::DuplicateKey),
            ("y_object_escaped_null_in_key".to_owned(), Rule::Nul),
            ("y_string_null_escape".to_owned(), Rule::Nul),
        ]
    );
}

#[test]
fn every_document_that_must_be_rejected_is_by_grammar_alone() {
    for (name, document) in documents().iter().filter(|(name, _)| name.starts_with("n_")) {
        let Err(violation) = grammar().check_json(document) else { panic!("{name} passes") };
        let rules =
            [Rule::Syntax, Rule::Encoding, Rule::LoneSurrogate, Rule::ByteOrderMark, Rule::Depth];
        assert!(rules.contains(&violation.rule()), "{name}: {violation}");
    }
}

#[test]
fn wherever_a_document_is_cut_its_verdict_is_the_same() {
    for (name, document) in documents().iter().filter(|(_, document)| document.len() < 2_000) {
        let whole = grammar().check_json(document).map(drop);
        for cut in 0..=document.len() {
            let (head, tail) = document.split_at(cut);
            let mut guard = JsonGuard::new(&grammar());
            let verdict = guard.push(head).and_then(|()| guard.push(tail));
            assert_eq!(verdict.and_then(|()| guard.finish()), whole, "{name} cut at {cut}");
        }
    }
}

#[test]
fn what_is_free_is_refused_where_two_could_read_it_differently() {
    for (name, document) in documents().iter().filter(|(name, _)| name.starts_with("i_")) {
        let verdict = grammar().check_json(document).err().map(|violation| violation.rule());
        let wanted = match name.as_str() {
            name if name.starts_with("i_number") => None,
            "i_structure_500_nested_arrays" => Some(Rule::Depth),
            "i_structure_UTF-8_BOM_empty_object" => Some(Rule::ByteOrderMark),
            "i_string_UTF-16LE_with_BOM"
            | "i_string_utf16BE_no_BOM"
            | "i_string_utf16LE_no_BOM" => Some(Rule::Syntax),
            _ if document.contains(&b'\\') => Some(Rule::LoneSurrogate),
            _ => Some(Rule::Encoding),
        };
        assert_eq!(verdict, wanted, "{name}");
    }
}
