//! The built service, over real sockets, with the client that tonic generates.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

use buttress::headers::SecurityHeadersLayer;
use pb::{CountRequest, FailRequest, GreetRequest, greeter_client::GreeterClient};
use tonic::{
    Code, IntoRequest, Request,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};

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
    let log = service.stop();
    let line = log.lines().find(|line| line.contains(id)).unwrap();
    assert!(line.contains("db.internal:5432 refused"), "{line}");
    // The client, found in tonic's own extension.
    assert!(line.contains("127.0.0.1"), "{line}");
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

#[test]
fn the_stack_in_force_is_logged() {
    let log = Service::start().stop();
    for line in
        ["client ip    the peer", "request id   x-request-id;", "body limit   1048576 bytes"]
    {
        assert!(log.contains(line), "no {line:?} in {log}");
    }
}

#[test]
fn a_bind_that_cannot_be_is_refused_with_advice() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (bind, what, advice) in [
        ("localhost", "\"localhost\"", "127.0.0.1:3000"),
        ("", "\"\"", "127.0.0.1:3000"),
        ("127.0.0.1:99999", "99999", "port 0"),
        (&taken, &taken, "set BIND to another port"),
        // TEST-NET-1 (RFC 5737): nobody's machine has it.
        ("192.0.2.1:0", "192.0.2.1:0", "an address of this machine"),
    ] {
        let Err((code, log)) = Service::at(bind) else { panic!("{bind:?} was taken") };
        assert_eq!(code, Some(2), "{bind:?}: {log}");
        assert!(log.contains(what) && log.contains(advice), "{bind:?}: {log}");
    }
}

// === what the tests are written in ===

fn named(name: &str) -> GreetRequest {
    GreetRequest { name: name.to_owned() }
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

/// The running service; it ends with this value, whatever becomes of the test.
struct Service {
    child: Child,
    url: String,
    log: Option<JoinHandle<String>>,
}

impl Service {
    fn start() -> Self {
        Self::at("127.0.0.1:0").unwrap_or_else(|end| panic!("{end:?}"))
    }

    /// The service with this `BIND`, or the exit code and the log of one that would not start.
    fn at(bind: &str) -> Result<Self, (Option<i32>, String)> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_example-tonic"))
            .env("BIND", bind)
            // Fields and values stand side by side in a log without colours.
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        // Read all the time: a full pipe would stop the service.
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            let _ = stderr.read_to_string(&mut log);
            log
        });
        let mut service = Self { child, url: String::new(), log: Some(log) };

        let mut line = String::new();
        if BufReader::new(stdout).read_line(&mut line).unwrap() == 0 {
            let code = service.child.wait().unwrap().code();
            return Err((code, service.stop()));
        }
        let url = line.strip_prefix("listening on ").and_then(|url| url.strip_suffix('\n'));
        url.unwrap_or_else(|| panic!("{line:?}")).clone_into(&mut service.url);
        Ok(service)
    }

    /// Ends it and gives what it logged.
    fn stop(mut self) -> String {
        self.end();
        self.log.take().unwrap().join().unwrap()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    async fn client(&self) -> GreeterClient<Channel> {
        GreeterClient::new(self.channel().await)
    }

    async fn channel(&self) -> Channel {
        Endpoint::from_shared(self.url.clone()).unwrap().connect().await.unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end();
    }
}
