//! RFC 8259 to the letter.

use std::collections::BTreeSet;

use buttress_sanitize::{JsonGuard, Policy, Rule, Violation};
use bytes::Bytes;
use table::TABLE;

mod table;

fn rule(document: &[u8]) -> Option<Rule> {
    Policy::strict_json().check_json(document).err().map(|violation| violation.rule())
}

#[test]
fn every_document_has_its_verdict_and_its_rule() {
    let wrong: Vec<_> = TABLE
        .iter()
        .filter(|(document, wanted)| rule(document) != *wanted)
        .map(|(document, wanted)| (document.escape_ascii().to_string(), *wanted, rule(document)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_has_its_size_and_no_document_twice() {
    let documents: BTreeSet<&[u8]> = TABLE.iter().map(|(document, _)| *document).collect();
    let twice: Vec<_> = TABLE
        .iter()
        .filter(|(one, _)| TABLE.iter().filter(|(other, _)| one == other).count() > 1)
        .map(|(document, _)| document.escape_ascii().to_string())
        .collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert!(documents.len() >= 250, "{}", documents.len());
}

#[test]
fn what_passes_is_json_for_serde_json_too() {
    for (document, verdict) in TABLE {
        let parsed = serde_json::from_slice::<serde_json::Value>(document);
        match parsed {
            Ok(_) => assert_ne!(*verdict, Some(Rule::Syntax), "{}", document.escape_ascii()),
            // A number that no f64 holds is JSON all the same (§6).
            Err(error) if error.to_string().starts_with("number out of range") => {}
            Err(error) => assert!(verdict.is_some(), "{}: {error}", document.escape_ascii()),
        }
    }
}

/// The verdict, and the bytes that have passed by then.
fn judge<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Result<(), Violation>, Vec<u8>) {
    let mut guard = JsonGuard::new(&Policy::strict_json());
    let mut passed = Vec::new();
    let verdict = chunks
        .into_iter()
        .try_for_each(|chunk| guard.strip(&Bytes::copy_from_slice(chunk), &mut passed))
        .and_then(|()| guard.finish());
    (verdict, passed.concat())
}

#[test]
fn wherever_a_document_is_cut_its_verdict_is_the_same_and_it_passes_as_it_is() {
    for (document, _) in TABLE {
        let whole = Policy::strict_json().check_json(document).map(drop);
        let each = judge(document.chunks(1));
        assert_eq!(each.0, whole, "{} byte by byte", document.escape_ascii());
        for cut in 0..=document.len() {
            let (head, tail) = document.split_at(cut);
            let (verdict, passed) = judge([head, tail]);
            assert_eq!(verdict, whole, "{} cut at {cut}", document.escape_ascii());
            assert!(document.starts_with(&passed) && (verdict.is_err() || passed == *document));
        }
    }
}
