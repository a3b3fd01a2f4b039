//! Values of types, from functions and under axum.

#![cfg(feature = "serde")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test is meant to panic"
)]

use std::{collections::BTreeMap, num::NonZeroU32};

use buttress_sanitize::{
    Cursor, GuardedBody, Id, InputError, Kind, Page, Policy, Rule, Strict, read_form, read_json,
    read_query,
};
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use proptest::prelude::*;
use serde::{Deserialize, de::DeserializeOwned};

fn query<T: DeserializeOwned>(query: &str) -> Result<T, InputError> {
    let uri: Uri = format!("/?{query}").parse().unwrap();
    read_query(&uri, &Policy::strict_json().repeatable(["tag"]).unwrap())
}

/// Status, pointer and detail of what is wrong.
fn wrong<T>(read: Result<T, InputError>) -> (u16, String, String) {
    let error = read.err().unwrap();
    let document: serde_json::Value = serde_json::from_str(&error.to_problem().to_json()).unwrap();
    let first = &document["errors"][0];
    let text = |name: &str| first[name].as_str().unwrap().to_owned();
    (error.status().as_u16(), text("pointer"), text("detail"))
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Order {
    Newest,
    Oldest,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Search {
    q: String,
    page: Option<u32>,
    #[serde(default)]
    tag: Vec<String>,
    order: Option<Order>,
    deep: Option<bool>,
    near: Option<f64>,
    most: Option<NonZeroU32>,
}

#[test]
fn a_query_becomes_a_value() {
    let search: Search = query(
        "q=J%C3%BCrgen+%26+a%3Cb%26c&page=2&tag=a&tag[]=b&tag%5B2%5D=c&order=newest&deep=true&near=-1.5e2&most=3&x=y",
    )
    .unwrap();
    let wanted = Search {
        q: "Jürgen & a<b&c".to_owned(),
        page: Some(2),
        tag: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
        order: Some(Order::Newest),
        deep: Some(true),
        near: Some(-150.0),
        most: NonZeroU32::new(3),
    };
    assert_eq!(search, wanted);
    let least: Search = query("q=").unwrap();
    assert_eq!((least.q.as_str(), least.page, least.tag.len()), ("", None, 0));
}

/// What Rust's own parsers take, and nobody should.
#[test]
fn lax_numbers_are_refused_in_every_field() {
    for text in
        ["%2B1", "01", "-0", "1.0", "1e3", "0x1", "1_0", "%201", "1%20", "", "%EF%BC%91", "%D9%A1"]
    {
        let (status, pointer, detail) = wrong(query::<Search>(&format!("q=a&page={text}")));
        assert_eq!((status, pointer.as_str()), (422, "/page"), "{text}");
        assert_eq!(detail, "expected an integer from 0 to 2^32 - 1");
    }
    for text in
        ["NaN", "nan", "inf", "-inf", "infinity", "%2B1.5", "01.5", "-0.0", ".5", "5.", "1e999"]
    {
        let read = query::<Search>(&format!("q=a&near={text}"));
        assert_eq!(
            wrong(read),
            (422, "/near".to_owned(), "expected a number".to_owned()),
            "{text}"
        );
    }
    for text in ["True", "1", "yes", "on", ""] {
        assert_eq!(wrong(query::<Search>(&format!("q=a&deep={text}"))).1, "/deep");
    }
    assert_eq!(wrong(query::<Search>("q=a&most=0")).1, "/most");
    assert_eq!(wrong(query::<Search>("q=a&page=4294967296")).1, "/page");
}

#[test]
fn what_breaks_a_rule_is_400_and_what_does_not_fit_is_422() {
    assert_eq!(wrong(query::<Search>("q=a&q=b")).0, 400);
    assert_eq!(wrong(query::<Search>("q=%zz")).0, 400);
    let (status, pointer, detail) = wrong(query::<Search>("page=1"));
    assert_eq!((status, pointer.as_str(), detail.as_str()), (422, "", "the member q is missing"));
    assert_eq!(wrong(query::<Search>("q=a&order=random")).1, "/order");
}

#[derive(Debug, Deserialize)]
struct List {
    #[serde(flatten)]
    page: Page,
    after: Option<Cursor>,
    author: Option<Id>,
}

#[test]
fn pages_cursors_and_ids_are_read_strictly() {
    let list: List = query("page=3&limit=50&after=MTIz_-&author=42").unwrap();
    assert_eq!((list.page.number(), list.page.limit(), list.page.offset()), (3, 50, 100));
    assert_eq!(list.after.unwrap().as_str(), "MTIz_-");
    assert_eq!(list.author.unwrap().get(), 42);
    let list: List = query("").unwrap();
    assert_eq!((list.page.number(), list.page.limit()), (1, 20));

    for (limit, passes) in [
        ("1", true),
        ("100", true),
        ("0", false),
        ("101", false),
        ("-1", false),
        ("+5", false),
        ("05", false),
    ] {
        let read = query::<Page>(&format!("limit={}", limit.replace('+', "%2B")));
        match passes {
            true => assert_eq!(read.unwrap().limit().to_string(), limit),
            false => assert_eq!(
                wrong(read),
                (422, "/limit".to_owned(), "expected an integer from 1 to 100".to_owned())
            ),
        }
    }
    assert_eq!(wrong(query::<Page>("page=0")).2, "expected an integer from 1");
    for id in ["0", "-1", "%2B1", "01", "1.0", "abc", "18446744073709551616", "%EF%BC%91"] {
        assert_eq!(wrong(query::<List>(&format!("author={id}"))).0, 422, "{id}");
    }
    assert!(query::<List>(&format!("after={}", "a".repeat(512))).is_ok());
    for cursor in ["", "a%20b", "a%3D", &"a".repeat(513)] {
        assert_eq!(wrong(query::<List>(&format!("after={cursor}"))).0, 422, "{cursor}");
    }
}

#[test]
fn in_json_an_id_is_a_number_or_a_text() {
    let read = |text: &str| serde_json::from_str::<Id>(text).map(Id::get);
    assert_eq!(read("7").unwrap(), 7);
    assert_eq!(read("\"9007199254740993\"").unwrap(), 9_007_199_254_740_993);
    for text in ["0", "-1", "7.0", "1e3", "\"07\"", "\"+7\"", "null", "true"] {
        assert!(read(text).is_err(), "{text}");
    }
    assert_eq!(serde_json::from_str::<Strict<f32>>("1.5").unwrap().0, 1.5);
    assert!(serde_json::from_str::<Strict<f64>>("-0").is_err());
    assert!(serde_json::from_str::<Strict<f32>>("1e39").is_err());
    // Too small for an f32, and so a negative zero.
    assert!(serde_json::from_str::<Strict<f32>>("-1e-300").is_err());
}

proptest! {
    #[test]
    fn every_text_comes_out_of_a_query_as_it_was(
        params in prop::collection::btree_map("[a-z]{1,3}", prop::collection::vec("\\PC{0,8}", 1..3), 0..4),
    ) {
        let encoded = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
        let pairs: Vec<_> = params.iter().flat_map(|(name, values)| {
            values.iter().map(move |value| format!("{name}[]={}", encoded(value)))
        }).collect();
        let policy = Policy::strict_json().repeatable(params.keys().map(String::as_str)).unwrap();
        let uri: Uri = format!("/?{}", pairs.join("&")).parse().unwrap();
        let read: BTreeMap<String, Vec<String>> = read_query(&uri, &policy).unwrap();
        prop_assert_eq!(read, params);
    }
}

fn json(body: &'static str) -> Request<Full<Bytes>> {
    let request = Request::post("/").header("content-type", "application/json");
    request.body(Full::from(body)).unwrap()
}

#[tokio::test]
async fn a_body_is_read_under_the_policy_whatever_it_is_declared_to_be() {
    let strict = Policy::strict_json();
    assert_eq!(read_json::<Vec<u8>, _>(json("[1]"), &strict).await.unwrap().value, [1]);
    let small = strict.clone().max_body(2);
    let error = read_json::<Vec<u8>, _>(json("[1]"), &small).await.unwrap_err();
    assert_eq!((error.status().as_u16(), error.reason()), (413, "body_size"));
    let error = read_json::<Vec<u8>, _>(json("[1"), &strict).await.unwrap_err();
    assert_eq!((error.status().as_u16(), error.reason()), (400, "syntax"));
    let error = read_json::<Vec<u8>, _>(json("[300]"), &strict).await.unwrap_err();
    assert_eq!((error.status().as_u16(), error.reason()), (422, "data"));

    let plain = Request::new(Full::<Bytes>::from("[1]"));
    let error = read_json::<Vec<u8>, _>(plain, &strict).await.unwrap_err();
    assert_eq!((error.status().as_u16(), error.reason()), (415, "content_type"));
    let mut coded = json("[1]");
    coded.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
    let error = read_json::<Vec<u8>, _>(coded, &strict).await.unwrap_err();
    assert_eq!((error.status().as_u16(), error.reason()), (415, "content_encoding"));
}

#[tokio::test]
async fn the_typed_fields_are_read_in_the_one_parse_with_their_pointers() {
    #[derive(Deserialize)]
    struct Item {
        id: Id<u32>,
        price: Strict<f64>,
        after: Option<Cursor>,
    }
    let strict = Policy::strict_json();
    let read = |body| read_json::<Vec<Item>, _>(json(body), &strict);
    let items = read(r#"[{"id": 7, "price": 1.5}, {"id": "8", "price": "2", "after": "MQ"}]"#);
    let items = items.await.unwrap().value;
    assert_eq!((items[0].id.get(), items[1].id.get()), (7, 8));
    assert_eq!((items[0].price.0, items[1].price.0), (1.5, 2.0));
    assert_eq!(items[1].after.as_ref().unwrap().as_str(), "MQ");
    for (body, pointer, detail) in [
        (r#"[{"id": 0, "price": 1}]"#, "/0/id", "expected an id, an integer from 1"),
        (r#"[{"id": "+7", "price": 1}]"#, "/0/id", "expected an id, an integer from 1"),
        (r#"[{"id": 7, "price": "NaN"}]"#, "/0/price", "expected a number"),
        (r#"[{"id": 7, "price": -0.0}]"#, "/0/price", "expected a number"),
        (
            r#"[{"id": 7, "price": 1, "after": "a b"}]"#,
            "/0/after",
            "expected a cursor, 1 to 512 characters of base64url",
        ),
    ] {
        let wanted = (422, pointer.to_owned(), detail.to_owned());
        assert_eq!(wrong(read(body).await), wanted, "{body}");
    }
}

#[tokio::test]
async fn what_a_guard_further_out_has_found_is_told_as_it_was_found() {
    let request = json(r#"{"a": {"__proto__": 1}}"#);
    let strict = Policy::strict_json();
    let request = request.map(|body| GuardedBody::new(body, Kind::Json, &strict));
    let error = read_json::<(), _>(request, &strict).await.unwrap_err();
    assert_eq!(error.violation().unwrap().rule(), Rule::PrototypeKey);
    assert_eq!(error.violation().unwrap().pointer(), "/a/__proto__");
}

#[tokio::test]
async fn a_form_becomes_a_value() {
    #[derive(Deserialize)]
    struct Login {
        name: String,
        password: String,
        age: u8,
    }
    let form = |body: &'static str| {
        let request =
            Request::post("/").header("content-type", "application/x-www-form-urlencoded");
        request.body(Full::<Bytes>::from(body)).unwrap()
    };
    let forms = Policy::forms();
    let login: Login = read_form(form("name=x&password=a%3Cb%26c&age=30"), &forms).await.unwrap();
    assert_eq!((login.name.as_str(), login.password.as_str(), login.age), ("x", "a<b&c", 30));
    let error = read_form::<Login, _>(form("name=x&password=s3cret&age=s3cret"), &forms).await;
    let error = error.err().unwrap();
    assert_eq!(error.to_string(), "body /age: expected an integer from 0 to 255");
    assert!(
        !error.to_problem().to_json().contains("s3cret")
            && !format!("{error:?}").contains("s3cret")
    );
    let error = read_form::<Login, _>(json("{}"), &forms).await.err().unwrap();
    assert_eq!(error.status(), 415);
}

#[cfg(feature = "unicode")]
#[test]
fn identifiers_are_composed_and_other_fields_are_not() {
    use buttress_sanitize::Identifier;

    #[derive(Deserialize)]
    struct User {
        login: Identifier,
        motto: String,
    }
    let user: User = query("login=Jose%CC%81&motto=Jose%CC%81").unwrap();
    assert_eq!((user.login.as_str(), user.motto.as_str()), ("Jos\u{e9}", "Jose\u{301}"));
    let (status, pointer, _) = wrong(query::<User>("login=ad%E2%80%8Bmin&motto="));
    assert_eq!((status, pointer.as_str()), (422, "/login"));
    // Nobody sees these: fillers, selectors, tags, joiners.
    for invisible in [
        '\u{34f}',
        '\u{115f}',
        '\u{17b4}',
        '\u{180b}',
        '\u{2800}',
        '\u{2065}',
        '\u{206a}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{ffa0}',
        '\u{fff9}',
        '\u{1bca0}',
        '\u{1d173}',
        '\u{e0001}',
        '\u{e0061}',
        '\u{e0100}',
    ] {
        assert!(format!("ad{invisible}min").parse::<Identifier>().is_err(), "{invisible:?}");
    }
}

/// A parser of HTML looks through all that is open for each tag, and through all attributes of a tag
/// for each.
#[cfg(feature = "html")]
#[test]
fn html_that_would_take_too_long_to_clean_is_refused() {
    use buttress_sanitize::Html;

    let read = |html: String| serde_json::from_value::<Html>(html.into()).is_ok();
    assert!(read("<br>".repeat(Html::MAX_TAGS)));
    assert!(!read("<br>".repeat(Html::MAX_TAGS + 1)));
    assert!(read("a".repeat(Html::MAX)));
    assert!(!read("a".repeat(Html::MAX + 1)));
    // As text, in which nothing can run.
    let html = Html::clean(&"<div>".repeat(Html::MAX_TAGS + 1));
    assert!(!html.as_str().contains('<'));
}

#[cfg(feature = "html")]
#[test]
fn html_is_cleaned_where_it_is_declared_and_nowhere_else() {
    use buttress_sanitize::Html;

    #[derive(Deserialize)]
    struct Comment {
        password: String,
        text: Html,
    }
    for (sent, kept) in [
        ("<p>hi</p>", "<p>hi</p>"),
        ("<script>alert(1)</script>hi", "hi"),
        ("<img src=x onerror=alert(1)>", "<img src=\"x\">"),
        ("<a href=\"javascript:alert(1)\">x</a>", "<a rel=\"noopener noreferrer\">x</a>"),
        ("<svg><script>alert(1)</script></svg>", ""),
        ("<iframe src=//x></iframe>", ""),
        ("a &lt; b", "a &lt; b"),
    ] {
        let text = serde_json::json!({ "password": "a<b&c", "text": sent }).to_string();
        let comment: Comment = serde_json::from_str(&text).unwrap();
        assert_eq!((comment.password.as_str(), comment.text.as_str()), ("a<b&c", kept));
    }
}

#[cfg(all(feature = "axum", feature = "garde", feature = "validator"))]
mod under_axum {
    use axum::{
        Extension, Router,
        extract::Path,
        routing::{get, post},
    };
    use buttress_sanitize::{Form, GuardedJson, Json, Query, SanitizeLayer, Valid, Validated};
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    use validator::Validate as _;

    use super::*;

    #[derive(Deserialize, garde::Validate, validator::Validate)]
    struct Item {
        #[garde(length(min = 1, max = 5))]
        #[validate(length(min = 1, max = 5))]
        name: String,
    }

    #[derive(Deserialize, garde::Validate, validator::Validate)]
    struct Cart {
        #[garde(range(min = 1, max = 9))]
        #[validate(range(min = 1, max = 9, message = "1 to 9"))]
        count: u32,
        #[serde(default)]
        #[garde(dive)]
        #[validate(nested)]
        items: Vec<Item>,
    }

    fn app() -> Router {
        Router::new()
            .route("/json", post(|Json(cart): Json<Cart>| async move { cart.count.to_string() }))
            .route(
                "/guarded",
                post(|json: GuardedJson<Cart>| async move { json.reports.len().to_string() }),
            )
            .route(
                "/valid",
                post(|Valid(Json(cart)): Valid<Json<Cart>>| async move { cart.count.to_string() }),
            )
            .route(
                "/validated",
                post(|Validated(Json(cart)): Validated<Json<Cart>>| async move {
                    cart.count.to_string()
                }),
            )
            .route(
                "/query",
                get(|Valid(Query(cart)): Valid<Query<Cart>>| async move { cart.count.to_string() }),
            )
            .route(
                "/form",
                post(|Valid(Form(cart)): Valid<Form<Cart>>| async move { cart.count.to_string() }),
            )
            .route("/id/{id}", get(|Path(id): Path<Id<u32>>| async move { id.to_string() }))
    }

    #[tokio::test]
    async fn a_415_says_what_is_taken_and_a_refusal_who_refused() {
        let request = Request::post("/json").body(axum::body::Body::from("{}")).unwrap();
        let answer = app().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 415);
        assert_eq!(answer.headers()["accept"], JSON);
        let rejected = answer.extensions().get::<buttress_core::reject::Rejected>().unwrap();
        assert_eq!((rejected.layer(), rejected.reason()), ("sanitize", "content_type"));
    }

    async fn send(
        app: Router,
        method: &str,
        uri: &str,
        content_type: &str,
        body: &'static str,
    ) -> (u16, String) {
        let request =
            Request::builder().method(method).uri(uri).header("content-type", content_type);
        let request = request.body(axum::body::Body::from(body)).unwrap();
        let answer = app.oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        if status >= 400 && !uri.starts_with("/id") {
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn errors(document: &str) -> Vec<(String, String, String)> {
        let document: serde_json::Value = serde_json::from_str(document).unwrap();
        let text = |error: &serde_json::Value, name: &str| error[name].as_str().unwrap().to_owned();
        let errors = document["errors"].as_array().unwrap().iter();
        errors.map(|e| (text(e, "pointer"), text(e, "in"), text(e, "rule"))).collect()
    }

    const JSON: &str = "application/json";

    #[tokio::test]
    async fn syntax_is_400_and_data_is_422_with_pointers() {
        for path in ["/json", "/guarded", "/valid", "/validated"] {
            let (status, document) = send(app(), "POST", path, JSON, r#"{"count": 1,}"#).await;
            assert_eq!((status, errors(&document)[0].2.as_str()), (400, "syntax"), "{path}");
            let (status, document) =
                send(app(), "POST", path, JSON, r#"{"count": 1, "count": 2}"#).await;
            assert_eq!((status, errors(&document)[0].2.as_str()), (400, "duplicate_key"), "{path}");
            let (status, document) =
                send(app(), "POST", path, JSON, r#"{"count": "s3cret"}"#).await;
            assert_eq!(status, 422);
            assert_eq!(
                errors(&document),
                [("/count".to_owned(), "body".to_owned(), "data".to_owned())]
            );
            assert!(!document.contains("s3cret"));
            let (status, _) = send(app(), "POST", path, "text/plain", r#"{"count": 1}"#).await;
            assert_eq!(status, 415);
            assert_eq!(send(app(), "POST", path, JSON, r#"{"count": 1}"#).await.0, 200);
        }
    }

    #[tokio::test]
    async fn what_is_not_valid_is_422_with_a_pointer_to_each() {
        const BODY: &str = r#"{"count": 10, "items": [{"name": "ok"}, {"name": "s3cret-value"}]}"#;
        let (status, document) = send(app(), "POST", "/valid", JSON, BODY).await;
        assert_eq!(status, 422);
        let found = errors(&document);
        assert_eq!(found.len(), 2);
        assert!(found.contains(&("/count".to_owned(), "body".to_owned(), "invalid".to_owned())));
        assert!(found.contains(&(
            "/items/1/name".to_owned(),
            "body".to_owned(),
            "invalid".to_owned()
        )));
        assert!(!document.contains("s3cret"));
        let (status, document) = send(app(), "POST", "/validated", JSON, BODY).await;
        assert_eq!(status, 422);
        let found = errors(&document);
        assert_eq!(
            found,
            [
                ("/count".to_owned(), "body".to_owned(), "range".to_owned()),
                ("/items/1/name".to_owned(), "body".to_owned(), "length".to_owned()),
            ]
        );
        assert!(!document.contains("s3cret") && document.contains("1 to 9"));
    }

    #[tokio::test]
    async fn queries_and_forms_are_validated_too() {
        assert_eq!(send(app(), "GET", "/query?count=3", JSON, "").await, (200, "3".to_owned()));
        let (status, document) = send(app(), "GET", "/query?count=30", JSON, "").await;
        assert_eq!((status, errors(&document)[0].1.as_str()), (422, "query"));
        let (status, document) = send(app(), "GET", "/query?count=%2B3", JSON, "").await;
        assert_eq!((status, errors(&document)[0].2.as_str()), (422, "data"));
        let form = "application/x-www-form-urlencoded";
        assert_eq!(send(app(), "POST", "/form", form, "count=3").await.0, 200);
        assert_eq!(send(app(), "POST", "/form", form, "count=0").await.0, 422);
        assert_eq!(send(app(), "POST", "/form", form, "count=3&count=4").await.0, 400);
    }

    #[tokio::test]
    async fn the_policy_among_the_extensions_is_the_one_that_counts() {
        let body = r#"{"count": 1, "$where": "x"}"#;
        assert_eq!(send(app(), "POST", "/json", JSON, body).await.0, 200);
        let mongo = app().layer(Extension(Policy::mongo()));
        let (status, document) = send(mongo, "POST", "/json", JSON, body).await;
        assert_eq!((status, errors(&document)[0].2.as_str()), (400, "operator_key"));
        // A layer's, which would only have looked.
        let layer = SanitizeLayer::new(Policy::mongo()).report_only();
        let mongo = app().layer(layer.share_policy());
        assert_eq!(send(mongo, "POST", "/json", JSON, body).await.0, 400);
    }

    #[tokio::test]
    async fn a_body_limit_further_out_is_413_for_chunked_bodies_too() {
        let app = app().layer(tower_http::limit::RequestBodyLimitLayer::new(4));
        let chunks = [Ok::<_, std::io::Error>(r#"{"count""#), Ok(": 1}")];
        let body = axum::body::Body::from_stream(futures_util::stream::iter(chunks));
        let request = Request::post("/json").header("content-type", JSON).body(body).unwrap();
        assert_eq!(app.oneshot(request).await.unwrap().status(), 413);
    }

    #[tokio::test]
    async fn an_id_in_a_path_is_strict() {
        assert_eq!(send(app(), "GET", "/id/42", JSON, "").await, (200, "42".to_owned()));
        for id in ["0", "+42", "042", "-1", "4294967296", "%EF%BC%94"] {
            let (status, _) = send(app(), "GET", &format!("/id/{id}"), JSON, "").await;
            assert_eq!(status, 400, "{id}");
        }
    }
}

/// `0,` is two bytes, and what is said of it is a hundred.
#[cfg(all(feature = "garde", feature = "validator"))]
#[test]
fn of_many_things_that_are_wrong_the_first_64_are_told() {
    use validator::Validate as _;

    #[derive(garde::Validate, validator::Validate)]
    struct Item {
        #[garde(range(min = 1))]
        #[validate(range(min = 1))]
        count: u8,
    }
    #[derive(garde::Validate, validator::Validate)]
    struct Cart {
        #[garde(dive)]
        #[validate(nested)]
        items: Vec<Item>,
    }
    let cart = Cart { items: (0..10_000).map(|_| Item { count: 0 }).collect() };
    for error in [
        buttress_sanitize::check_garde(&cart, buttress_sanitize::Place::Body).unwrap_err(),
        buttress_sanitize::check_validator(&cart, buttress_sanitize::Place::Body).unwrap_err(),
    ] {
        let problem = error.to_problem().to_json();
        assert_eq!(problem.matches("pointer").count(), 64);
        assert!(problem.contains("/items/0/count") && problem.contains("/items/63/count"));
    }
}
