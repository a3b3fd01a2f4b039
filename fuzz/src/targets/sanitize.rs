use std::collections::HashSet;

use buttress_sanitize::{
    Action, ContentType, FormGuard, GuardedJson, JsonGuard, Policy, ReadError, Rule,
};
use bytes::Bytes;
use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// A JSON text, cut in three; the first byte says where. What passes is JSON for `serde_json` too,
/// and has no key twice, no prototype and no operator; what is stripped of them is the rest.
pub fn sanitize_json(data: &[u8]) {
    let Some((cut, text)) = data.split_first() else { return };
    let judging = Policy::mongo();
    let whole = judge(&judging, &[text]);
    assert_eq!(judge(&judging, &cuts(*cut, text)), whole, "a cut changes the verdict");
    let each: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(judge(&judging, &each), whole, "cuts change the verdict");

    let read = GuardedJson::<Value>::from_slice(text, &judging);
    match &whole {
        Ok(passed) => {
            assert_eq!(passed, text, "a clean text is changed");
            assert!(!matches!(read, Err(ReadError::Refused(_))), "the parse alone refuses");
            match serde_json::from_slice::<Clean>(text) {
                Ok(Clean(problem)) => assert_eq!(problem, None, "it gets through"),
                // A number that no f64 holds is JSON all the same.
                Err(error) => assert!(error.to_string().starts_with("number out of"), "{error}"),
            }
        }
        Err(_) => assert!(read.is_err(), "the guard refuses and the parse does not"),
    }

    let stripping = [Rule::PrototypeKey, Rule::DuplicateKey, Rule::OperatorKey]
        .into_iter()
        .try_fold(judging, |policy, rule| policy.on(rule, Action::Strip))
        .expect("they can be stripped");
    let left = judge(&stripping, &[text]);
    assert_eq!(judge(&stripping, &cuts(*cut, text)), left, "a cut changes what is left");
    assert_eq!(judge(&stripping, &each), left, "cuts change what is left");
    if let Ok(left) = left {
        assert_eq!(judge(&Policy::mongo(), &[&left]).as_deref(), Ok(&*left), "it is not clean");
        assert!(whole.is_err() || left == text, "a clean text is stripped");
    }
}

fn cuts(cut: u8, text: &[u8]) -> [&[u8]; 3] {
    let (head, tail) = text.split_at(usize::from(cut).min(text.len()));
    let (middle, tail) = tail.split_at(tail.len() / 2);
    [head, middle, tail]
}

fn judge(policy: &Policy, chunks: &[&[u8]]) -> Result<Vec<u8>, (Rule, String, Option<u64>)> {
    let mut guard = JsonGuard::new(policy);
    let mut out = Vec::new();
    chunks
        .iter()
        .try_for_each(|chunk| guard.strip(&Bytes::copy_from_slice(chunk), &mut out))
        .and_then(|()| guard.finish())
        .map(|()| out.concat())
        .map_err(|no| (no.rule(), no.pointer().to_owned(), no.offset()))
}

/// What is in a text that should not be, found by other means.
struct Clean(Option<&'static str>);

impl<'de> Deserialize<'de> for Clean {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = Clean;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Clean, E> {
        Ok(Clean(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Clean, E> {
        Ok(Clean(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Clean, E> {
        Ok(Clean(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Clean, E> {
        Ok(Clean(None))
    }

    fn visit_unit<E>(self) -> Result<Clean, E> {
        Ok(Clean(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Clean, E> {
        Ok(Clean(text.contains('\0').then_some("U+0000")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Clean, A::Error> {
        let mut problem = None;
        while let Some(Clean(one)) = items.next_element()? {
            problem = problem.or(one);
        }
        Ok(Clean(problem))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Clean, A::Error> {
        let (mut problem, mut seen) = (None, HashSet::new());
        while let Some(key) = members.next_key::<String>()? {
            let Clean(below) = members.next_value()?;
            let here = match &*key {
                "__proto__" => Some("a prototype"),
                key if key.starts_with('$') || key.contains('.') => Some("an operator"),
                key if key.contains('\0') => Some("U+0000 in a key"),
                _ => None,
            };
            let twice = if seen.insert(key) { None } else { Some("a key twice") };
            problem = problem.or(below).or(here).or(twice);
        }
        Ok(Clean(problem))
    }
}

/// A form, or a query. What passes has no name twice, and decodes to UTF-8 without U+0000.
pub fn sanitize_form(data: &[u8]) {
    let policy = Policy::forms();
    let judge = |size: usize| {
        let mut guard = FormGuard::new(&policy);
        data.chunks(size).try_for_each(|chunk| guard.push(chunk)).and_then(|()| guard.finish())
    };
    let whole = judge(data.len().max(1));
    assert_eq!(judge(1), whole, "cuts change the verdict");
    assert_eq!(judge(7), whole, "cuts change the verdict");
    if whole.is_err() {
        return;
    }
    let mut names = HashSet::new();
    for pair in data.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => {
                (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default())
            }
            None => (pair, &[][..]),
        };
        let name = String::from_utf8(decode(name, true)).expect("a name in UTF-8");
        let value = String::from_utf8(decode(value, true)).expect("a value in UTF-8");
        assert!(!name.contains('\0') && !value.contains('\0'), "U+0000 gets through");
        // Without the brackets of lists.
        let mut parts: Vec<&str> = name.split('[').collect();
        parts.retain(|part| {
            !part.trim_end_matches(']').bytes().all(|byte| byte.is_ascii_digit())
                || !part.ends_with(']')
        });
        assert!(parts.iter().all(|part| part.trim_end_matches(']') != "__proto__"), "a prototype");
        assert!(names.insert(parts.join("[")), "{name} gets through twice");
    }
}

/// A path. What passes has no dot segment, no backslash and no U+0000, decoded once or twice.
pub fn sanitize_path(data: &[u8]) {
    let path = String::from_utf8_lossy(data);
    if Policy::strict_json().check_path(&path).is_err() {
        return;
    }
    let mut decoded = path.as_bytes().to_vec();
    for _ in 0..2 {
        decoded = decode(&decoded, false);
        let text = String::from_utf8(decoded.clone()).expect("a path in UTF-8");
        assert!(!text.contains(['\0', '\\']), "{text:?} gets through");
        for segment in text.split('/') {
            let segment = segment.split(';').next().unwrap_or_default();
            assert!(!matches!(segment, "." | ".."), "{text:?} gets through");
        }
    }
}

/// Percent-decoding as lax as anyone's: what is no `%XX` stays.
fn decode(text: &[u8], plus_is_blank: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        rest = after;
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', ..) if plus_is_blank => out.push(b' '),
            _ => out.push(byte),
        }
    }
    out
}

/// A content type: what is taken is written in one way, which is read as the same.
pub fn content_type(data: &[u8]) {
    let Ok(of) = ContentType::parse(data) else { return };
    let canonical = of.canonical();
    assert_eq!(ContentType::parse(canonical.as_bytes()).as_ref(), Ok(&of), "it reads otherwise");
    assert_eq!(of.to_header_value(), canonical, "it is no header's value");
    let came = String::from_utf8_lossy(data).to_ascii_lowercase();
    let essence = came.trim_matches([' ', '\t']).split([';', ' ', '\t']).next();
    assert_eq!(essence, Some(of.essence()), "it is another type");
    assert!(canonical.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{canonical:?}");
}
