use std::{
    collections::HashSet,
    future::Future,
    pin::pin,
    str::FromStr,
    task::{Context, Poll, Waker},
};

use buttress_sanitize::{
    Action, ContentType, FormGuard, GuardedJson, Id, InputError, JsonGuard, Policy, ReadError,
    Rule, read_form, read_query,
};
use bytes::Bytes;
use http::{Request, Uri};
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
                Ok(Clean { problem, .. }) => assert_eq!(problem, None, "it gets through"),
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
#[derive(Default)]
struct Clean {
    problem: Option<&'static str>,
    /// Whether it is an object with this key.
    has_prototype: bool,
}

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
        Ok(Clean::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Clean, E> {
        Ok(Clean::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Clean, E> {
        Ok(Clean::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Clean, E> {
        Ok(Clean::default())
    }

    fn visit_unit<E>(self) -> Result<Clean, E> {
        Ok(Clean::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<Clean, E> {
        let problem = text.contains('\0').then_some("U+0000");
        Ok(Clean { problem, has_prototype: false })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Clean, A::Error> {
        let mut problem = None;
        while let Some(item) = items.next_element::<Clean>()? {
            problem = problem.or(item.problem);
        }
        Ok(Clean { problem, has_prototype: false })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Clean, A::Error> {
        let (mut problem, mut seen) = (None, HashSet::new());
        while let Some(key) = members.next_key::<String>()? {
            let value: Clean = members.next_value()?;
            let here = match &*key {
                "__proto__" => Some("a prototype"),
                "constructor" if value.has_prototype => Some("a constructor's prototype"),
                key if key.starts_with('$') || key.contains('.') => Some("an operator"),
                key if key.contains('\0') => Some("U+0000 in a key"),
                _ => None,
            };
            let twice = if seen.insert(key) { None } else { Some("a key twice") };
            problem = problem.or(value.problem).or(here).or(twice);
        }
        Ok(Clean { problem, has_prototype: seen.contains("prototype") })
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
    for (name, value) in pairs(data) {
        assert!(!name.contains('\0') && !value.contains('\0'), "U+0000 gets through");
        let parts = name.split('[').map(|part| part.trim_end_matches(']'));
        assert!(parts.into_iter().all(|part| part != "__proto__"), "a prototype");
        let name = without_lists(&name);
        assert!(!names.contains(&name), "{name} gets through twice");
        names.insert(name);
    }
}

/// The names and values of a form that was judged, decoded.
fn pairs(form: &[u8]) -> impl Iterator<Item = (String, String)> {
    form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let mut next = || decode(parts.next().unwrap_or_default(), true);
        let (name, value) = (String::from_utf8(next()), String::from_utf8(next()));
        (name.expect("a name in UTF-8"), value.expect("a value in UTF-8"))
    })
}

/// A name without the brackets of lists.
fn without_lists(name: &str) -> String {
    let is_list = |part: &str| {
        part.strip_suffix(']').is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut parts: Vec<&str> = name.split('[').collect();
    parts.retain(|part| !is_list(part));
    parts.join("[")
}

/// What a form is read into.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Fields {
    n: Option<u8>,
    i: Option<i64>,
    f: Option<f64>,
    b: Option<bool>,
    d: Option<Id>,
    t: Option<String>,
    e: Option<Either>,
    l: Vec<String>,
    c: Vec<u16>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Either {
    One,
    Two,
}

/// A form, and a query, into types. What is read is what was written, each number in the one way in
/// which it is written; what is not read does not fit, and the error says where.
pub fn sanitize_params(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let policy = Policy::forms().repeatable(["l", "c"]).expect("names");
    let form = Request::post("/").header("content-type", "application/x-www-form-urlencoded");
    let form = form.body(text.clone().into_owned()).expect("a request");
    let read = match pin!(read_form::<Fields, _>(form, &policy))
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(read) => Some(read),
        Poll::Pending => None,
    };
    let read = read.expect("the body is there");

    // A query is read as a form is, where a URI can hold it.
    let uri = format!("/?{text}").parse::<Uri>().ok().filter(|uri| uri.query() == Some(&*text));
    if let Some(uri) = uri {
        let query = read_query::<Fields>(&uri, &policy);
        let outcome = |read: &Result<Fields, InputError>| match read {
            Ok(fields) => format!("{fields:?}"),
            Err(error) => error.reason().to_owned(),
        };
        assert_eq!(outcome(&query), outcome(&read), "two readings");
    }

    if let Err(refused) = policy.check_form(text.as_bytes()) {
        let error = read.expect_err("it is read and not judged");
        assert_eq!(error.violation(), Some(&refused), "two verdicts");
        return;
    }
    let expected = expected(text.as_bytes());
    assert_eq!(read.as_ref().ok(), expected.as_ref(), "something else is read");
    if let Err(error) = read {
        assert_eq!((error.status().as_u16(), error.reason()), (422, "data"));
        let document = error.to_problem().to_json();
        let document: Value = serde_json::from_str(&document).expect("a document");
        let pointer = document.pointer("/errors/0/pointer").and_then(Value::as_str);
        let field = pointer.and_then(|pointer| pointer.strip_prefix('/')).expect("a field");
        assert!("nifbdtelc".contains(field) && field.len() == 1, "{field} is no field");
    }
}

/// By Rust's own parsers, which are laxer, and the text that they would write.
fn expected(form: &[u8]) -> Option<Fields> {
    fn same<T: FromStr + ToString>(text: &str) -> Option<T> {
        text.parse().ok().filter(|value: &T| value.to_string() == text)
    }
    let float = |text: &str| {
        let is_json = serde_json::from_str::<f64>(text).is_ok() && text.trim() == text;
        let value: f64 = text.parse().ok()?;
        (is_json && value.is_finite() && (value != 0.0 || value.is_sign_positive()))
            .then_some(value)
    };
    let mut fields = Fields::default();
    for (name, value) in pairs(form) {
        match &*without_lists(&name) {
            "n" => fields.n = Some(same(&value)?),
            "i" => fields.i = Some(same(&value)?),
            "f" => fields.f = Some(float(&value)?),
            "b" => fields.b = Some(same(&value)?),
            "d" => fields.d = Some(same(&value).and_then(Id::new)?),
            "t" => fields.t = Some(value),
            "e" => {
                fields.e = Some(match &*value {
                    "one" => Either::One,
                    "two" => Either::Two,
                    _ => return None,
                });
            }
            "l" => fields.l.push(value),
            "c" => fields.c.push(same(&value)?),
            _ => {}
        }
    }
    Some(fields)
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
