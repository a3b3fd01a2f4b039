use std::borrow::Cow;

use buttress::sanitize::{Action, GuardedJson, JsonGuard, Policy, Rule, Sanitize, SanitizeLayer};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Uri,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::Full;
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;
use tower_http::limit::RequestBodyLimitLayer;
use tower_layer::Layer;

use super::{Headers, eight, nothing};
use crate::{
    Case, Failure, Side,
    case::bare,
    drive::{Answer, Bare, Reads, repeat, serve},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        judged(SMALL),
        judged(LARGE),
        in_chunks(),
        nothing_stripped(),
        stripped(),
        typed::<Book>("sanitize, one book into a type", one_book),
        typed::<Vec<Book>>("sanitize, 12 KB into a type", || document(SMALL.1)),
        form("sanitize, a form of 12 fields", FORM),
        form("sanitize, a query of 4 pairs", QUERY),
        path(),
        unguarded(),
        passes("sanitize, GET passes", "/users/42"),
        passes("sanitize, GET with a query passes", "/users?page=2&sort=name&q=a+lamp&all=true"),
        posted("sanitize, POST of one book, judged first", 64 * 1024),
        posted("sanitize, POST of one book, judged as it is read", 0),
        refused(),
    ]
}

/// In words, and in bytes.
const SMALL: (&str, usize) = ("12 KB", 12_000);
const LARGE: (&str, usize) = ("825 KB", 825_000);

const FORM: &str = "name=Ada+Lovelace&email=ada%40example.org&street=12+St+James%27s+Square&\
                    city=London&postcode=SW1Y+4JH&country=GB&phone=%2B44+20+7946+0000&\
                    product=1048577&count=2&gift=true&wrap=green+paper&note=Please+ring+twice%21";
const QUERY: &str = "page=2&sort=name&q=a+lamp&colour=gr%C3%BCn";
const PATH: &str = "/api/v1/users/1048577/orders/2026-11-21/lines";

/// What documents are made of.
#[derive(Deserialize, Serialize)]
struct Book {
    id: u64,
    sku: String,
    title: String,
    price: Price,
    rating: f64,
    tags: Vec<String>,
    author: Author,
    in_stock: bool,
    note: Option<String>,
    updated: String,
}

#[derive(Deserialize, Serialize)]
struct Price {
    amount: u64,
    currency: String,
}

#[derive(Deserialize, Serialize)]
struct Author {
    name: String,
    email: String,
}

/// The same each time, and each a little different.
fn book(number: u64) -> Book {
    let any = number.wrapping_mul(0x9e37_79b9) & 0xffff_ffff;
    Book {
        id: 1_048_577 + number,
        sku: format!("BK-{any:010}"),
        title: format!("The Gardens of the North, volume {number}"),
        price: Price { amount: 100 + any % 9_900, currency: "EUR".to_owned() },
        rating: (any % 500) as f64 / 100.0,
        tags: ["books", "garden", "2026"].map(str::to_owned).into(),
        author: Author {
            name: "Zoë Müller".to_owned(),
            email: format!("author{number}@example.org"),
        },
        in_stock: any.is_multiple_of(3),
        note: any.is_multiple_of(2).then(|| "She said \"wait\",\nand left.".to_owned()),
        updated: "2026-11-21T10:00:00Z".to_owned(),
    }
}

fn one_book() -> Result<Vec<u8>, Failure> {
    Ok(serde_json::to_vec(&book(0))?)
}

/// An array of books, as many as go into so many bytes.
fn document(most: usize) -> Result<Vec<u8>, Failure> {
    let mut text = b"[".to_vec();
    for number in 0.. {
        let book = serde_json::to_vec(&book(number))?;
        if text.len() + book.len() + 2 > most {
            break;
        }
        if number > 0 {
            text.push(b',');
        }
        text.extend(book);
    }
    text.push(b']');
    Ok(text)
}

/// The large document has more keys than are taken of a client that nobody knows.
fn policy() -> Policy {
    Policy::strict_json().max_keys(100_000)
}

/// Looked at, and nothing made of it but what serde makes. The peer that judges has the same
/// limits, and no rule for what a key or a text says.
fn judged((words, size): (&str, usize)) -> Case {
    Case::new(format!("sanitize, JSON of {words}"), nothing(), move || {
        let (policy, text) = (policy(), document(size)?);
        policy.check_json(&text)?;
        Ok(repeat(move || policy.check_json(&text)))
    })
    .peer("json-threat-protection", move || {
        let text = document(size)?;
        threats(&text)?;
        Ok(repeat(move || threats(&text)))
    })
    .peer("serde_json, IgnoredAny", move || {
        let text = document(size)?;
        Ok(repeat(move || serde_json::from_slice::<IgnoredAny>(&text)))
    })
    .peer("serde_json, Value", move || {
        let text = document(size)?;
        Ok(repeat(move || serde_json::from_slice::<Value>(&text)))
    })
    .long()
}

fn threats(text: &[u8]) -> Result<(), Failure> {
    let validator = json_threat_protection::from_slice(text)
        .with_max_depth(32)
        .with_max_string_length(256 * 1024)
        .with_max_array_entries(10_000)
        .with_max_object_entries(1_000)
        .with_max_object_entry_name_length(256)
        .disallow_duplicate_object_entry_name();
    Ok(validator.validate()?)
}

fn in_chunks() -> Case {
    Case::new("sanitize, JSON of 12 KB, in chunks of 1 KB", nothing(), || {
        let (policy, text) = (policy(), document(SMALL.1)?);
        Ok(repeat(move || {
            let mut guard = JsonGuard::new(&policy);
            text.chunks(1_000).try_for_each(|chunk| guard.push(chunk))?;
            guard.finish()
        }))
    })
    .long()
}

fn nothing_stripped() -> Case {
    Case::new("sanitize, 12 KB that may be stripped", nothing(), || {
        let (policy, text) = (stripping()?, Bytes::from(document(SMALL.1)?));
        Ok(repeat(move || strip(&policy, &text)))
    })
    .long()
}

/// The peer does by hand what there is to do with a tree.
fn stripped() -> Case {
    Case::new("sanitize, 12 KB, a member of each book stripped", nothing(), || {
        let (policy, text) = (stripping()?, Bytes::from(polluted()?));
        Ok(repeat(move || strip(&policy, &text)))
    })
    .peer("serde_json, Value", || {
        let text = polluted()?;
        Ok(repeat(move || {
            let mut tree = serde_json::from_slice(&text)?;
            clean(&mut tree);
            serde_json::to_vec(&tree)
        }))
    })
    .long()
}

fn stripping() -> Result<Policy, Failure> {
    Ok(policy().on(Rule::PrototypeKey, Action::Strip)?)
}

fn polluted() -> Result<Vec<u8>, Failure> {
    let text = String::from_utf8(document(SMALL.1)?)?;
    let member = r#""__proto__":{"admin":true},"in_stock""#;
    Ok(text.replace(r#""in_stock""#, member).into())
}

fn strip(policy: &Policy, text: &Bytes) -> Result<Vec<Bytes>, Failure> {
    let (mut guard, mut out) = (JsonGuard::new(policy), Vec::new());
    guard.strip(text, &mut out)?;
    guard.finish()?;
    Ok(out)
}

fn clean(tree: &mut Value) {
    match tree {
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(members) => {
            members.remove("__proto__");
            members.values_mut().for_each(clean);
        }
        _ => {}
    }
}

/// The peer judges nothing.
fn typed<T: DeserializeOwned + 'static>(
    name: &'static str,
    text: fn() -> Result<Vec<u8>, Failure>,
) -> Case {
    Case::new(name, nothing(), move || {
        let (policy, text) = (policy(), text()?);
        GuardedJson::<T>::from_slice(&text, &policy)?;
        Ok(repeat(move || GuardedJson::<T>::from_slice(&text, &policy)))
    })
    .peer("serde_json", move || {
        let text = text()?;
        Ok(repeat(move || serde_json::from_slice::<T>(&text)))
    })
    .long()
}

/// The peer parses it into pairs, and judges nothing but the pairs' encoding.
fn form(name: &'static str, text: &'static str) -> Case {
    let is_query = text == QUERY;
    Case::new(name, nothing(), move || {
        let policy = Policy::forms();
        policy.check_form(text.as_bytes())?;
        Ok(repeat(move || {
            if is_query { policy.check_query(text) } else { policy.check_form(text.as_bytes()) }
        }))
    })
    .peer("serde_urlencoded", move || {
        Ok(repeat(move || serde_urlencoded::from_str::<Vec<(Cow<'_, str>, Cow<'_, str>)>>(text)))
    })
}

fn path() -> Case {
    Case::new("sanitize, a path of 45 bytes", nothing(), || {
        let policy = Policy::strict_json();
        policy.check_path(PATH)?;
        Ok(repeat(move || policy.check_path(PATH)))
    })
}

/// What is left of the layer where a guard is a setting, and off.
fn unguarded() -> Case {
    Case::new("sanitize, no guard", Headers::Eight.bare(), || {
        Ok(serve(Sanitize::unguarded(Bare(Answer::Empty)), Headers::Eight.request()))
    })
}

/// The peer would count the bytes of a body.
fn passes(name: &'static str, target: &'static str) -> Case {
    let request = move || {
        let mut request = Headers::Eight.request();
        *request.uri_mut() = Uri::from_static(target);
        request
    };
    Case::new(name, Headers::Eight.bare(), move || {
        Ok(serve(layer(64 * 1024).layer(Bare(Answer::Empty)), request()))
    })
    .peer("tower-http, body limit", move || {
        let layer = RequestBodyLimitLayer::new(1024 * 1024);
        Ok(serve(layer.layer(Bare(Answer::Empty)), request()))
    })
}

fn layer(check_first: u64) -> SanitizeLayer {
    SanitizeLayer::new(Policy::strict_json()).check_first(check_first)
}

/// The service reads the body to its end.
fn posted(name: &'static str, check_first: u64) -> Case {
    Case::new(name, read_bare(), move || {
        Ok(serve(layer(check_first).layer(Reads), post(one_book()?)))
    })
    .peer("tower-http, body limit", || {
        let layer = RequestBodyLimitLayer::new(1024 * 1024);
        Ok(serve(layer.layer(Reads), post(one_book()?)))
    })
}

fn refused() -> Case {
    Case::new("sanitize, POST of one book refused", read_bare(), || {
        let text = String::from_utf8(one_book()?)?.replace("\"in_stock\"", "\"id\"");
        Ok(serve(layer(64 * 1024).layer(Reads), post(text.into())))
    })
}

fn read_bare() -> Side {
    bare("a book that is sent and read", || Ok(serve(Reads, post(one_book()?))))
}

/// With the 8 headers, and the two that a body has.
fn post(body: Vec<u8>) -> Request<Full<Bytes>> {
    let length = body.len();
    let mut request = Request::new(Full::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("/books");
    let headers = request.headers_mut();
    *headers = eight();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, length.into());
    request
}
