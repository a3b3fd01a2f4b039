//! The service as it is built, driven over real HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test is meant to panic"
)]

use std::{io, net::TcpListener, process::Stdio, time::Duration};

use axum::{
    body::{self, Body, Bytes},
    http::{HeaderMap, HeaderValue, Request, Response, StatusCode, request},
};
use futures_util::stream;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

/// For what is a matter of milliseconds, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// The stack's body limit.
const LIMIT: usize = 1 << 20;

const API_HEADERS: [(&str, &str); 9] = [
    (
        "content-security-policy",
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=63072000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-permitted-cross-domain-policies", "none"),
    ("cache-control", "no-store"),
];

/// What the texts of `/fail` and `/panic` have in them.
const SECRETS: [&str; 3] = ["hunter2", "postgres", "api key"];

/// The running binary; it is killed when this is dropped.
struct Service {
    base: String,
    client: Client<HttpConnector, Body>,
    log: watch::Receiver<String>,
    _child: Child,
}

impl Service {
    async fn start() -> Self {
        let mut child = example()
            .env("BIND", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = collect(child.stderr.take().unwrap());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let line = line.expect("a line on stdout");
        let base = line.strip_prefix("listening on ").expect(&line).to_owned();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { base, client, log, _child: child }
    }

    fn request(&self, method: &str, path: &str) -> request::Builder {
        Request::builder().method(method).uri(format!("{}{path}", self.base))
    }

    async fn send(&self, request: Request<Body>) -> Response<Bytes> {
        let answer = timeout(PATIENCE, self.client.request(request)).await.unwrap().unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = timeout(PATIENCE, body::to_bytes(Body::new(body), 1 << 20)).await;
        Response::from_parts(parts, bytes.unwrap().unwrap())
    }

    async fn get(&self, path: &str) -> Response<Bytes> {
        self.send(self.request("GET", path).body(Body::empty()).unwrap()).await
    }

    /// The log, once it has a line with all of these in it.
    async fn logged(&self, parts: &[&str]) -> String {
        let has = |log: &str| log.lines().any(|line| parts.iter().all(|part| line.contains(part)));
        let mut log = self.log.clone();
        let found = timeout(PATIENCE, log.wait_for(|log| has(log))).await;
        found.unwrap_or_else(|_| panic!("no line with {parts:?} in the log")).unwrap().clone()
    }
}

fn example() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-axum"));
    command.env_remove("BIND").env_remove("RUST_LOG").kill_on_drop(true);
    command
}

/// Keeps what is written there, for as long as anything is.
fn collect(stderr: impl AsyncRead + Send + Unpin + 'static) -> watch::Receiver<String> {
    let (kept, log) = watch::channel(String::new());
    let mut lines = BufReader::new(stderr).lines();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            kept.send_modify(|log| log.extend([&*line, "\n"]));
        }
    });
    log
}

fn text(answer: &Response<Bytes>) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}

fn json_of(answer: &Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body())
        .unwrap_or_else(|error| panic!("{error}: {}", text(answer)))
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let mut lines = headers.get_all(name).iter();
    let value = lines.next().unwrap_or_else(|| panic!("no {name}"));
    assert!(lines.next().is_none(), "{name} is there twice");
    value.to_str().unwrap()
}

fn id(answer: &Response<Bytes>) -> &str {
    only(answer.headers(), "x-request-id")
}

fn assert_problem(answer: &Response<Bytes>, what: &str) {
    assert_eq!(only(answer.headers(), "content-type"), "application/problem+json", "{what}");
    let problem = json_of(answer);
    assert_eq!(problem["status"], answer.status().as_u16(), "{what}");
    assert_eq!(problem["request_id"], id(answer), "{what}");
}

#[tokio::test]
async fn every_answer_has_the_callers_id_and_the_headers_of_an_api() {
    let service = Service::start().await;
    let json = r#"{"a":[1,null,"ü"]}"#;
    for (i, (method, path, body, status)) in [
        ("GET", "/users/42", "", 200),
        ("HEAD", "/users/42", "", 200),
        ("GET", "/users/0", "", 404),
        ("GET", "/users/none", "", 400),
        ("POST", "/users/42", "", 405),
        ("POST", "/echo", json, 200),
        ("POST", "/echo", "{", 400),
        ("GET", "/echo", "", 405),
        ("GET", "/slow?ms=1", "", 200),
        ("GET", "/slow?ms=10001", "", 400),
        ("GET", "/slow?ms=-1", "", 400),
        ("GET", "/stream?chunks=2&ms=1", "", 200),
        ("GET", "/stream?chunks=101", "", 400),
        ("GET", "/stream?ms=1001", "", 400),
        ("GET", "/fail", "", 500),
        ("GET", "/panic", "", 500),
        ("GET", "/outbound", "", 200),
        ("GET", "/nowhere", "", 404),
        ("DELETE", "/", "", 405),
    ]
    .into_iter()
    .enumerate()
    {
        let what = format!("{method} {path}");
        let id = format!("smoke-{i}");
        let request = service
            .request(method, path)
            .header("x-request-id", &id)
            .header("content-type", "application/json")
            .body(Body::from(body))
            .unwrap();
        let answer = service.send(request).await;

        assert_eq!(answer.status(), status, "{what}");
        assert_eq!(only(answer.headers(), "x-request-id"), id, "{what}");
        for (name, value) in API_HEADERS {
            assert_eq!(only(answer.headers(), name), value, "{what}: {name}");
        }
        if status >= 400 {
            assert_problem(&answer, &what);
        }
        let whole = format!("{:?} {}", answer.headers(), text(&answer));
        assert!(SECRETS.iter().all(|secret| !whole.contains(secret)), "{what}: {whole}");
        let (asked, _) = what.split_once('?').unwrap_or((&what, ""));
        service.logged(&["access", asked, &id]).await;
    }
}

#[tokio::test]
async fn the_json_routes_answer_with_json() {
    let service = Service::start().await;
    assert_eq!(json_of(&service.get("/users/42").await), json!({ "id": 42, "name": "User 42" }));
    assert_eq!(json_of(&service.get("/slow?ms=3").await), json!({ "slept_ms": 3 }));

    let sent = json!({ "a": [1, null, "ü"], "b": { "c": 1.5 } });
    let request = service.request("POST", "/echo").header("content-type", "application/json");
    let answer = service.send(request.body(Body::from(sent.to_string())).unwrap()).await;
    assert_eq!(json_of(&answer), sent);
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    let service = Service::start().await;
    let request = service.request("POST", "/echo").header("content-type", "text/plain");
    let answer = service.send(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_problem(&answer, "text/plain");
}

#[tokio::test]
async fn a_method_that_is_not_served_is_told_what_is() {
    let service = Service::start().await;
    for (method, path, allow) in
        [("DELETE", "/users/1", "GET,HEAD"), ("PUT", "/echo", "POST"), ("POST", "/", "GET,HEAD")]
    {
        let answer = service.send(service.request(method, path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(only(answer.headers(), "allow"), allow, "{path}");
    }
}

#[tokio::test]
async fn an_id_that_is_not_fit_is_replaced() {
    let service = Service::start().await;
    let too_long = "x".repeat(129);
    let lists: [&[&[u8]]; 7] = [
        &[b""],
        &[b"two words"],
        &[b"1\" level=ERROR"],
        &[b"../../etc/passwd"],
        &[b"caf\xc3\xa9"],
        &[too_long.as_bytes()],
        &[b"a", b"b"],
    ];
    for lines in lists {
        let mut request = service.request("GET", "/users/42");
        for line in lines {
            request = request.header("x-request-id", HeaderValue::from_bytes(line).unwrap());
        }
        let answer = service.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(id(&answer).len(), 36, "{}", lines[0].escape_ascii());
    }
    let log = service.logged(&["request id refused", r#"1\" level=ERROR"#]).await;
    assert!(!log.contains(r#"1" level=ERROR"#), "{log}");
}

#[tokio::test]
async fn what_fails_is_in_the_log_under_the_answers_id() {
    let service = Service::start().await;
    let answer = service.get("/fail").await;
    service.logged(&["ERROR", "hunter2@db.internal", id(&answer)]).await;
    let answer = service.get("/panic").await;
    service.logged(&["ERROR", "panicked", "api key hunter2", "routes.rs:", id(&answer)]).await;
}

#[tokio::test]
async fn each_exchange_has_one_access_line() {
    let service = Service::start().await;
    let first = service.get("/users/42").await;
    let line = ["access", "GET /users/42 status=200 outcome=\"complete\"", id(&first)];
    service.logged(&line).await;
    let second = service.get("/nowhere").await;
    let log = service.logged(&["access", id(&second)]).await;
    let lines: Vec<_> = log.lines().filter(|line| line.contains(id(&first))).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("bytes=26 "), "{lines:?}");
    assert!(lines[0].contains("client_ip=127.0.0.1"), "{lines:?}");
}

#[tokio::test]
async fn an_exchange_that_the_client_leaves_has_its_line_too() {
    let service = Service::start().await;
    let request = service.request("GET", "/stream?chunks=100&ms=1000").body(Body::empty()).unwrap();
    let answer = service.client.request(request).await.unwrap();
    let id = only(answer.headers(), "x-request-id").to_owned();
    drop(answer);
    service.logged(&["access", "outcome=\"client_gone\"", &id]).await;
}

#[tokio::test]
async fn the_page_has_its_own_headers_and_a_nonce_for_each_request() {
    let service = Service::start().await;
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let page = service.get("/").await;
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(only(page.headers(), "content-type"), "text/html; charset=utf-8");
        assert_eq!(only(page.headers(), "x-frame-options"), "SAMEORIGIN");
        assert_eq!(only(page.headers(), "cache-control"), "no-store");
        assert_eq!(id(&page).len(), 36);
        let policy = only(page.headers(), "content-security-policy");
        assert!(!policy.contains("upgrade-insecure-requests"), "links would break over plain HTTP");
        let (_, rest) = policy.split_once("script-src 'nonce-").expect(policy);
        let (nonce, _) = rest.split_once('\'').unwrap();
        assert_eq!(text(&page).matches(&format!(" nonce=\"{nonce}\">")).count(), 2);
        assert!(text(&page).contains(&format!("curl -i {}/users/42", service.base)));
        assert!(!text(&page).contains("{nonce}") && !text(&page).contains("{origin}"));
        nonces.push(nonce.to_owned());
    }
    assert_ne!(nonces[0], nonces[1]);
}

#[tokio::test]
async fn an_outbound_call_carries_the_id() {
    let service = Service::start().await;
    let request = service.request("GET", "/outbound").header("x-request-id", "order-4711");
    let answer = service.send(request.body(Body::empty()).unwrap()).await;
    let upstream = json!({
        "status": 200, "request_id": "order-4711", "body": { "id": 1, "name": "User 1" },
    });
    assert_eq!(json_of(&answer), json!({ "request_id": "order-4711", "upstream": upstream }));
    service.logged(&["access", "GET /users/1 ", "order-4711"]).await;
    service.logged(&["access", "GET /outbound ", "order-4711"]).await;
}

#[tokio::test]
async fn each_line_of_a_stream_knows_the_request() {
    let service = Service::start().await;
    let request = service.request("GET", "/stream?chunks=3&ms=1").header("x-request-id", "s1");
    let answer = service.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(text(&answer), "1/3 request_id=s1\n2/3 request_id=s1\n3/3 request_id=s1\n");
    assert_eq!(text(&service.get("/stream?chunks=0").await), "");
}

#[tokio::test]
async fn answers_are_compressed_for_whom_it_suits() {
    let service = Service::start().await;
    let request = service.request("GET", "/").header("accept-encoding", "gzip");
    let answer = service.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(only(answer.headers(), "content-encoding"), "gzip");
    assert!(answer.body().starts_with(&[0x1f, 0x8b]));
    assert!(!service.get("/").await.headers().contains_key("content-encoding"));
}

#[tokio::test]
async fn a_body_past_the_limit_is_refused_whether_or_not_its_length_is_declared() {
    let service = Service::start().await;
    // The one is refused before a byte of it was sent; the other when it has come so far.
    let nothing = stream::pending::<io::Result<Bytes>>();
    let chunks = stream::iter([Ok::<_, io::Error>(vec![b' '; LIMIT + 1])]);
    for (declared, body) in
        [(Some(LIMIT + 1), Body::from_stream(nothing)), (None, Body::from_stream(chunks))]
    {
        let mut request =
            service.request("POST", "/echo").header("content-type", "application/json");
        if let Some(length) = declared {
            request = request.header("content-length", length);
        }
        let answer = service.send(request.body(body).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_problem(&answer, "a body past the limit");
    }
}

#[tokio::test]
async fn pages_of_the_front_end_may_call_and_no_others() {
    let service = Service::start().await;
    for (origin, allowed, status) in
        [("http://localhost:5173", true, 200), ("https://evil.example", false, 403)]
    {
        let preflight = service
            .request("OPTIONS", "/echo")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .body(Body::empty())
            .unwrap();
        let answer = service.send(preflight).await;
        let told = answer.headers().get("access-control-allow-origin");
        assert_eq!(told.is_some_and(|value| value == origin), allowed, "{origin}");
        assert_eq!(id(&answer).len(), 36);

        let post = service
            .request("POST", "/echo")
            .header("origin", origin)
            .header("sec-fetch-site", "cross-site")
            .header("content-type", "application/json")
            .body(Body::from("{}"))
            .unwrap();
        let answer = service.send(post).await;
        assert_eq!(answer.status(), status, "{origin}");
        if !allowed {
            assert_problem(&answer, origin);
            service.logged(&["access", "rejected=csrf.cross_origin", id(&answer)]).await;
        }
    }
}

#[tokio::test]
async fn a_page_of_the_front_end_can_read_a_panics_500() {
    let service = Service::start().await;
    let request = service.request("GET", "/panic").header("origin", "http://localhost:5173");
    let answer = service.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(only(answer.headers(), "access-control-allow-origin"), "http://localhost:5173");
    let exposed = only(answer.headers(), "access-control-expose-headers");
    assert!(exposed.contains("x-request-id"), "{exposed}");
}

#[tokio::test]
async fn the_stack_in_force_is_logged_at_the_start() {
    let service = Service::start().await;
    service.logged(&["INFO stack: client ip    the peer"]).await;
    service.logged(&["INFO stack: request id   x-request-id; accepted if valid"]).await;
    service.logged(&["INFO stack: body limit   1048576 bytes"]).await;
}

#[tokio::test]
async fn the_tour_tells_nothing_but_the_truth_and_in_plain_text() {
    let output = timeout(PATIENCE, example().arg("tour").output()).await.unwrap().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("claims hold.\n"), "{told}");
    assert!(!told.contains("NOT SO"), "{told}");
    assert!(!told.contains('\x1b'), "{told}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_with_what_would_be_one() {
    for bind in ["localhost:3000", "3000", "127.0.0.1", ":3000", "127.0.0.1:65536", ""] {
        let run = example().env("BIND", bind).output();
        let output = timeout(PATIENCE, run).await.unwrap().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with(&format!("BIND={bind:?} is no address and port; ")), "{said}");
        assert!(said.contains("write 127.0.0.1:3000"), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = example().env("BIND", &address).output();
    let output = timeout(PATIENCE, run).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("cannot listen on {address}: ")), "{said}");
}

#[tokio::test]
async fn words_that_it_does_not_know_are_answered_by_the_usage() {
    for words in [&["tuor"][..], &["--help"], &["tour", "de", "france"]] {
        let output = timeout(PATIENCE, example().args(words).output()).await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stderr.starts_with(b"usage: example-axum"), "{words:?}");
        assert!(output.stdout.is_empty());
    }
}
