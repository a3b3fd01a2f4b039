//! The service as it is built, driven over real HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test is meant to panic"
)]

use std::{
    env, fs,
    io::{self, Write},
    net::TcpListener,
    process::Stdio,
    time::Duration,
};

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
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::{sleep, timeout},
};

#[path = "smoke/books.rs"]
mod books;
#[path = "smoke/config.rs"]
mod config;
#[path = "smoke/health.rs"]
mod health;
#[path = "smoke/limits.rs"]
mod limits;
#[path = "smoke/sanitize.rs"]
mod sanitize;
#[path = "smoke/secrets.rs"]
mod secrets;
#[path = "smoke/shutdown.rs"]
mod shutdown;
#[path = "smoke/upstream.rs"]
mod upstream;

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
const SECRETS: [&str; 4] = ["hunter2", "postgres", "the orders", "api key"];

/// The running binary; it is killed when this is dropped.
struct Service {
    base: String,
    client: Client<HttpConnector, Body>,
    log: watch::Receiver<String>,
    child: Child,
}

impl Service {
    async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The service, started with these variables.
    async fn with(variables: &[(&str, &str)]) -> Self {
        let mut command = example();
        // Room for what a test asks.
        command.env("LIMIT_GENERAL", "100000/s").env("LIMIT_BURST", "100000/s");
        // No balancer is to notice.
        command.env("SHUTDOWN_PRE_STOP", "0s");
        Self::of(command.envs(variables.iter().copied())).await
    }

    async fn of(command: &mut Command) -> Self {
        let mut child = command
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
        Self { base, client, log, child }
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

    /// The first line of the log that has all of these in it, once it is there.
    async fn line(&self, parts: &[&str]) -> Value {
        let find = |log: &str| {
            log.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
        };
        let mut log = self.log.clone();
        let found = timeout(PATIENCE, log.wait_for(|log| find(log).is_some())).await;
        let found = found.unwrap_or_else(|_| panic!("no line with {parts:?} in the log")).unwrap();
        let line = find(&found).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The access line of the request to this path that has this id.
    async fn access_line(&self, path: &str, id: &str) -> Value {
        let path = format!(r#""path":"{path}""#);
        let id = format!(r#""request_id":"{id}""#);
        self.line(&[r#""target":"access""#, &path, &id]).await
    }

    /// Everything that was logged before this.
    async fn whole_log(&self) -> String {
        // Lines come in their order.
        let last = self.get("/users/999").await;
        self.access_line("/users/999", id(&last)).await;
        self.log.borrow().clone()
    }
}

/// With no settings but those that are given to it.
fn example() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-axum"));
    // Nor those of a `.env`.
    command.env_clear().current_dir(env!("CARGO_TARGET_TMPDIR"));
    command.kill_on_drop(true);
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

/// Says so, past the harness, which shows nothing of a test that passes.
fn not_run(test: &str, tool: &str) {
    let mut out = io::stderr();
    writeln!(out, "{test}: NOT RUN, there is no `{tool}` here").unwrap();
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
        ("POST", "/login", r#"{"user":"ada","password":"lovelace"}"#, 200),
        ("POST", "/login", r#"{"user":"ada","password":"byron"}"#, 401),
        ("GET", "/login", "", 405),
        ("GET", "/search?q=engine", "", 200),
        ("GET", "/search", "", 422),
        ("GET", "/search?q=a&q=b", "", 400),
        ("POST", "/echo", r#"{"a":1,"a":2}"#, 400),
        ("POST", "/comments", r#"{"author":"ada","stars":5,"text":"hi"}"#, 200),
        ("POST", "/comments", r#"{"author":"ada","stars":6,"text":"hi"}"#, 422),
        ("GET", "/comments", "", 405),
        ("POST", "/upload", "", 200),
        ("POST", "/upload", "{}", 415),
        ("GET", "/upload", "", 405),
        ("GET", "/slow?ms=1", "", 200),
        ("GET", "/slow?ms=10001", "", 400),
        ("GET", "/slow?ms=-1", "", 400),
        ("GET", "/stream?chunks=2&ms=1", "", 200),
        ("GET", "/stream?chunks=101", "", 400),
        ("GET", "/stream?ms=1001", "", 400),
        ("GET", "/fail", "", 500),
        ("GET", "/panic", "", 500),
        ("GET", "/outbound", "", 200),
        ("GET", "/upstream", "", 200),
        ("HEAD", "/upstream", "", 200),
        ("POST", "/upstream", "", 200),
        ("PUT", "/upstream", "", 405),
        ("GET", "/upstream?fail=11", "", 400),
        ("GET", "/upstream/state", "", 200),
        ("GET", "/books", "", 200),
        ("GET", "/books?page=0", "", 422),
        ("GET", "/books/1", "", 404),
        ("POST", "/books", "{}", 422),
        ("DELETE", "/books/1", "", 405),
        ("POST", "/orders", r#"{"book":1,"copies":1}"#, 404),
        ("GET", "/orders", "", 405),
        ("GET", "/orders/1", "", 404),
        ("POST", "/secrets", r#"{"name":"mail","value":"tk_1"}"#, 201),
        ("POST", "/secrets", r#"{"name":"mail"}"#, 422),
        ("GET", "/secrets", "", 405),
        ("GET", "/secrets/1", "", 200),
        ("GET", "/secrets/2", "", 404),
        ("DELETE", "/secrets/1", "", 405),
        ("GET", "/secrets/1/sealed", "", 200),
        ("GET", "/secrets/2/sealed", "", 404),
        ("POST", "/secrets/rotate", "", 200),
        ("GET", "/secrets/rotate", "", 405),
        ("GET", "/report", "", 200),
        ("POST", "/report", "", 405),
        ("GET", "/ws", "", 400),
        ("POST", "/events", "", 405),
        ("GET", "/nowhere", "", 404),
        ("GET", "/status", "", 404),
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
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        let line = service.access_line(path, &id).await;
        assert_eq!(line["status"], status, "{what}");
        assert_eq!(line["method"], method, "{what}");
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
    let debug = [("RUST_LOG", "info,buttress_request_id=debug"), ("ALLOW_DEBUG", "true")];
    let service = Service::with(&debug).await;
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
    let line = service.line(&["request id refused", "level=ERROR"]).await;
    assert_eq!(line["request_id_rejected"], r#"1\" level=ERROR"#);
}

#[tokio::test]
async fn what_fails_is_in_the_log_under_the_answers_id() {
    let service = Service::start().await;
    let answer = service.get("/fail").await;
    let line = service.line(&["request failed", id(&answer)]).await;
    assert_eq!(line["level"], "ERROR");
    let chain = "cannot read the orders: \
        cannot connect to postgres://app:[REDACTED]@db.internal:5432/orders";
    assert_eq!(line["error"], chain);

    let line = service.access_line("/fail", id(&answer)).await;
    assert_eq!(line["error_type"], "server_error");

    let answer = service.get("/users/0").await;
    let line = service.access_line("/users/0", id(&answer)).await;
    assert!(line["error_type"].is_null(), "the client's mistake is no error of ours: {line}");
}

/// Also where the environment asks for backtraces: in production the log is not made to wait for
/// one.
#[tokio::test]
async fn a_panic_is_one_line_and_nothing_past_the_log() {
    let service = Service::with(&[("RUST_BACKTRACE", "1")]).await;
    let answer = service.get("/panic").await;
    let line = service.line(&[r#""target":"panic""#, id(&answer)]).await;
    assert_eq!((&line["level"], &line["message"]), (&"ERROR".into(), &"panicked".into()));
    assert_eq!(line["error"], "no row for api key hunter2");
    assert!(line["at"].as_str().unwrap().contains("src/routes.rs:"), "{line}");
    assert!(line["thread"].is_string() && line["backtrace"].is_null(), "{line}");
    assert_eq!(line["trace_id"], id(&answer).replace('-', ""));
    let line = service.access_line("/panic", id(&answer)).await;
    assert_eq!((&line["error_type"], &line["status"]), (&"panic".into(), &500.into()));
    assert!(line["rejected_by"].is_null(), "nobody has refused it: {line}");

    let log = service.whole_log().await;
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert_eq!(log.lines().filter(|line| line.contains("hunter2")).count(), 1, "{log}");
}

#[tokio::test]
async fn on_a_pipe_each_line_is_json_and_each_exchange_has_one() {
    for variables in [&[][..], &[("LOG_FORMAT", "json")]] {
        let service = Service::with(variables).await;
        let first = service.get("/users/42?page=2&token=hunter2").await;
        let second = service.get("/nowhere").await;
        let panicked = service.get("/panic").await;

        let line = service.access_line("/users/42", id(&first)).await;
        assert_eq!(line["message"], "GET /users/{id} 200");
        assert_eq!(line["service"], "example-axum");
        assert_eq!(line["trace_id"], id(&first).replace('-', ""));
        assert_eq!(line["route"], "/users/{id}");
        assert_eq!(line["query"], "page=2&token=[REDACTED]");
        assert_eq!(line["outcome"], "complete");
        assert_eq!(line["bytes_out"], 26);
        assert_eq!(line["client_ip"], "127.0.0.1");
        assert_eq!(line["viewed_user"], 42);
        let line = service.access_line("/nowhere", id(&second)).await;
        assert_eq!(line["message"], "GET - 404");
        assert!(line["route"].is_null(), "{line}");

        let log = service.whole_log().await;
        for line in log.lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
            assert!(line["timestamp"].is_string(), "{line}");
        }
        for answer in [&first, &second, &panicked] {
            let is_its = |line: &&str| line.contains(r#""access""#) && line.contains(id(answer));
            assert_eq!(log.lines().filter(is_its).count(), 1, "{log}");
        }
    }
}

#[tokio::test]
async fn pretty_lines_are_for_people() {
    let service = Service::with(&[("LOG_FORMAT", "pretty")]).await;
    let answer = service.get("/users/42").await;
    let mut log = service.log.clone();
    let id = id(&answer).to_owned();
    let has = |log: &String| {
        let mut lines = log.lines();
        lines.any(|line| line.contains("GET /users/{id} 200") && line.contains(&id))
    };
    let log = timeout(PATIENCE, log.wait_for(has)).await.unwrap().unwrap().clone();
    assert!(!log.contains(r#"{"timestamp""#), "{log}");
    assert!(!log.contains('\x1b'), "{log}");
}

#[tokio::test]
async fn levels_are_obeyed() {
    // Without a key there is a warning.
    let key = secrets::key("k1");
    let service = Service::with(&[("LOG_LEVEL", "warn"), ("SEAL_KEY", &key)]).await;
    service.get("/users/42").await;
    let missing = service.get("/nowhere").await;
    service.access_line("/nowhere", id(&missing)).await;
    let log = service.log.borrow().clone();
    // A busy machine has its line too: that is a warning.
    let lines = log.lines().filter(|line| !line.contains(r#""target":"buttress_health"#));
    assert_eq!(lines.count(), 1, "{log}");
    assert!(!log.contains(r#""level":"INFO""#), "{log}");
}

#[tokio::test]
async fn lines_go_to_a_file_where_one_is_named() {
    let folder = env::temp_dir().join(format!("example-axum-{}", std::process::id()));
    let file = folder.join("service.log");
    let service = Service::with(&[("LOG_FILE", file.to_str().unwrap())]).await;
    let answer = service.get("/users/42").await;
    let written = async {
        loop {
            let log = fs::read_to_string(&file).unwrap_or_default();
            if let Some(line) = log.lines().find(|line| line.contains(id(&answer))) {
                return serde_json::from_str::<Value>(line).unwrap();
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let line = timeout(PATIENCE, written).await.unwrap();
    assert_eq!(line["message"], "GET /users/{id} 200");
    assert_eq!(*service.log.borrow(), "");
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_log_file_that_cannot_be_opened_is_named() {
    let run = example().env("BIND", "127.0.0.1:0").env("LOG_FILE", "/dev/null/x").output();
    let output = timeout(PATIENCE, run).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot log to /dev/null/x: "), "{said}");
}

#[tokio::test]
async fn the_metrics_are_counted_to_the_last() {
    let service = Service::start().await;
    for id in 1..=5 {
        service.get(&format!("/users/{id}")).await;
    }
    service.get("/users/0").await;
    service.get("/outbound").await;
    for path in ["/a", "/b", "/c"] {
        service.get(path).await;
    }
    // What is in the log is counted.
    service.whole_log().await;
    let page = service.get("/metrics").await;
    assert_eq!(only(page.headers(), "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(only(page.headers(), "x-content-type-options"), "nosniff");
    assert_eq!(id(&page).len(), 36);
    let count = |name: &str, labels: &[&str]| -> u64 {
        let name = format!("{name}_count{{");
        let lines = text(&page).lines().filter(|line| {
            line.starts_with(&name) && labels.iter().all(|label| line.contains(label))
        });
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    let served = "http_server_request_duration_seconds";
    let (user, found) = (r#"http_route="/users/{id}""#, r#"http_response_status_code="200""#);
    // Five, that of `/outbound`, and the log's last one.
    assert_eq!(count(served, &[user, found]), 7);
    assert_eq!(count(served, &[user, r#"http_response_status_code="404""#]), 1);
    assert_eq!(count(served, &[r#"http_route="/outbound""#]), 1);
    assert_eq!(count(served, &[]), 12);
    assert_eq!(count("http_client_request_duration_seconds", &[]), 1);
    let unmatched =
        |line: &&str| line.starts_with(&format!("{served}_count")) && !line.contains("http_route");
    assert_eq!(text(&page).lines().filter(unmatched).count(), 1, "one for all unknown paths");
    for gauge in ["process_resident_memory_bytes ", "tokio_workers "] {
        assert!(text(&page).lines().any(|line| line.starts_with(gauge)), "no {gauge}");
    }
    let of_the_log = |name: &str| -> u64 {
        let line = text(&page).lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse().unwrap()
    };
    // One for each slot of the stack, and one for each of these requests but the scrape.
    assert!(of_the_log("log_lines_total ") >= 16 + 10, "{}", text(&page));
    assert_eq!(of_the_log("log_lines_lost_total "), 0);
    assert!(of_the_log("log_bytes_total ") > 0);

    let report = json_of(&service.get("/report").await);
    assert_eq!(report["since_start"]["requests"], 13, "{report}");
    let routes = report["since_start"]["by_route"].as_array().unwrap();
    let users = routes.iter().find(|route| route["route"] == "/users/{id}").unwrap();
    assert_eq!(users["requests"], 8);
    for percentile in ["p50", "p95", "p99"] {
        assert!(users["duration_ms"][percentile].as_f64().unwrap() > 0.0, "{users}");
    }

    let log = service.whole_log().await;
    assert!(!log.contains(id(&page)), "a scrape that goes well is no news");
}

#[tokio::test]
async fn the_numbers_are_for_those_who_have_the_token() {
    let service = Service::with(&[("METRICS_TOKEN", "c2NyYXBlcg==")]).await;
    for path in ["/metrics", "/report"] {
        for (authorization, status) in [
            (None, 401),
            (Some("Bearer c2NyYXBlcg"), 401),
            (Some("Basic c2NyYXBlcg=="), 401),
            (Some("Bearer c2NyYXBlcg=="), 200),
        ] {
            let mut request = service.request("GET", path);
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let answer = service.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status(), status, "{path} {authorization:?}");
            assert_eq!(id(&answer).len(), 36);
            if status == 401 {
                assert_eq!(only(answer.headers(), "www-authenticate"), "Bearer");
                assert_problem(&answer, path);
                let line = service.access_line(path, id(&answer)).await;
                assert_eq!(line["rejected_by"], "metrics");
            }
        }
    }
    assert!(!service.whole_log().await.contains("c2NyYXBlcg"));
}

#[tokio::test]
async fn promtool_finds_nothing_to_say_about_the_page() {
    let service = Service::start().await;
    for path in ["/users/1", "/fail", "/panic", "/outbound", "/upstream", "/nowhere"] {
        service.get(path).await;
    }
    let page = service.get("/metrics").await;
    let started = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = match started {
        Ok(promtool) => promtool,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            not_run("promtool_finds_nothing_to_say_about_the_page", "promtool");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    promtool.stdin.take().unwrap().write_all(page.body()).await.unwrap();
    let output = timeout(PATIENCE, promtool.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[tokio::test]
async fn no_answer_has_anything_of_what_failed() {
    let service = Service::start().await;
    for path in ["/fail", "/panic"] {
        for (name, value) in [
            ("accept", "*/*"),
            ("accept", "text/html"),
            ("content-type", "application/grpc"),
            ("accept-encoding", "identity"),
            ("origin", "http://localhost:5173"),
        ] {
            for method in ["GET", "HEAD"] {
                let request = service.request(method, path).header(name, value);
                let answer = service.send(request.body(Body::empty()).unwrap()).await;
                let whole = format!("{:?} {}", answer.headers(), text(&answer));
                for secret in SECRETS {
                    assert!(!whole.contains(secret), "{method} {path} {name}: {whole}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_exchange_that_the_client_leaves_has_its_line_too() {
    let service = Service::start().await;
    let request = service.request("GET", "/stream?chunks=100&ms=1000").body(Body::empty()).unwrap();
    let answer = service.client.request(request).await.unwrap();
    let id = only(answer.headers(), "x-request-id").to_owned();
    drop(answer);
    assert_eq!(service.access_line("/stream", &id).await["outcome"], "client_gone");
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
    let theirs = service.access_line("/users/1", "order-4711").await;
    let ours = service.access_line("/outbound", "order-4711").await;
    assert_eq!(ours["trace_id"].as_str().unwrap().len(), 32);
    assert_eq!(ours["trace_id"], theirs["trace_id"]);
    assert_ne!(ours["span_id"], theirs["span_id"]);
    assert_eq!(ours["http_count"], 1);
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
            let line = service.access_line("/echo", id(&answer)).await;
            assert_eq!(
                (&line["rejected_by"], &line["reason"]),
                (&json!("csrf"), &json!("cross_origin"))
            );
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
    for slot in [
        "health       on",
        "drain        on",
        "client ip    the peer",
        "route        axum's matched path",
        "request id   x-request-id; accepted if valid",
        "problem      5xx masked",
        "limit        general 100000/1s, burst 100000/1s",
        "body limit   1048576 bytes",
        "sanitize     application/json, application/x-www-form-urlencoded, \
         at most 1048576 bytes in 10s",
    ] {
        assert_eq!(service.line(&[r#""target":"stack""#, slot]).await["level"], "INFO");
    }
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
