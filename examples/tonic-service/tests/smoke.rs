//! The built service, over real sockets, with the client that tonic generates.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use buttress::headers::SecurityHeadersLayer;
use pb::{CountRequest, FailRequest, GreetRequest, greeter_client::GreeterClient};
use serde_json::{Value, json};
use tonic::{
    Code, IntoRequest, Request,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// For what is a matter of milliseconds, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

#[allow(
    clippy::pedantic,
    clippy::restriction,
    unreachable_pub,
    unused_qualifications,
    reason = "generated"
)]
mod pb {
    tonic::include_proto!("buttress.example.v1");
}

#[tokio::test]
async fn a_greeting_carries_its_id_in_message_and_metadata() {
    let service = Service::start();
    let mut client = service.client().await;
    let answer = client.greet(named("Ada")).await.unwrap();
    assert_eq!(answer.get_ref().message, "Hello, Ada!");
    assert_eq!(answer.get_ref().request_id, id(answer.metadata()));
    assert_eq!(id(answer.metadata()).len(), 36);

    let next = client.greet(named("Ada")).await.unwrap();
    assert_ne!(id(next.metadata()), id(answer.metadata()));
}

#[tokio::test]
async fn a_valid_id_is_taken_and_any_other_is_replaced() {
    let service = Service::start();
    let mut client = service.client().await;
    let longest = "x".repeat(128);
    let too_long = "x".repeat(129);
    for (given, taken) in [
        ("Order_7.retry-2", true),
        (&longest, true),
        (&too_long, false),
        ("two words", false),
        ("a/b", false),
        ("", false),
    ] {
        let mut request = named("Ada").into_request();
        request.metadata_mut().insert("x-request-id", given.parse().unwrap());
        let answer = client.greet(request).await.unwrap();
        let id = id(answer.metadata());
        assert_eq!(answer.get_ref().request_id, id);
        assert_eq!(id == given, taken, "{given:?} became {id}");
        assert!(taken || id.len() == 36, "{id}");
    }
}

#[tokio::test]
async fn every_message_of_a_stream_is_the_same_request() {
    let service = Service::start();
    let mut client = service.client().await;
    let answer = client.count(CountRequest { to: 3 }).await.unwrap();
    let id = id(answer.metadata()).to_owned();
    let mut stream = answer.into_inner();
    for number in 1..=3 {
        let message = stream.message().await.unwrap().unwrap();
        assert_eq!(message.number, number);
        assert_eq!(message.request_id, id);
    }
    assert_eq!(stream.message().await.unwrap(), None);
}

#[tokio::test]
async fn the_trailers_of_a_stream_pass_untouched() {
    let service = Service::start();
    let mut client = service.client().await;
    let mut stream = client.count(CountRequest { to: 101 }).await.unwrap().into_inner();
    for number in 1..=100 {
        assert_eq!(stream.message().await.unwrap().unwrap().number, number);
    }
    let status = stream.message().await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    assert_eq!(status.message(), "nobody counts past 100");
    assert_bare(status.metadata());
}

#[tokio::test]
async fn an_error_keeps_its_status_and_has_an_id() {
    let service = Service::start();
    let mut client = service.client().await;
    let status = client.greet(named("")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "name is empty: say who is to be greeted");
    assert_eq!(id(status.metadata()).len(), 36);
    assert_bare(status.metadata());
}

#[tokio::test]
async fn a_method_that_is_not_there_is_unimplemented_and_has_an_id() {
    let service = Service::start();
    let mut client = tonic::client::Grpc::new(service.channel().await);
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<GreetRequest, pb::GreetReply>::default();
    let path = "/buttress.example.v1.Nobody/Greet".parse().unwrap();
    let status = client.unary(Request::new(named("Ada")), path, codec).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert_eq!(id(status.metadata()).len(), 36);
    assert_bare(status.metadata());
}

#[tokio::test]
async fn an_internal_error_is_told_to_the_log_alone() {
    let service = Service::start();
    let status = service.client().await.fail(FailRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(status.message(), "internal error");
    let id = id(status.metadata());
    let line = service.log.line(&["the call failed", id]);
    assert_eq!(line["request_id"], id);
    assert_eq!(line["error"], "connection to db.internal:5432 refused for user billing");
    let line = service.log.line(&[r#""target":"access""#, id]);
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["grpc_status"], 13);
    assert_eq!(line["status"], 200);
}

#[tokio::test]
async fn each_call_is_one_line_with_its_method_and_its_status() {
    let service = Service::start();
    let mut client = service.client().await;
    let mut asked = Vec::new();
    let greeted = client.greet(named("Ada")).await.unwrap();
    asked.push((id(greeted.metadata()).to_owned(), "Greet", 0, "INFO"));
    let unnamed = client.greet(named("")).await.unwrap_err();
    asked.push((id(unnamed.metadata()).to_owned(), "Greet", 3, "WARN"));
    let counted = client.count(CountRequest { to: 101 }).await.unwrap();
    asked.push((id(counted.metadata()).to_owned(), "Count", 11, "WARN"));
    let mut stream = counted.into_inner();
    while stream.message().await.is_ok() {}
    for (id, method, code, level) in asked {
        let line = service.log.line(&[r#""target":"access""#, &id]);
        let route = format!("/buttress.example.v1.Greeter/{method}");
        assert_eq!(line["message"], format!("POST {route} 200"));
        assert_eq!(line["route"], route);
        assert_eq!(line["grpc_status"], code, "{line}");
        assert_eq!(line["level"], level, "{line}");
        assert_eq!(line["outcome"], "complete");
        assert_eq!(line["trace_id"], id.replace('-', ""));
        // The client, found in tonic's own extension.
        assert_eq!(line["client_ip"], "127.0.0.1");
        let is_its = |line: &&str| line.contains(r#""access""#) && line.contains(&id);
        assert_eq!(service.log.text().lines().filter(is_its).count(), 1);
    }
}

#[tokio::test]
async fn no_answer_has_headers_for_browsers() {
    let service = Service::start();
    let mut client = service.client().await;
    let unary = client.greet(named("Ada")).await.unwrap();
    assert_bare(unary.metadata());
    let stream = client.count(CountRequest { to: 1 }).await.unwrap();
    assert_bare(stream.metadata());
}

#[tokio::test]
async fn a_call_too_large_for_the_stack_ends_with_a_status() {
    let service = Service::start();
    let mut client = service.client().await;
    // Within tonic's 4 MiB for a message, past the stack's 1 MiB for a body. tonic makes `Unknown`
    // of an error that is not its own; the stack knows better.
    let status = client.greet(named(&"x".repeat(2 << 20))).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "a body of at most 1048576 bytes is taken");
    assert_eq!(id(status.metadata()).len(), 36);
    // A message past tonic's own limit is told by its first five bytes.
    let status = client.greet(named(&"x".repeat(5 << 20))).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    assert_eq!(id(status.metadata()).len(), 36);
    // The connection is as good as before.
    client.greet(named("Ada")).await.unwrap();
}

#[tokio::test]
async fn a_call_past_the_limit_is_refused_in_grpcs_own_words() {
    let limits = [("LIMIT_GENERAL", "3/15m"), ("LIMIT_BURST", "100/s")];
    let service = Service::with("127.0.0.1:0", &limits).unwrap_or_else(|end| panic!("{end:?}"));
    let mut client = service.client().await;
    // Calls of any method.
    for left in (1..3).rev() {
        let answer = client.greet(named("Ada")).await.unwrap();
        let line = answer.metadata().get("ratelimit").unwrap().to_str().unwrap();
        assert!(line.starts_with(&format!("\"general\";r={left};t=")), "{line}");
    }
    client.fail(FailRequest {}).await.unwrap_err();

    // Another connection is the same client.
    let mut another = service.client().await;
    for client in [&mut client, &mut another] {
        let status = client.greet(named("Ada")).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        let pushback = status.metadata().get("grpc-retry-pushback-ms").unwrap();
        let pushback: u64 = pushback.to_str().unwrap().parse().unwrap();
        // A third of 15 minutes, but for what has passed since.
        assert!((200_000..=300_000).contains(&pushback), "{pushback}");
        let line = service.log.line(&[r#""target":"access""#, id(status.metadata())]);
        assert_eq!(line["grpc_status"], 8);
        assert_eq!(line["rejected_by"], "limit");
        assert_eq!(line["reason"], "quota_exceeded");
        assert_bare(status.metadata());
    }
    let status = client.count(CountRequest { to: 3 }).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn health_is_told_to_whoever_asks_and_uses_up_no_quota() {
    let limits = [("LIMIT_GENERAL", "1/15m")];
    let service = Service::with("127.0.0.1:0", &limits).unwrap_or_else(|end| panic!("{end:?}"));
    let mut health = HealthClient::new(service.channel().await);
    for service in ["", "buttress.example.v1.Greeter"] {
        let answer = health.check(about(service)).await.unwrap();
        assert_eq!(answer.get_ref().status(), ServingStatus::Serving, "{service:?}");
        assert!(!answer.metadata().contains_key("ratelimit"));
    }
    let unknown = health.check(about("Nobody")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);

    let mut client = service.client().await;
    client.greet(named("Ada")).await.unwrap();
    assert_eq!(client.greet(named("Ada")).await.unwrap_err().code(), Code::ResourceExhausted);
    assert!(health.check(about("")).await.is_ok());
}

#[tokio::test]
async fn a_watcher_hears_of_the_end_and_does_not_put_it_off() {
    let mut service = Service::start();
    let mut health = HealthClient::new(service.channel().await);
    let mut watched = health.watch(about("")).await.unwrap().into_inner();
    let mut unknown = health.watch(about("Nobody")).await.unwrap().into_inner();
    let first = watched.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    let first = unknown.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);

    service.signal("TERM");
    let last = watched.message().await.unwrap().unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
    assert_eq!(watched.message().await.unwrap(), None);
    assert_eq!(unknown.message().await.unwrap(), None);

    assert_eq!(service.code().await, Some(0));
    let report = service.log.line(&["shut down"]);
    assert_eq!((&report["cause"], &report["killed"]), (&json!("SIGTERM"), &json!(0)), "{report}");
}

#[tokio::test]
async fn a_silent_connection_is_closed_in_time() {
    // Half of the grace is for what is open.
    let variables = [("SHUTDOWN_GRACE", "4s")];
    let mut service = Service::with("127.0.0.1:0", &variables).unwrap();
    let mut silent = TcpStream::connect(service.url.strip_prefix("http://").unwrap()).unwrap();
    // After this the silent one, which came first, has been accepted too.
    service.client().await.greet(named("Ada")).await.unwrap();
    let begun = Instant::now();
    service.signal("TERM");
    // To its end, by whichever way it is closed.
    let silent = tokio::task::spawn_blocking(move || silent.read_to_end(&mut Vec::new()).is_ok());
    let _ = silent.await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(2));

    assert_eq!(service.code().await, Some(0));
    let report = service.log.line(&["shut down"]);
    assert_eq!(report["killed"], 1, "{report}");
}

#[test]
fn the_stack_in_force_is_logged() {
    let service = Service::start();
    for slot in [
        "client ip    the peer",
        "route        the path, if it is one of 3",
        "request id   x-request-id;",
        "problem      5xx masked",
        "limit        general 100000/1s, burst 100000/1s",
        "body limit   1048576 bytes",
    ] {
        service.log.line(&[r#""target":"stack""#, slot]);
    }
}

#[test]
fn all_that_cannot_be_is_in_one_report() {
    let wrong = [
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
5 errors and 1 warning in the configuration
  error: BIND=\"localhost\" is no address and port
    right: an address and a port, such as 127.0.0.1:3000, [::1]:3000 or, for a free port, 127.0.0.1:0
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

// === what the tests are written in ===

fn named(name: &str) -> GreetRequest {
    GreetRequest { name: name.to_owned() }
}

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

fn id(metadata: &MetadataMap) -> &str {
    let ids: Vec<_> = metadata.get_all("x-request-id").iter().collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    ids[0].to_str().unwrap()
}

/// None of the headers that the same stack puts on an answer for a browser.
fn assert_bare(metadata: &MetadataMap) {
    for name in SecurityHeadersLayer::api().headers().keys() {
        assert!(!metadata.contains_key(name.as_str()), "{name} in {metadata:?}");
    }
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
    url: String,
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
        let mut command = Command::new(env!("CARGO_BIN_EXE_example-tonic"));
        for name in ["LOG_FORMAT", "LOG_LEVEL", "RUST_LOG", "LOG_FILE", "ALLOW_DEBUG"] {
            command.env_remove(name);
        }
        for name in ["SHUTDOWN_GRACE", "SHUTDOWN_PRE_STOP"] {
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
        let mut service = Self { child, url: String::new(), log };

        let mut line = String::new();
        if BufReader::new(stdout).read_line(&mut line).unwrap() == 0 {
            let code = service.child.wait().unwrap().code();
            reader.join().unwrap();
            return Err((code, service.log.text()));
        }
        let url = line.strip_prefix("listening on ").and_then(|url| url.strip_suffix('\n'));
        url.unwrap_or_else(|| panic!("{line:?}")).clone_into(&mut service.url);
        Ok(service)
    }

    async fn client(&self) -> GreeterClient<Channel> {
        GreeterClient::new(self.channel().await)
    }

    async fn channel(&self) -> Channel {
        Endpoint::from_shared(self.url.clone()).unwrap().connect().await.unwrap()
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
