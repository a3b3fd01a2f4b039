use http::{HeaderValue, Response, StatusCode};

use super::*;

fn head(status: u16, content_type: Option<&'static str>) -> Parts {
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = StatusCode::from_u16(status).unwrap();
    if let Some(content_type) = content_type {
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    head
}

const PRODUCTION: Settings = Settings { development: false, keep_json: false };
const DEVELOPMENT: Settings = Settings { development: true, keep_json: false };
const KEEPING: Settings = Settings { development: false, keep_json: true };

#[test]
fn what_becomes_of_an_answer() {
    use Fate::{Keep, Read, Replace};
    let text = Some("text/plain; charset=utf-8");
    let json = Some("Application/JSON");
    let problem = Some("application/problem+json");
    let html = Some("text/html");
    let short = Some(40);
    // The last three: in production, in development, and where JSON is kept.
    let cases = [
        (400, text, short, Read, Read, Read),
        (400, text, Some(MAX_TEXT), Read, Read, Read),
        (400, text, Some(MAX_TEXT + 1), Keep, Keep, Keep),
        (400, text, None, Keep, Keep, Keep),
        (404, None, Some(0), Replace, Replace, Replace),
        (404, text, Some(0), Replace, Replace, Replace),
        (404, None, short, Read, Read, Read),
        (404, html, short, Keep, Keep, Keep),
        (404, json, short, Keep, Keep, Keep),
        (404, problem, short, Keep, Keep, Keep),
        (404, Some("text/event-stream"), None, Keep, Keep, Keep),
        (500, None, Some(0), Replace, Replace, Replace),
        (500, text, short, Read, Read, Read),
        (500, text, None, Replace, Keep, Replace),
        (500, html, short, Replace, Keep, Replace),
        (500, json, short, Read, Keep, Keep),
        (500, json, None, Replace, Keep, Keep),
        (503, problem, short, Read, Keep, Keep),
        (503, Some("application/octet-stream"), short, Replace, Keep, Replace),
        (999, text, short, Read, Read, Read),
        (999, html, short, Replace, Keep, Replace),
    ];
    for (status, media, size, production, development, keeping) in cases {
        let head = head(status, media);
        for (settings, fate) in
            [(PRODUCTION, production), (DEVELOPMENT, development), (KEEPING, keeping)]
        {
            let judged = judge(settings, &head, size);
            assert_eq!(judged, fate, "{status} {media:?} {size:?} {settings:?}");
        }
    }
}

#[test]
fn what_is_written_for_the_client_is_kept() {
    let mut head = head(503, Some("application/json"));
    head.extensions.insert(Public);
    assert_eq!(judge(PRODUCTION, &head, Some(9)), Fate::Keep);
}

#[test]
fn what_is_encoded_is_not_read() {
    let mut head = head(400, Some("text/plain"));
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    assert_eq!(judge(PRODUCTION, &head, Some(9)), Fate::Keep);
    head.status = StatusCode::BAD_GATEWAY;
    assert_eq!(judge(PRODUCTION, &head, Some(9)), Fate::Replace);
}

#[test]
fn only_text_becomes_a_detail() {
    let cases: [(Option<&'static str>, &[u8], Option<&str>); 8] = [
        (Some("text/plain"), b"no such book\n", Some("no such book")),
        (Some("text/plain"), b"{curly}", Some("{curly}")),
        (Some("text/plain"), b"caf\xe9", None),
        (Some("text/plain"), b"  ", Some("")),
        (None, b"no such book", Some("no such book")),
        (None, b" {\"error\":1}", None),
        (None, b"<html>", None),
        (None, b"PK\0", None),
    ];
    for (media, body, text) in cases {
        assert_eq!(detail(&head(400, media), body).as_deref(), text, "{}", body.escape_ascii());
    }
}
