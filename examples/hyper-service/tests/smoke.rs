//! The built service, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

use std::{
    convert::Infallible,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use buttress::headers::SecurityHeadersLayer;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::Frame,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// For what is a matter of milliseconds, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `Stack::production` lets a request's body hold.
const LIMIT: usize = 1 << 20;

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

#[tokio::test]
async fn every_answer_has_one_id_and_the_headers_of_an_api() {
    let service = Service::start();
    let policy = SecurityHeadersLayer::api();
    for version in VERSIONS {
        for (path, status) in [("/users/1", 200), ("/users/one", 404), ("/", 404), ("/fail", 500)] {
            let answer = service.send(version, get(path)).await;
            assert_eq!(answer.status(), status, "{version:?} {path}");
            assert_eq!(answer.version(), version);
            assert_eq!(id(answer.headers()).len(), 36);
            for (name, value) in policy.headers() {
                let sent: Vec<_> = answer.headers().get_all(name).iter().collect();
                assert_eq!(sent, [value], "{version:?} {path} {name}");
            }
        }
    }
}

#[tokio::test]
async fn a_user_is_json() {
    let service = Service::start();
    for version in VERSIONS {
        let answer = service.send(version, get("/users/7")).await;
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(document(&answer), json!({ "id": 7, "name": "user 7" }));
    }
}

#[tokio::test]
async fn a_valid_id_is_taken_and_any_other_is_replaced() {
    let service = Service::start();
    let longest = "x".repeat(128);
    let too_long = "x".repeat(129);
    for version in VERSIONS {
        for (given, taken) in [
            (vec!["Order_7.retry-2"], true),
            (vec![longest.as_str()], true),
            (vec![too_long.as_str()], false),
            (vec!["two words"], false),
            (vec!["a/b"], false),
            (vec![r#"a"b"#], false),
            (vec![""], false),
            (vec!["one", "two"], false),
        ] {
            let mut request = get("/users/1");
            for line in &given {
                request.headers_mut().append("x-request-id", line.parse().unwrap());
            }
            let answer = service.send(version, request).await;
            let id = id(answer.headers());
            assert_eq!(id == given[0], taken, "{version:?} {given:?} became {id}");
            assert!(taken || id.len() == 36, "{id}");
        }
    }
}

#[tokio::test]
async fn requests_of_one_connection_have_ids_of_their_own() {
    let service = Service::start();
    for version in VERSIONS {
        let mut connection = service.connect(version).await;
        let first = connection.send(get("/users/1")).await;
        let second = connection.send(get("/users/1")).await;
        assert_ne!(id(first.headers()), id(second.headers()));
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_document_with_the_id() {
    let service = Service::start();
    for version in VERSIONS {
        for request in [get("/nothing"), post("/users/1", "{}")] {
            let answer = service.send(version, request).await;
            assert_problem(&answer, StatusCode::NOT_FOUND);
        }
    }
}

#[tokio::test]
async fn an_internal_error_is_told_to_the_log_alone() {
    let service = Service::start();
    let mut ids = Vec::new();
    for version in VERSIONS {
        let answer = service.send(version, get("/fail")).await;
        assert_problem(&answer, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!String::from_utf8_lossy(answer.body()).contains("db.internal"));
        ids.push(id(answer.headers()).to_owned());
    }
    for id in ids {
        let line = service.log.line(&["request failed", &id]);
        assert_eq!(line["error"], "connection to db.internal:5432 refused for user billing");
    }
}

#[tokio::test]
async fn a_panic_is_told_to_the_log_alone_and_the_service_goes_on() {
    let service = Service::start();
    let mut ids = Vec::new();
    for version in VERSIONS {
        let mut connection = service.connect(version).await;
        let answer = connection.send(get("/panic")).await;
        assert_problem(&answer, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!String::from_utf8_lossy(answer.body()).contains("hunter2"));
        ids.push(id(answer.headers()).to_owned());
        assert_eq!(connection.send(get("/users/1")).await.status(), 200);
    }
    for id in ids {
        let line = service.log.line(&[r#""target":"panic""#, &id]);
        assert_eq!(line["error"], "no row for api key hunter2");
        assert!(line["at"].as_str().unwrap().contains("src/routes.rs:"), "{line}");
    }
}

#[tokio::test]
async fn each_request_is_one_line_of_json_with_its_route() {
    let service = Service::start();
    let mut asked = Vec::new();
    for version in VERSIONS {
        for (path, route, status) in [
            ("/users/7", json!("/users/{id}"), 200),
            ("/fail", json!("/fail"), 500),
            ("/users/seven", Value::Null, 404),
        ] {
            let answer = service.send(version, get(path)).await;
            asked.push((id(answer.headers()).to_owned(), path, route, status));
        }
    }
    // Lines come in their order.
    let last = service.send(VERSIONS[0], get("/users/999")).await;
    service.log.line(&[r#""target":"access""#, id(last.headers())]);
    let log = service.log.text();
    for (id, path, route, status) in asked {
        let access = [r#""target":"access""#, &id];
        let line = service.log.line(&access);
        assert_eq!(line["path"], path);
        assert_eq!(line["route"], route);
        assert_eq!(line["status"], status);
        assert_eq!(line["trace_id"], id.replace('-', ""));
        // hyper's requests know no socket: this is the extension, set for each connection.
        assert_eq!(line["client_ip"], "127.0.0.1");
        let is_its = |line: &&str| access.iter().all(|part| line.contains(part));
        assert_eq!(log.lines().filter(is_its).count(), 1);
    }
}

#[tokio::test]
async fn json_comes_back_and_what_is_none_is_refused() {
    let service = Service::start();
    for version in VERSIONS {
        let answer = service.send(version, post("/echo", r#"{ "a": [1, null] }"#)).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(document(&answer), json!({ "a": [1, null] }));

        let answer = service.send(version, post("/echo", "{")).await;
        assert_problem(&answer, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_body_that_says_it_is_too_long_is_not_waited_for() {
    let service = Service::start();
    for version in VERSIONS {
        let request = Request::post("/echo")
            .header("content-length", LIMIT + 1)
            .body(unending(Vec::new()))
            .unwrap();
        let answer = service.send(version, request).await;
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE, "{version:?}");
        assert_eq!(id(answer.headers()).len(), 36);
    }
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_is_read_no_further() {
    let service = Service::start();
    for version in VERSIONS {
        let body = unending(vec![b' '; LIMIT + 1]);
        let answer = service.send(version, Request::post("/echo").body(body).unwrap()).await;
        assert_problem(&answer, StatusCode::PAYLOAD_TOO_LARGE);
    }
}

#[tokio::test]
async fn a_form_on_another_site_cannot_post() {
    let service = Service::start();
    for version in VERSIONS {
        let mut request = post("/echo", "{}");
        request.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
        let answer = service.send(version, request).await;
        assert_problem(&answer, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_client_that_comes_too_often_is_told_when_to_come_again() {
    let limits = [("LIMIT_GENERAL", "3/15m"), ("LIMIT_BURST", "100/s")];
    let service = Service::with("127.0.0.1:0", &limits).unwrap_or_else(|end| panic!("{end:?}"));
    for left in (0..3).rev() {
        // Each over a connection of its own.
        let answer = service.send(Version::HTTP_11, get("/users/1")).await;
        assert_eq!(answer.status(), 200);
        let line = answer.headers()["ratelimit"].to_str().unwrap();
        assert!(line.starts_with(&format!("\"general\";r={left};t=")), "{line}");
    }
    for version in VERSIONS {
        let mut request = get("/users/1");
        request.headers_mut().insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
        let answer = service.send(version, request).await;
        assert_problem(&answer, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(document(&answer)["violated-policies"], json!(["general"]));
        let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((200..=300).contains(&wait), "{wait}");
        let line = service.log.line(&[r#""target":"access""#, id(answer.headers())]);
        assert_eq!(line["rejected_by"], "limit");
        assert_eq!(line["client_ip"], "127.0.0.1");
    }
}

#[tokio::test]
async fn probes_are_answered_and_details_are_for_who_has_the_token() {
    let variables =
        [("STATUS_TOKEN", "a-token-of-32-random-characters."), ("LIMIT_GENERAL", "1/15m")];
    let service = Service::with("127.0.0.1:0", &variables).unwrap_or_else(|end| panic!("{end:?}"));
    for version in VERSIONS {
        let pong = service.send(version, get("/ping")).await;
        assert_eq!((pong.status(), &pong.body()[..]), (StatusCode::OK, &b"pong"[..]));
        for path in ["/live", "/livez", "/startupz", "/ready", "/readyz", "/health", "/healthz"] {
            let answer = service.send(version, get(path)).await;
            assert_eq!(answer.status(), 200, "{version:?} {path}");
            assert_eq!(answer.body(), r#"{"status":"pass"}"#);
        }
        assert_eq!(service.send(version, get("/status")).await.status(), 401);
        let mut request = get("/status");
        let bearer = "Bearer a-token-of-32-random-characters.".parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let answer = service.send(version, request).await;
        assert_eq!(document(&answer)["checks"]["memory"]["critical"], false, "{answer:?}");
    }
}

#[tokio::test]
async fn while_it_drains_it_is_alive_and_not_ready() {
    let mut service = Service::with("127.0.0.1:0", &[("SHUTDOWN_PRE_STOP", "2s")]).unwrap();
    let mut connection = service.connect(Version::HTTP_2).await;
    assert_eq!(connection.send(get("/ready")).await.status(), 200);
    service.signal("TERM");
    let not_ready = async { while connection.send(get("/ready")).await.status() != 503 {} };
    tokio::time::timeout(PATIENCE, not_ready).await.unwrap();
    assert_eq!(connection.send(get("/livez")).await.status(), 200);
    assert_eq!(connection.send(get("/startupz")).await.status(), 200);
    let answer = service.send(Version::HTTP_11, get("/users/1")).await;
    assert_eq!(
        (answer.status(), &answer.headers()["connection"]),
        (StatusCode::OK, &"close".parse().unwrap())
    );
    assert_eq!(service.code().await, Some(0));
}

#[tokio::test]
async fn what_never_ends_is_closed_in_time() {
    for begun in [
        "",
        "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut service = Service::with("127.0.0.1:0", &[("SHUTDOWN_GRACE", "4s")]).unwrap();
        let mut stream = TcpStream::connect(service.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        // What came before it has been accepted, too.
        service.send(Version::HTTP_11, get("/ping")).await;
        service.signal("TERM");
        assert_eq!(service.code().await, Some(0), "{begun:?}");
        let report = service.log.line(&["shut down"]);
        // Who has said nothing is not waited for.
        let expected = u32::from(!begun.is_empty());
        assert_eq!(report["killed"], expected, "{begun:?}: {report}");
    }
}

#[test]
fn all_that_cannot_be_is_in_one_report() {
    let wrong = [
        ("STATUS_TOKEN", "short"),
        ("LIMIT_GENERAL", "100/15x"),
        ("LIMIT_BURST", ""),
        ("SHUTDOWN_GRACE", "30s"),
        ("SHUTDOWN_PRE_STOP", "40s"),
        ("SHUTDOWN_PRESTOP", "5s"),
        ("LOG_FORMAT", "loud"),
    ];
    let Err((code, log)) = Service::with("localhost", &wrong) else { panic!("it was taken") };
    assert_eq!(code, Some(2), "{log}");
    let report = "\
6 errors and 1 warning in the configuration
  error: BIND=\"localhost\" is no address and port
    right: an address and a port, such as 127.0.0.1:3000, [::1]:3000 or, for a free port, 127.0.0.1:0
  error: STATUS_TOKEN=[REDACTED] is refused: a token has at least 16 characters, all of them visible ASCII
    right: 16 visible characters of ASCII, or more
  error: LIMIT_GENERAL=\"100/15x\" cannot be read: the period's unit must be one of ms, s, m, h, d
    right: N/period, such as 100/15m or 2000/h
  error: LIMIT_BURST=\"\" is set, and empty
    right: N/period, such as 10/s
  error: SHUTDOWN_GRACE=\"30s\", SHUTDOWN_PRE_STOP=\"40s\" do not go together
    right: a grace of which half and a second are left beside the pre-stop
  error: LOG_FORMAT=\"loud\" is refused: the log knows no such thing
    right: auto, pretty, json, ecs, datadog, gcp, otel, pino or cloudwatch
  warning: SHUTDOWN_PRESTOP is no variable of this service
    right: SHUTDOWN_PRE_STOP?
";
    assert_eq!(log, report);
}

#[test]
fn an_address_that_cannot_be_had_is_told_with_advice() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    // TEST-NET-1 (RFC 5737): nobody's machine has it.
    for bind in [taken.as_str(), "192.0.2.1:0"] {
        let Err((code, log)) = Service::at(bind) else { panic!("{bind:?} was taken") };
        assert_eq!(code, Some(1), "{bind:?}: {log}");
        let line: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        let said = line["message"].as_str().unwrap();
        let begins = format!("cannot listen on {bind}: ");
        assert!(said.starts_with(&begins) && said.ends_with("; BIND sets another"), "{said}");
    }
}

#[test]
fn the_stack_in_force_is_logged() {
    let service = Service::start();
    for slot in [
        "client ip    the peer",
        "route        by a function",
        "request id   x-request-id;",
        "problem      5xx masked",
        "limit        general 100000/1s, burst 100000/1s",
        "body limit   1048576 bytes",
    ] {
        service.log.line(&[r#""target":"stack""#, slot]);
    }
}

// === what the tests are written in ===

type Body = UnsyncBoxBody<Bytes, Infallible>;

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::default()).unwrap()
}

fn post(path: &str, body: &'static str) -> Request<Body> {
    Request::post(path).body(Full::from(body).boxed_unsync()).unwrap()
}

/// These bytes, and then nothing, and no end.
fn unending(bytes: Vec<u8>) -> Body {
    let first = stream::iter([Ok(Frame::data(Bytes::from(bytes)))]);
    StreamBody::new(first.chain(stream::pending())).boxed_unsync()
}

fn id(headers: &HeaderMap) -> &str {
    let ids: Vec<_> = headers.get_all("x-request-id").iter().collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    ids[0].to_str().unwrap()
}

fn document(answer: &Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap()
}

fn assert_problem(answer: &Response<Bytes>, status: StatusCode) {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem = document(answer);
    assert_eq!(problem["status"], status.as_u16());
    assert_eq!(problem["title"], status.canonical_reason().unwrap());
    assert_eq!(problem["request_id"], id(answer.headers()));
}

/// What the service has logged so far.
#[derive(Clone, Default)]
struct Log(Arc<(Mutex<String>, Condvar)>);

impl Log {
    /// Reads all the time: a full pipe would stop the service.
    fn keep(&self, stderr: impl Read + Send + 'static) -> JoinHandle<()> {
        let Self(kept) = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.0.lock().unwrap().extend([&*line, "\n"]);
                kept.1.notify_all();
            }
        })
    }

    fn text(&self) -> String {
        self.0.0.lock().unwrap().clone()
    }

    /// The first line that has all of these in it, once it is there.
    fn line(&self, parts: &[&str]) -> Value {
        let Self(kept) = self;
        let find = |log: &str| {
            log.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
        };
        let wait =
            kept.1.wait_timeout_while(kept.0.lock().unwrap(), PATIENCE, |log| find(log).is_none());
        let (log, _) = wait.unwrap();
        let line = find(&log).unwrap_or_else(|| panic!("no {parts:?} in {log}"));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

/// The running service; it ends with this value, whatever becomes of the test.
struct Service {
    child: Child,
    address: SocketAddr,
    log: Log,
}

impl Service {
    fn start() -> Self {
        Self::at("127.0.0.1:0").unwrap_or_else(|end| panic!("{end:?}"))
    }

    /// The service with this `BIND`, or the exit code and the log of one that would not start.
    fn at(bind: &str) -> Result<Self, (Option<i32>, String)> {
        Self::with(bind, &[])
    }

    fn with(bind: &str, variables: &[(&str, &str)]) -> Result<Self, (Option<i32>, String)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_example-hyper"));
        for name in ["LOG_FORMAT", "LOG_LEVEL", "RUST_LOG", "LOG_FILE", "ALLOW_DEBUG"] {
            command.env_remove(name);
        }
        for name in ["SHUTDOWN_GRACE", "SHUTDOWN_PRE_STOP", "STATUS_TOKEN"] {
            command.env_remove(name);
        }
        let mut child = command
            .env("BIND", bind)
            // Room for what a test asks.
            .env("LIMIT_GENERAL", "100000/s")
            .env("LIMIT_BURST", "100000/s")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let log = Log::default();
        let reader = log.keep(child.stderr.take().unwrap());
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut service = Self { child, address, log };

        let mut line = String::new();
        if BufReader::new(stdout).read_line(&mut line).unwrap() == 0 {
            let code = service.child.wait().unwrap().code();
            reader.join().unwrap();
            return Err((code, service.log.text()));
        }
        let address = line.strip_prefix("listening on http://").and_then(|a| a.strip_suffix('\n'));
        service.address = address.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
        Ok(service)
    }

    async fn send(&self, version: Version, request: Request<Body>) -> Response<Bytes> {
        self.connect(version).await.send(request).await
    }

    async fn connect(&self, version: Version) -> Connection {
        let io = TokioIo::new(TcpStream::connect(self.address).await.unwrap());
        if version == Version::HTTP_2 {
            // With prior knowledge: no TLS, and so nobody to agree on it with.
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            return Connection::Http2(sender, self.address);
        }
        let (sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        Connection::Http1(sender, self.address)
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// With which it ends by itself.
    async fn code(&mut self) -> Option<i32> {
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status.code();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

enum Connection {
    Http1(http1::SendRequest<Body>, SocketAddr),
    Http2(http2::SendRequest<Body>, SocketAddr),
}

impl Connection {
    async fn send(&mut self, mut request: Request<Body>) -> Response<Bytes> {
        let answer = match self {
            Self::Http1(sender, address) => {
                request.headers_mut().insert("host", address.to_string().parse().unwrap());
                sender.ready().await.unwrap();
                sender.send_request(request).await.unwrap()
            }
            Self::Http2(sender, address) => {
                let uri = format!("http://{address}{}", request.uri().path());
                *request.uri_mut() = uri.parse().unwrap();
                sender.ready().await.unwrap();
                sender.send_request(request).await.unwrap()
            }
        };
        let (parts, body) = answer.into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }
}
