//! Content types.
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use axum::extract::FromRequest;
use buttress_sanitize::{ContentType, Kind, Place, Rule};
use futures_util::FutureExt;
use proptest::prelude::*;

#[test]
fn every_content_type_that_is_taken_is_written_in_one_way() {
    use Kind::*;
    for (value, kind, canonical) in [
        ("application/json", Json, "application/json"),
        ("APPLICATION/JSON", Json, "application/json"),
        (" application/json\t", Json, "application/json"),
        ("application/json;charset=utf-8", Json, "application/json"),
        ("application/json; charset=UTF-8", Json, "application/json"),
        ("application/json ; charset=\"utf-8\"", Json, "application/json"),
        ("application/json;charset=\"\\u\\tf-8\"", Json, "application/json"),
        ("application/json;charset=utf8", Json, "application/json"),
        ("application/json;", Json, "application/json"),
        ("application/json; ; ;charset=utf-8;", Json, "application/json"),
        ("application/problem+json", Json, "application/problem+json"),
        (
            "application/ld+json;profile=\"http://a.example/\"",
            Json,
            "application/ld+json;profile=\"http://a.example/\"",
        ),
        ("application/vnd.api+JSON; Version=1", Json, "application/vnd.api+json;version=1"),
        ("application/x-www-form-urlencoded", Form, "application/x-www-form-urlencoded"),
        (
            "application/x-www-form-urlencoded; charset=utf-8",
            Form,
            "application/x-www-form-urlencoded",
        ),
        ("multipart/form-data; boundary=aBc", Multipart, "multipart/form-data;boundary=aBc"),
        (
            "multipart/form-data; boundary=\"a b\"",
            Multipart,
            "multipart/form-data;boundary=\"a b\"",
        ),
        ("text/plain", Other, "text/plain"),
        ("text/html; charset=ISO-8859-1", Other, "text/html;charset=iso-8859-1"),
        ("text/plain; a=\"x\\\"y\\\\z\"; b=\"\"", Other, "text/plain;a=\"x\\\"y\\\\z\";b=\"\""),
        ("application/octet-stream", Other, "application/octet-stream"),
        ("application/jsonp", Other, "application/jsonp"),
        ("application/json5", Other, "application/json5"),
        ("application/jsonlines", Other, "application/jsonlines"),
        ("text/json", Other, "text/json"),
        // What is taken for JSON or a form by those who cut the suffix off, or read no further.
        ("application/json+xml", Json, "application/json+xml"),
        ("application/json+a+b", Json, "application/json+a+b"),
        ("Application/X-WWW-Form-Urlencoded2; a=b", Form, "application/x-www-form-urlencoded2"),
        ("application/grpc", Grpc, "application/grpc"),
        ("Application/gRPC+Proto", Grpc, "application/grpc+proto"),
        ("application/grpc-web-text+proto", Grpc, "application/grpc-web-text+proto"),
        ("application/grpc+json", Json, "application/grpc+json"),
        ("application/grpc-web+json", Json, "application/grpc-web+json"),
        ("application/grpcish", Other, "application/grpcish"),
    ] {
        let of = ContentType::parse(value.as_bytes()).unwrap();
        assert_eq!((of.kind(), of.canonical()), (kind, canonical), "{value}");
        assert_eq!(of.to_header_value(), canonical);
        assert_eq!(ContentType::parse(canonical.as_bytes()).unwrap(), of, "it reads back");
    }
}

#[test]
fn every_content_type_that_is_none_is_refused() {
    for value in [
        &b""[..], b" ", b"json", b"application", b"application/", b"/json", b"application//json", b"application/json/",
        b"application /json", b"application/ json", b"application/js on", b"application/json,", b"application/json, text/plain",
        b"application/json charset=utf-8", b"application/json; charset", b"application/json; charset=", b"application/json; charset =utf-8",
        b"application/json; charset= utf-8", b"application/json; =utf-8", b"application/json; charset=\"utf-8", b"application/json; charset='utf-8",
        b"application/json; charset=\"utf-8\"x", b"application/json; charset=utf-8 x", b"application/json; charset=utf-8; charset=utf-8",
        b"application/json; charset=utf-8; CHARSET=utf-8", b"application/json; a=1; A=2", b"application/json\n", b"application/json;\0",
        b"application/json\x0b;charset=utf-8", b"application/json; charset=\"utf\0-8\"", b"application/js\xc3\xb6n", b"application/json; a=\"\xc3\xb6\"",
        b"application/json; a=\"b\\", b"\"application/json\"", b"application/json:", b"application/json; a=b=c", b"application/json; a=(b)",
        b"multipart/form-data", b"multipart/form-data; boundary=\"\"", b"multipart/form-data; boundary=\"a \"", b"multipart/form-data; boundary=\"a;b\"",
        b"multipart/form-data; boundary=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        b"multipart/form-data; boundary=a; boundary=b",
        b"application/x-www-form-urlencoded+json", b"Application/X-WWW-Form-Urlencoded2+JSON; charset=utf-8",
    ] {
        let violation = ContentType::parse(value).unwrap_err();
        let charset = violation.rule() == Rule::Charset && value.windows(2).any(|two| two == b"='");
        assert!(violation.rule() == Rule::ContentType || charset, "{}", value.escape_ascii());
        assert_eq!((violation.status().as_u16(), violation.place()), (415, Place::Header));
        assert_eq!(violation.pointer(), "/content-type");
    }
}

/// Each is looked for among those before it.
#[test]
fn a_content_type_has_at_most_32_parameters() {
    let of = |count: usize| {
        let params: String = (0..count).map(|number| format!(";p{number}=v")).collect();
        ContentType::parse(format!("text/plain{params}").as_bytes()).map_err(|error| error.rule())
    };
    assert!(of(32).is_ok());
    assert_eq!(of(33), Err(Rule::ContentType));
}

#[test]
fn json_and_forms_are_utf8() {
    for value in [
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/json; charset=ISO-8859-1",
        "application/json; charset=\"\"",
        "application/json; charset=utf-8-sig",
        "application/ld+json;charset=latin1",
        "application/x-www-form-urlencoded; charset=windows-1252",
        "application/json; charset=\"utf-8;\"",
    ] {
        assert_eq!(
            ContentType::parse(value.as_bytes()).unwrap_err().rule(),
            Rule::Charset,
            "{value}"
        );
    }
}

#[test]
fn a_charset_is_told_of_what_has_one() {
    let of = ContentType::parse(b"Text/HTML; a=b; Charset=\"Shift_JIS\"").unwrap();
    assert_eq!((of.essence(), of.charset()), ("text/html", Some("shift_jis")));
    assert_eq!(ContentType::parse(b"application/json;charset=utf-8").unwrap().charset(), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(bytes in r#"[a-z]{1,6}/[a-z+]{1,6}( ?;( ?[a-c]=([a-z]{1,4}|"[ a-z\\";]{0,4}"))?){0,3}"#) {
        if let Ok(of) = ContentType::parse(bytes.as_bytes()) {
            prop_assert_eq!(ContentType::parse(of.canonical().as_bytes()), Ok(of.clone()));
            prop_assert!(of.essence().bytes().all(|byte| !byte.is_ascii_uppercase()));
        }
    }

    /// What is not judged as JSON or as a form is not read as one.
    #[test]
    fn what_axum_takes_is_what_was_judged(
        value in "(application|APPLICATION|text|a)/(json|JSON|x-www-form-urlencoded|grpc|grpc-web|a)\
                  ([+.-]?(json|xml|x-www-form-urlencoded|grpc|a|[a-z0-9!#$&^_.+-]{0,3})){0,3}\
                  ( ?; ?(charset=utf-8|a=b|a=\"json\"|boundary=json|)){0,2}",
    ) {
        // What the handler sees.
        let Ok(of) = ContentType::parse(value.as_bytes()) else { return Ok(()) };
        let request = |body: &'static str| {
            let request = http::Request::post("/").header("content-type", of.to_header_value());
            request.body(axum::body::Body::from(body)).unwrap()
        };
        let json = axum::Json::<serde_json::Value>::from_request(request("[]"), &());
        if json.now_or_never().unwrap().is_ok() {
            prop_assert_eq!(of.kind(), Kind::Json, "{}", of.canonical());
        }
        let form = axum::Form::<Vec<(String, String)>>::from_request(request("a=b"), &());
        if form.now_or_never().unwrap().is_ok() {
            prop_assert_eq!(of.kind(), Kind::Form, "{}", of.canonical());
        }
    }
}
