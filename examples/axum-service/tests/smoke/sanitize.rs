//! What is let in, and what becomes of the rest.

use std::{fs, time::Instant};

use axum::{
    body::{Body, Bytes},
    http::{Response, StatusCode, request},
};
use futures_util::{future::join_all, stream};
use ring::digest::{Context, SHA256};
use serde_json::{Value, json};
use tokio::{
    io::{self, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{API_HEADERS, LIMIT, PATIENCE, Service, assert_problem, id, json_of, only, text};

const MIB: usize = 1 << 20;

impl Service {
    fn json(&self, path: &str) -> request::Builder {
        self.request("POST", path).header("content-type", "application/json")
    }

    async fn post_json(&self, path: &str, json: impl Into<Body>) -> Response<Bytes> {
        self.send(self.json(path).body(json.into()).unwrap()).await
    }

    /// The one answer to a request of a page to `/echo`, of which these are the last header lines
    /// and the body as it goes over the wire, and whether the connection is closed after it.
    async fn wire(&self, framing: &str, body: &[u8]) -> (Response<Bytes>, bool) {
        let address = self.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /echo HTTP/1.1\r\nhost: {address}\r\norigin: http://localhost:5173\r\n\
             content-type: application/json\r\n{framing}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut all = Vec::new();
        let answer = loop {
            if let Some(answer) = parsed(&all) {
                break answer;
            }
            assert!(timeout(PATIENCE, stream.read_buf(&mut all)).await.unwrap().unwrap() > 0);
        };
        // Nothing comes after it but the end, or the answer to another request.
        let closed = timeout(PATIENCE, async {
            let _ = stream.write_all(b"GET /users/1 HTTP/1.1\r\nhost: a\r\n\r\n").await;
            stream.read_u8().await.is_err()
        });
        (answer, closed.await.unwrap())
    }

    /// What the stack puts on its answers, and a line in the log for it.
    async fn assert_refused(&self, answer: &Response<Bytes>, by: (&str, &str)) {
        assert_problem(answer, by.1);
        for (name, value) in API_HEADERS {
            assert_eq!(only(answer.headers(), name), value);
        }
        assert_eq!(only(answer.headers(), "access-control-allow-origin"), "http://localhost:5173");
        let line = self.access_line("/echo", id(answer)).await;
        assert_eq!((&line["rejected_by"], &line["reason"]), (&json!(by.0), &json!(by.1)));
        assert_eq!(line["status"], answer.status().as_u16(), "{line}");
    }

    /// The most memory that the process has ever had in use, in bytes.
    fn peak(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap()));
        let status = status.unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }
}

/// An answer with a length, once all of it has come.
fn parsed(all: &[u8]) -> Option<Response<Bytes>> {
    let end = all.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(&all[..end]).unwrap(), &all[end + 4..]);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap().split_at(3).0;
    let answer = lines.fold(Response::builder().status(status), |answer, line| {
        let (name, value) = line.split_once(": ").unwrap();
        answer.header(name, value)
    });
    let answer = answer.body(Bytes::copy_from_slice(body)).unwrap();
    let length: usize = only(answer.headers(), "content-length").parse().unwrap();
    assert!(body.len() <= length, "more than one answer: {}", String::from_utf8_lossy(body));
    (body.len() == length).then_some(answer)
}

/// A body of undeclared length.
fn chunked<T: Into<Bytes> + Send + 'static>(
    pieces: impl IntoIterator<Item = T, IntoIter: Send + 'static>,
) -> Body {
    Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, io::Error>)))
}

/// The first thing that is wrong, as its rule and its place.
fn wrong(answer: &Response<Bytes>) -> (String, String) {
    let document = json_of(answer);
    let text = |member: &str| document["errors"][0][member].as_str().unwrap_or_default().to_owned();
    (text("rule"), text("pointer"))
}

#[tokio::test]
async fn what_parsers_would_take_apart_is_refused_with_the_rule_and_the_place() {
    let service = Service::start().await;
    for (sent, rule, pointer) in [
        (r#"{"user":{"role":"user","\u0072ole":"admin"}}"#, "duplicate_key", "/user/role"),
        (r#"{"a/b":1,"a\/b":2}"#, "duplicate_key", "/a~1b"),
        (r#"[{"__proto__":{"admin":true}}]"#, "prototype_key", "/0/__proto__"),
        (r#"{"\u005f_proto\u005f_":1}"#, "prototype_key", "/__proto__"),
        (r#"{"a":1,}"#, "syntax", "/a"),
        (r#"{"a":"\u0000"}"#, "nul", "/a"),
        (r#"{"a":"\ud800"}"#, "lone_surrogate", "/a"),
    ] {
        // Judged before the handler is called, and while it reads.
        for body in [Body::from(sent), chunked(sent.bytes().map(|byte| vec![byte]))] {
            let answer = service.post_json("/echo", body).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{sent}");
            assert_problem(&answer, sent);
            assert_eq!(wrong(&answer), (rule.to_owned(), pointer.to_owned()), "{sent}");
            let line = service.access_line("/echo", id(&answer)).await;
            assert_eq!(line["rejected_by"], "sanitize", "{line}");
            assert_eq!(line["reason"], rule, "{line}");
            let place = format!("body {pointer}: ");
            assert!(line["violation"].as_str().unwrap().starts_with(&place), "{line}");
        }
    }
}

#[tokio::test]
async fn a_text_that_is_not_declared_to_be_html_comes_back_as_it_was() {
    let service = Service::start().await;
    let sent = r#"{"password":"a<b&c","n":1.50,"u":"\u00fc"}"#;
    let answer = service.post_json("/echo", sent).await;
    assert_eq!(json_of(&answer), serde_json::from_str::<Value>(sent).unwrap());
    assert!(text(&answer).contains(r#""password":"a<b&c""#), "{}", text(&answer));
}

#[tokio::test]
async fn a_body_that_grows_past_the_limit_is_one_clean_413() {
    let service = Service::start().await;
    let of = |bytes: usize| {
        let (text, rest) = (b"[".to_vec(), vec![b' '; 4096]);
        let blanks = std::iter::repeat_n(rest, (bytes - 4096) / 4096);
        let end = format!("{:>1$}", "]", 4095).into_bytes();
        chunked(std::iter::once(text).chain(blanks).chain([end]))
    };
    let answer = service.post_json("/echo", of(LIMIT)).await;
    assert_eq!((answer.status(), text(&answer)), (StatusCode::OK, "[]"));
    let answer = service.post_json("/echo", of(LIMIT + 4096)).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_problem(&answer, "past the limit");
    let line = service.access_line("/echo", id(&answer)).await;
    assert_eq!((&line["rejected_by"], &line["status"]), (&json!("body_limit"), &json!(413)));
}

#[tokio::test]
async fn a_body_of_another_kind_is_415_with_what_is_taken() {
    let service = Service::start().await;
    for kind in
        ["text/plain", "application/json; charset=utf-16", "json", "", "multipart/form-data"]
    {
        let request = service.request("POST", "/echo").header("content-type", kind);
        let answer = service.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
        assert_problem(&answer, kind);
        let takes = "application/json, application/x-www-form-urlencoded";
        assert_eq!(only(answer.headers(), "accept"), takes, "{kind}");
    }
    let two = service.json("/echo").header("content-type", "application/json");
    let none = service.request("POST", "/echo");
    for request in [two, none] {
        let answer = service.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    // What is the same in other words is taken.
    let request = service.request("POST", "/echo");
    let request = request.header("content-type", "Application/JSON ; charset=\"UTF-8\"");
    let answer = service.send(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_nobody_decodes_is_415() {
    let service = Service::start().await;
    for (path, kind) in [("/echo", "application/json"), ("/upload", "application/octet-stream")] {
        let request = service.request("POST", path).header("content-type", kind);
        let request = request.header("content-encoding", "gzip");
        let answer = service.send(request.body(Body::from("\u{1f}")).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path}");
        assert_eq!(only(answer.headers(), "accept-encoding"), "identity");
        assert_eq!(wrong(&answer).0, "content_encoding");
    }
}

#[tokio::test]
async fn queries_are_typed_and_strict() {
    let service = Service::start().await;
    let titles = async |path: &str| json_of(&service.get(path).await)["matches"].clone();
    assert_eq!(titles("/search?q=").await, titles("/search?q=&page=1").await);
    assert_eq!(titles("/search?q=&page=1").await.as_array().unwrap().len(), 5);
    assert_eq!(titles("/search?q=&page=2").await[4]["author"], "James Clerk Maxwell");
    assert_eq!(titles("/search?q=&page=3").await, json!([]));

    for page in ["0", "01", "%2B1", "-1", "1e0", "1.0", "", "65536", "%D9%A1", "NaN"] {
        let answer = service.get(&format!("/search?q=&page={page}")).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{page}");
        assert_problem(&answer, page);
        let told = &json_of(&answer)["errors"][0];
        assert_eq!(told["pointer"], "/page", "{page}: {told}");
        assert_eq!(told["detail"], "expected an integer from 1 to 65535", "{page}: {told}");
    }
}

#[tokio::test]
async fn a_number_in_a_path_is_written_in_one_way() {
    let service = Service::start().await;
    assert_eq!(service.get("/users/1").await.status(), StatusCode::OK);
    for number in ["+1", "01", "-0", "1e0", "%D9%A1"] {
        for path in ["/users", "/secrets", "/books", "/orders"] {
            let answer = service.get(&format!("{path}/{number}")).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}/{number}");
            assert_problem(&answer, path);
        }
    }
}

#[tokio::test]
async fn parameters_and_paths_that_servers_disagree_on_are_refused() {
    let service = Service::start().await;
    for (path, rule) in [
        ("/search?q=a&q=b", "repeated_parameter"),
        ("/search?q=a&%71=b", "repeated_parameter"),
        ("/search?q=a&q[]=b", "repeated_parameter"),
        ("/search?q=a&__proto__[admin]=1", "prototype_key"),
        ("/search?q=%zz", "percent_encoding"),
        ("/users/%2e%2e/secrets/1", "traversal"),
        ("/users/1%2f..", "encoded_slash"),
        ("/users/a%2fb", "encoded_slash"),
    ] {
        let answer = service.get(path).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
        assert_problem(&answer, path);
        assert_eq!(wrong(&answer).0, rule, "{path}");
    }
}

#[tokio::test]
async fn html_is_cleaned_in_the_field_that_is_declared_to_hold_it() {
    let service = Service::start().await;
    let sent = json!({
        "author": "a<b&c",
        "stars": 5,
        "text": r#"<b onclick="x()">hi</b><script>x()</script><a href="javascript:x()">!</a>"#,
    });
    let answer = service.post_json("/comments", sent.to_string()).await;
    assert_eq!(answer.status(), StatusCode::OK, "{}", text(&answer));
    let kept = json_of(&answer);
    assert_eq!(kept["author"], "a<b&c");
    let cleaned = kept["text"].as_str().unwrap();
    assert!(cleaned.starts_with("<b>hi</b>"), "{cleaned}");
    assert!(!cleaned.contains("x()"), "{cleaned}");
}

#[tokio::test]
async fn a_comment_that_is_not_valid_is_422_with_each_place_and_no_value() {
    let service = Service::start().await;
    let sent = r#"{"author":"","stars":6,"text":"<script>hunter2</script>"}"#;
    let answer = service.post_json("/comments", sent).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_problem(&answer, sent);
    let document = json_of(&answer);
    let mut places: Vec<_> = document["errors"].as_array().unwrap().iter().collect();
    places.sort_by_key(|error| error["pointer"].as_str());
    let places: Vec<_> = places.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(places, ["/author", "/stars", "/text"]);

    for (sent, pointer) in [
        (r#"{"author":"ada","stars":"hunter2","text":"hi"}"#, "/stars"),
        (r#"{"author":"ada","stars":256,"text":"hi"}"#, "/stars"),
        (r#"{"author":"ada","stars":5,"text":"hi","more":"hunter2"}"#, "/more"),
    ] {
        let answer = service.post_json("/comments", sent).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{sent}");
        assert_eq!(wrong(&answer).1, pointer, "{}", text(&answer));
        assert!(!text(&answer).contains("hunter2"), "{}", text(&answer));
    }
    assert!(!service.whole_log().await.contains("hunter2"));
}

#[tokio::test]
async fn an_upload_of_64_mib_is_received_in_bounded_memory() {
    let service = Service::start().await;
    let upload = async |pieces: usize| {
        let all = std::iter::repeat_n(Bytes::from(vec![b'x'; 64 * 1024]), pieces);
        let request = service.request("POST", "/upload");
        let request = request.header("content-type", "application/octet-stream");
        json_of(&service.send(request.body(chunked(all)).unwrap()).await)
    };
    assert_eq!(upload(1).await["bytes"], 64 * 1024);
    let before = service.peak();
    let received = upload(1024).await;
    let grown = service.peak() - before;
    assert_eq!(received["bytes"], 64 * MIB);
    let mut digest = Context::new(&SHA256);
    (0..1024).for_each(|_| digest.update(&[b'x'; 64 * 1024]));
    let digest: Vec<_> =
        digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(received["sha256"], digest.concat());
    assert!(grown < 8 * MIB, "it took {grown} bytes");
}

#[tokio::test]
async fn an_upload_is_of_no_kind_that_is_to_be_judged_and_has_a_limit_too() {
    let service = Service::start().await;
    let answer = service.post_json("/upload", "{}").await;
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let request = service.request("POST", "/upload").header("content-length", 256 * MIB + 1);
    let nothing = Body::from_stream(stream::pending::<io::Result<Bytes>>());
    let answer = service.send(request.body(nothing).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_problem(&answer, "past the limit");
    // Its stack has what the others' has.
    assert!(answer.headers().contains_key("strict-transport-security"));
}

#[tokio::test]
async fn what_was_refused_is_counted_by_rule() {
    let service = Service::start().await;
    service.post_json("/echo", r#"{"__proto__":1}"#).await;
    service.post_json("/upload", "{}").await;
    let page = service.get("/metrics").await;
    for (guard, rule) in [("http", "prototype_key"), ("uploads", "content_type")] {
        let line = format!(r#"sanitize_refusals_total{{guard="{guard}",rule="{rule}"}} 1"#);
        assert!(text(&page).contains(&line), "{line}");
    }
}

/// The limit of the guards is 10 seconds, and no setting.
#[tokio::test]
async fn a_body_that_stalls_is_one_clean_408_and_the_end_of_the_connection() {
    let service = Service::start().await;
    let start = Instant::now();
    // Judged before the handler is called, and while it reads.
    let stalled = [("content-length: 100", "[1, 2"), ("transfer-encoding: chunked", "2\r\n[1\r\n")];
    let answers = stalled.map(|(framing, body)| service.wire(framing, body.as_bytes()));
    for (answer, is_closed) in join_all(answers).await {
        assert_eq!((answer.status(), is_closed), (StatusCode::REQUEST_TIMEOUT, true));
        assert_eq!(only(answer.headers(), "connection"), "close");
        service.assert_refused(&answer, ("sanitize", "body_time")).await;
    }
    assert!(start.elapsed().as_secs() >= 10, "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_is_refused_after_the_handler_has_begun_is_one_clean_answer() {
    let service = Service::start().await;
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let large = chunk(&format!("[{}", " ".repeat(LIMIT - 1))) + &chunk("]");
    let twice = chunk(r#"{"role":1,"#) + &chunk(r#""\u0072ole":2}"#);
    for (body, status, by) in [
        (twice, StatusCode::BAD_REQUEST, ("sanitize", "duplicate_key")),
        (chunk("[1") + &chunk(",]"), StatusCode::BAD_REQUEST, ("sanitize", "syntax")),
        (large, StatusCode::PAYLOAD_TOO_LARGE, ("body_limit", "too_large")),
    ] {
        let body = body + "0\r\n\r\n";
        let (answer, _) = service.wire("transfer-encoding: chunked", body.as_bytes()).await;
        assert_eq!(answer.status(), status);
        service.assert_refused(&answer, by).await;
    }
    // Nobody waits for what is declared to be too large.
    let declared = format!("content-length: {}", LIMIT + 1);
    let (answer, _) = service.wire(&declared, b"").await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    service.assert_refused(&answer, ("body_limit", "too_large")).await;
}
