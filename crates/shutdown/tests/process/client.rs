//! Clients that do as they like.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};

pub(crate) const UPGRADE: &str = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub(crate) fn open(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

pub(crate) fn get(stream: &mut TcpStream, path: &str) {
    write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
}

/// The answer's head, in lower case but for its first line.
pub(crate) fn head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Whether the other side ends it, by whatever means, in that time.
pub(crate) fn closed_within(stream: &mut TcpStream, time: Duration) -> bool {
    let until = Instant::now() + time;
    let mut scrap = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut scrap) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// The text of an answer, and its `grpc-status` where it has one; or why there is none.
pub(crate) type Answer = Result<(String, Option<String>), String>;

/// gRPC requests, of an empty message each, on one HTTP/2 connection; `meanwhile` is done once
/// they are sent. The connection has to end, too.
pub(crate) fn http2(port: u16, paths: &[&str], meanwhile: impl FnOnce()) -> Vec<Answer> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (client, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tcp))
                .await
                .unwrap();
        let connection = tokio::spawn(connection);
        let requests: Vec<_> = paths
            .iter()
            .map(|path| tokio::spawn(ask(client.clone(), format!("http://a{path}"))))
            .collect();
        tokio::task::block_in_place(meanwhile);
        let mut answers = Vec::new();
        for request in requests {
            answers.push(request.await.unwrap());
        }
        let ended = tokio::time::timeout(Duration::from_secs(20), connection).await;
        let _ = ended.expect("the connection outlives its requests").unwrap();
        answers
    })
}

async fn ask(mut client: SendRequest<Full<Bytes>>, uri: String) -> Answer {
    let text = |error: hyper::Error| error.to_string();
    let request = http::Request::post(uri)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from_static(&[0; 5])))
        .unwrap();
    let body = client.send_request(request).await.map_err(text)?.into_body();
    let body = body.collect().await.map_err(text)?;
    let trailers = body.trailers().and_then(|trailers| trailers.get("grpc-status").cloned());
    let status = trailers.map(|status| status.to_str().unwrap().to_owned());
    Ok((String::from_utf8(body.to_bytes().to_vec()).unwrap(), status))
}
