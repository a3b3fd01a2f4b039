//! How the service ends: as a process, by signals.

use std::{process::ExitStatus, time::Duration};

use axum::{body::Body, http::StatusCode};
use futures_util::{StreamExt, future::join_all};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
    time::{Instant, sleep, timeout},
};

use super::{PATIENCE, Service, collect, example, json_of, only, text};

/// Between two looks at what changes by itself.
const PAUSE: Duration = Duration::from_millis(10);

impl Service {
    pub(super) fn address(&self) -> &str {
        self.base.strip_prefix("http://").unwrap()
    }

    pub(super) async fn signal(&self, name: &str) {
        signal(name, self.child.id().unwrap()).await;
    }

    pub(super) async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap()
    }

    pub(super) async fn report(&self) -> Value {
        self.line(&[r#""message":"shut down""#]).await
    }

    /// Waits until as many requests are under way, beside the one that asks.
    async fn under_way(&self, requests: usize) {
        let sample = r#"http_server_active_requests{http_request_method="GET",url_scheme="http"}"#;
        let sample = format!("{sample} {}", requests + 1);
        let counted = async {
            while !text(&self.get("/metrics").await).lines().any(|line| line == sample) {
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, counted).await.unwrap();
    }

    /// Waits until it listens no more.
    async fn not_accepting(&self) {
        let refused = async {
            while TcpStream::connect(self.address()).await.is_ok() {
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, refused).await.unwrap();
    }

    /// A WebSocket's handshake with these lines, and the head of its answer.
    async fn handshake(&self, lines: &str) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let handshake = format!(
            "GET /ws HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n",
            self.address()
        );
        stream.write_all(handshake.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
        }
        (stream, String::from_utf8(head).unwrap())
    }
}

pub(super) async fn signal(name: &str, process: u32) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status();
    assert!(sent.await.unwrap().success());
}

#[tokio::test]
async fn a_signal_ends_it_and_the_report_is_a_line_of_the_log() {
    for (name, cause) in [("TERM", "SIGTERM"), ("INT", "SIGINT")] {
        let mut service = Service::start().await;
        // A connection that is kept alive, and holds nothing up.
        service.get("/users/42").await;
        let start = Instant::now();
        service.signal(name).await;
        assert_eq!(service.ended().await.code(), Some(0), "{name}");
        let report = service.report().await;
        assert_eq!(report["cause"], cause);
        assert_eq!((&report["killed"], &report["unanswered"]), (&json!(0), &json!(0)));
        assert!(report["phases"].as_str().unwrap().contains("upstream"), "{report}");
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn what_is_under_way_is_answered_to_its_end_and_nobody_new_is_let_in() {
    let mut service = Service::start().await;
    let slow = async {
        let answers = join_all((0..5).map(|_| service.get("/slow?ms=2500"))).await;
        for answer in answers {
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(json_of(&answer)["slept_ms"], 2500);
        }
    };
    let signal = async {
        service.under_way(5).await;
        service.signal("TERM").await;
        service.not_accepting().await;
    };
    tokio::join!(slow, signal);
    assert_eq!(service.ended().await.code(), Some(0));
    assert_eq!(service.report().await["killed"], 0);
}

#[tokio::test]
async fn while_it_drains_it_is_alive_and_not_ready_and_sends_clients_elsewhere() {
    let mut service = Service::with(&[("SHUTDOWN_PRE_STOP", "8s")]).await;
    assert_eq!(service.get("/ready").await.status(), StatusCode::OK);
    assert!(!service.get("/users/42").await.headers().contains_key("connection"));
    service.signal("TERM").await;
    let unready = async {
        while service.get("/ready").await.status() == StatusCode::OK {
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, unready).await.unwrap();
    for (path, status) in [
        ("/ready", 503),
        ("/readyz", 503),
        ("/live", 200),
        ("/livez", 200),
        ("/startupz", 200),
        ("/health", 200),
        ("/ping", 200),
    ] {
        assert_eq!(service.get(path).await.status(), status, "{path}");
    }
    for path in ["/users/42", "/nowhere", "/metrics"] {
        assert_eq!(only(service.get(path).await.headers(), "connection"), "close", "{path}");
    }
    assert_eq!(service.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_stream_of_events_ends_as_it_should() {
    let mut service = Service::start().await;
    // Packed, it would wait in a buffer.
    let request = service.request("GET", "/events").header("accept-encoding", "gzip");
    let answer = service.client.request(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(only(answer.headers(), "content-type"), "text/event-stream");
    assert!(!answer.headers().contains_key("content-encoding"));
    let id = only(answer.headers(), "x-request-id").to_owned();
    let mut events = Body::new(answer.into_body()).into_data_stream();
    // Without an end: two come by themselves.
    for _ in 0..2 {
        let event = timeout(PATIENCE, events.next()).await.unwrap().unwrap().unwrap();
        let event = String::from_utf8(event.to_vec()).unwrap();
        let data = event.strip_prefix("event: pulse\ndata: ").expect(&event);
        let data: Value = serde_json::from_str(data).unwrap();
        assert!(data["uptime_s"].is_u64(), "{data}");
    }
    service.signal("TERM").await;
    let rest = async {
        while let Some(event) = events.next().await {
            event.unwrap();
        }
    };
    timeout(PATIENCE, rest).await.unwrap();
    assert_eq!(service.ended().await.code(), Some(0));
    assert_eq!(service.access_line("/events", &id).await["outcome"], "complete");
    assert_eq!(service.report().await["killed"], 0);
}

#[tokio::test]
async fn a_websocket_says_what_it_is_told_and_is_told_when_it_has_to_go() {
    let mut service = Service::start().await;
    let (mut socket, head) = service.handshake("").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // A text of two letters, masked with zeroes, as a client has to (RFC 6455 §5.3).
    socket.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    let mut frame = [0; 4];
    timeout(PATIENCE, socket.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(frame, [0x81, 2, b'h', b'i']);

    service.signal("TERM").await;
    timeout(PATIENCE, socket.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!((frame[0], &frame[2..]), (0x88, &1001_u16.to_be_bytes()[..]), "a Close of 1001");
    let mut reason = vec![0; usize::from(frame[1]) - 2];
    timeout(PATIENCE, socket.read_exact(&mut reason)).await.unwrap().unwrap();
    assert_eq!(reason, b"shutting down");
    // The other side's own.
    socket.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
    assert_eq!(service.ended().await.code(), Some(0));
    let report = service.report().await;
    assert_eq!((&report["drained"], &report["killed"]), (&json!(1), &json!(0)), "{report}");
}

/// A handshake is a GET with the visitor's cookies, which neither CSRF nor CORS judges.
#[tokio::test]
async fn no_page_of_another_origin_may_open_a_websocket() {
    let service = Service::start().await;
    let own = format!("origin: {}\r\n", service.base);
    for (lines, status) in [
        ("", 101),
        (own.as_str(), 101),
        ("origin: http://localhost:5173\r\n", 101),
        ("origin: https://evil.example\r\n", 403),
        ("origin: null\r\n", 403),
        ("origin: \r\n", 403),
        ("origin: http://localhost:5173.evil.example\r\n", 403),
        ("origin: http://localhost:5173\r\norigin: https://evil.example\r\n", 403),
    ] {
        let (_, head) = service.handshake(lines).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{lines}: {head}");
        assert!(head.contains("\r\nx-request-id: "), "{lines}: {head}");
    }
    // What is no handshake at all.
    let answer = service.get("/ws").await;
    assert!(answer.status().is_client_error(), "{}", answer.status());
}

#[tokio::test]
async fn what_does_not_finish_is_closed_in_its_time() {
    // Two seconds of five are to drain.
    let mut service = Service::with(&[("SHUTDOWN_GRACE", "5s")]).await;
    let mut half = TcpStream::connect(service.address()).await.unwrap();
    half.write_all(b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-le").await.unwrap();
    let _socket = service.handshake("").await;
    let start = Instant::now();
    service.signal("TERM").await;
    assert_eq!(service.ended().await.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    // The socket's other side has never said that it heard.
    assert_eq!(service.report().await["killed"], 2);
}

#[tokio::test]
async fn the_second_signal_ends_it_at_once() {
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let mut service = Service::start().await;
        let (client, request) = (
            service.client.clone(),
            service.request("GET", "/slow?ms=10000").body(Body::empty()).unwrap(),
        );
        let slow = tokio::spawn(async move { client.request(request).await });
        service.under_way(1).await;
        service.signal(name).await;
        service.not_accepting().await;
        let start = Instant::now();
        service.signal(name).await;
        assert_eq!(service.ended().await.code(), Some(code));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert!(slow.await.unwrap().is_err());
    }
}

#[tokio::test]
async fn a_signal_during_the_start_ends_the_start() {
    // Takes connections, and says nothing: the start waits for it, for a second.
    let redis = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", redis.local_addr().unwrap());
    let mut child = example()
        .env("BIND", "127.0.0.1:0")
        .env("REDIS_URL", url)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = collect(child.stderr.take().unwrap());
    let (_asked, _) = timeout(PATIENCE, redis.accept()).await.unwrap().unwrap();
    signal("TERM", child.id().unwrap()).await;
    let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "it never listened");
    let told = |log: &String| log.contains(r#""message":"shut down""#);
    assert!(timeout(PATIENCE, log.wait_for(told)).await.unwrap().is_ok());
    // What was opened by then is closed.
    assert!(log.borrow().contains("upstream"), "{}", *log.borrow());
}
