//! Real servers that fail in the ways in which servers fail.

#![cfg(not(loom))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test is meant to panic"
)]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use buttress_retry::{Backoff, Budget, ReplayBody, Retry, RetryInfo, RetryLayer, StopReason};
use bytes::Bytes;
use h2::Reason;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::{Layer, ServiceExt};

type Http = Retry<Client<HttpConnector, ReplayBody<Full<Bytes>>>>;
type Answer =
    Response<buttress_core::body::ResponseBody<buttress_retry::PeekedBody<hyper::body::Incoming>>>;

const LIMIT: Duration = Duration::from_millis(300);

fn layer() -> RetryLayer {
    RetryLayer::http()
        .backoff(Backoff::constant(Duration::from_millis(1)))
        .unwrap()
        .attempt_timeout(LIMIT)
        .unwrap()
        .budget(Budget::unlimited())
        .unwrap()
        .hyper_util()
}

fn client(is_http2: bool) -> Http {
    let client = Client::builder(TokioExecutor::new())
        .http2_only(is_http2)
        .pool_max_idle_per_host(if is_http2 { 1 } else { 4 })
        .build_http();
    layer().layer(client)
}

async fn ask(client: &Http, method: &str, to: SocketAddr) -> Result<Answer, legacy::Error> {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{to}/"))
        .body(Full::new(Bytes::from_static(b"body")))
        .unwrap();
    client.clone().oneshot(request).await
}

fn attempts(answer: &Answer) -> (u16, u32) {
    (answer.status().as_u16(), RetryInfo::of(answer).attempts())
}

/// A server that does this with its nth connection; what it counts.
async fn server<F, Fut>(each: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(usize, TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::spawn(each(number, stream));
        }
    });
    (address, count)
}

/// Reads a request of which the body is `body`.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"body") {
        let mut buffer = [0; 1_024];
        let n = stream.read(&mut buffer).await.unwrap();
        assert!(n > 0, "the whole request is sent");
        read.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8(read).unwrap()
}

async fn answer_200(stream: &mut TcpStream) {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await.unwrap();
}

#[tokio::test]
async fn a_closed_port_was_never_asked() {
    // Of an address on which no other test listens.
    let listener = TcpListener::bind("127.0.0.71:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = client(false);
    for method in ["POST", "GET"] {
        let error = ask(&client, method, address).await.unwrap_err();
        assert!(error.is_connect());
    }
    let handle = {
        let layer = layer();
        let client: Http = layer.layer(Client::builder(TokioExecutor::new()).build_http());
        ask(&client, "POST", address).await.unwrap_err();
        layer.handle()
    };
    assert_eq!((handle.retries(), handle.stopped(StopReason::Attempts)), (2, 1));
}

#[tokio::test]
async fn a_server_that_comes_back_is_reached() {
    let listener = TcpListener::bind("127.0.0.72:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let layer = layer().max_attempts(u32::MAX).unwrap();
    let handle = layer.handle();
    let client: Http = layer.layer(Client::builder(TokioExecutor::new()).build_http());
    let asked = tokio::spawn(async move { ask(&client, "POST", address).await });
    while handle.retries() == 0 {
        assert!(!asked.is_finished(), "it is asked again");
        tokio::task::yield_now().await;
    }
    let listener = TcpListener::bind(address).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    read_request(&mut stream).await;
    answer_200(&mut stream).await;
    let answer = asked.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    assert!(RetryInfo::of(&answer).attempts() >= 2);
}

/// It has read the request, and may have acted upon it.
#[tokio::test]
async fn a_reset_is_retried_for_what_may_be_repeated() {
    let each = |number, mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        if number % 2 == 1 {
            // Closed at once, what was not read is answered with a reset.
            stream.set_zero_linger().unwrap();
            drop(stream);
        } else {
            answer_200(&mut stream).await;
        }
    };
    let (address, connections) = server(each).await;
    let client = client(false);
    assert_eq!(attempts(&ask(&client, "PUT", address).await.unwrap()), (200, 2));
    assert!(!ask(&client, "POST", address).await.unwrap_err().is_connect());
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_stall_in_the_head_ends_by_the_attempts_timeout() {
    let each = |number, mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        if number % 2 == 1 {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-").await.unwrap();
            std::future::pending::<()>().await;
        }
        answer_200(&mut stream).await;
    };
    let (address, connections) = server(each).await;
    let client = client(false);
    assert_eq!(attempts(&ask(&client, "PUT", address).await.unwrap()), (200, 2));
    let answer = ask(&client, "POST", address).await.unwrap();
    assert_eq!(attempts(&answer), (504, 1));
    assert_eq!(RetryInfo::of(&answer).stop(), StopReason::NotRepeatable);
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

/// The head is an answer: from there on it is the caller's.
#[tokio::test]
async fn a_stall_in_the_body_of_a_good_answer_is_the_callers() {
    let each = |_, mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe").await.unwrap();
        std::future::pending::<()>().await;
    };
    let (address, connections) = server(each).await;
    let answer = ask(&client(false), "GET", address).await.unwrap();
    assert_eq!(attempts(&answer), (200, 1));
    let body = tokio::time::timeout(Duration::from_millis(50), answer.into_body().collect()).await;
    assert!(body.is_err());
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// It is drained for 50 ms at most.
#[tokio::test]
async fn a_stall_in_the_body_of_a_failure_does_not_hold_up_the_retry() {
    let each = |number, mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        if number == 1 {
            let stalled = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 5\r\n\r\nhe";
            stream.write_all(stalled).await.unwrap();
            std::future::pending::<()>().await;
        }
        answer_200(&mut stream).await;
    };
    let (address, _) = server(each).await;
    assert_eq!(attempts(&ask(&client(false), "GET", address).await.unwrap()), (200, 2));
}

#[tokio::test]
async fn the_connection_of_a_drained_failure_is_used_again() {
    let each = |_, mut stream: TcpStream| async move {
        let first = read_request(&mut stream).await;
        let failed = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 5\r\n\r\nhello";
        stream.write_all(failed).await.unwrap();
        let second = read_request(&mut stream).await;
        assert_eq!(first, second, "head and body are the same");
        answer_200(&mut stream).await;
    };
    let (address, connections) = server(each).await;
    assert_eq!(attempts(&ask(&client(false), "PUT", address).await.unwrap()), (200, 2));
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// What an HTTP/2 server does with the nth stream.
#[derive(Clone, Copy)]
enum Does {
    Answers,
    Resets(Reason),
    /// Having taken the stream.
    Leaves,
    /// Without having taken it.
    LeavesBefore(Reason),
}

async fn h2_server(does: fn(usize) -> Does) -> (SocketAddr, Arc<AtomicUsize>) {
    let streams = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&streams);
    let each = move |_, stream: TcpStream| {
        let streams = Arc::clone(&counted);
        async move { h2_connection(stream, does, &streams).await }
    };
    (server(each).await.0, streams)
}

async fn h2_connection(mut stream: TcpStream, does: fn(usize) -> Does, streams: &AtomicUsize) {
    if let Does::LeavesBefore(reason) = does(streams.load(Ordering::SeqCst) + 1) {
        streams.fetch_add(1, Ordering::SeqCst);
        return leave(&mut stream, reason).await;
    }
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        match does(streams.fetch_add(1, Ordering::SeqCst) + 1) {
            Does::Answers => {
                let answer = Response::new(());
                respond.send_response(answer, true).unwrap();
            }
            Does::Resets(reason) => respond.send_reset(reason),
            Does::Leaves | Does::LeavesBefore(_) => {
                // The stream is among those that it says it has taken.
                connection.abrupt_shutdown(Reason::NO_ERROR);
            }
        }
    }
}

/// Settings, and then GOAWAY with no stream taken, once the request is there (RFC 9113 §6.8).
async fn leave(stream: &mut TcpStream, reason: Reason) {
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    stream.write_all(&settings).await.unwrap();
    let mut read = Vec::new();
    // The client's body is the last that it sends.
    while !read.windows(4).any(|window| window == b"body") {
        let mut buffer = [0; 1_024];
        let n = stream.read(&mut buffer).await.unwrap();
        assert!(n > 0);
        read.extend_from_slice(&buffer[..n]);
    }
    let mut go_away = vec![0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    go_away.extend_from_slice(&u32::from(reason).to_be_bytes());
    stream.write_all(&go_away).await.unwrap();
    // Until the client has gone, too.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_whatever_it_is() {
    let does = |n| if n < 3 { Does::Resets(Reason::REFUSED_STREAM) } else { Does::Answers };
    let (address, streams) = h2_server(does).await;
    let answer = ask(&client(true), "POST", address).await.unwrap();
    assert_eq!(attempts(&answer), (200, 3));
    assert_eq!(streams.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_stream_that_is_reset_for_another_reason_may_have_been_processed() {
    for reason in [Reason::CANCEL, Reason::INTERNAL_ERROR] {
        let does = match reason {
            Reason::CANCEL => |n| if n < 2 { Does::Resets(Reason::CANCEL) } else { Does::Answers },
            _ => |n| if n < 2 { Does::Resets(Reason::INTERNAL_ERROR) } else { Does::Answers },
        };
        let (address, streams) = h2_server(does).await;
        ask(&client(true), "POST", address).await.unwrap_err();
        assert_eq!(streams.load(Ordering::SeqCst), 1);
        let (address, _) = h2_server(does).await;
        assert_eq!(attempts(&ask(&client(true), "PUT", address).await.unwrap()), (200, 2));
    }
}

#[tokio::test]
async fn goaway_without_error_before_the_stream_is_sent_again_whatever_it_is() {
    let does = |n| if n == 1 { Does::LeavesBefore(Reason::NO_ERROR) } else { Does::Answers };
    let (address, streams) = h2_server(does).await;
    let answer = ask(&client(true), "POST", address).await.unwrap();
    assert_eq!(attempts(&answer), (200, 2));
    assert_eq!(streams.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn goaway_after_the_stream_was_taken_may_have_been_processed() {
    let does = |n| if n == 1 { Does::Leaves } else { Does::Answers };
    let (address, streams) = h2_server(does).await;
    ask(&client(true), "POST", address).await.unwrap_err();
    assert_eq!(streams.load(Ordering::SeqCst), 1);
    let (address, _) = h2_server(does).await;
    assert_eq!(attempts(&ask(&client(true), "PUT", address).await.unwrap()), (200, 2));
}

#[tokio::test]
async fn goaway_with_an_error_proves_nothing() {
    let does = |n| if n == 1 { Does::LeavesBefore(Reason::PROTOCOL_ERROR) } else { Does::Answers };
    let (address, streams) = h2_server(does).await;
    ask(&client(true), "POST", address).await.unwrap_err();
    assert_eq!(streams.load(Ordering::SeqCst), 1);
}

/// Reads a head that no body follows.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.unwrap();
        read.push(byte);
    }
    String::from_utf8(read).unwrap()
}

/// A bodiless request.
fn bare(method: &str, to: SocketAddr) -> http::request::Builder {
    Request::builder().method(method).uri(format!("http://{to}/"))
}

#[tokio::test]
async fn the_length_in_an_answer_to_head_is_no_body() {
    const FAILED: &[u8] = b"HTTP/1.1 503 Unavailable\r\ncontent-length: 3000\r\n\r\n";
    let (address, connections) = server(|_, mut stream| async move {
        loop {
            read_head(&mut stream).await;
            stream.write_all(FAILED).await.unwrap();
        }
    })
    .await;
    let request = bare("HEAD", address).body(Full::default()).unwrap();
    let answer = client(false).oneshot(request).await.unwrap();
    assert_eq!(attempts(&answer), (503, 3));
    assert_eq!(answer.headers()["content-length"], "3000");
    assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    assert_eq!(connections.load(Ordering::SeqCst), 1, "there was nothing to read");
}

#[tokio::test]
async fn a_connection_that_is_upgraded_at_the_second_attempt_is_the_callers() {
    let (address, _) = server(|_, mut stream| async move {
        read_head(&mut stream).await;
        let failed = b"HTTP/1.1 503 Unavailable\r\ncontent-length: 4\r\n\r\nwait";
        stream.write_all(failed).await.unwrap();
        assert!(read_head(&mut stream).await.contains("upgrade: echo"));
        let switched = b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        stream.write_all(switched).await.unwrap();
        let mut said = [0; 4];
        stream.read_exact(&mut said).await.unwrap();
        stream.write_all(&said).await.unwrap();
    })
    .await;
    let request = bare("GET", address)
        .header("connection", "upgrade")
        .header("upgrade", "echo")
        .body(Full::default())
        .unwrap();
    let answer = client(false).oneshot(request).await.unwrap();
    assert_eq!(attempts(&answer), (101, 2));
    let mut upgraded = hyper_util::rt::TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    upgraded.write_all(b"ping").await.unwrap();
    let mut said = [0; 4];
    upgraded.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"ping");
}

#[tokio::test]
async fn continue_is_no_answer() {
    let (address, _) = server(|number, mut stream| async move {
        assert!(read_request(&mut stream).await.contains("expect: 100-continue"));
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
        if number == 1 {
            let failed = b"HTTP/1.1 503 Unavailable\r\nconnection: close\r\n\r\n";
            stream.write_all(failed).await.unwrap();
        } else {
            answer_200(&mut stream).await;
        }
    })
    .await;
    let request =
        bare("PUT", address).header("expect", "100-continue").body(Full::from("body")).unwrap();
    assert_eq!(attempts(&client(false).oneshot(request).await.unwrap()), (200, 2));
}
