//! `grpc.health.v1` with tonic's client and server, over a connection.

#![cfg(feature = "grpc")]
#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

mod common;

use std::time::Duration;

use buttress_core::lifecycle::{Lifecycle, State};
use buttress_health::{Entry, GrpcHealth, Health, Registry};
use bytes::{Buf, BufMut, Bytes};
use common::Script;
use http::uri::PathAndQuery;
use tokio_stream::StreamExt;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};

/// Messages as they are on the wire.
#[derive(Clone)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        Self
    }
    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

const SERVING: &[u8] = &[8, 1];
const NOT_SERVING: &[u8] = &[8, 2];
const SERVICE_UNKNOWN: &[u8] = &[8, 3];

fn asking(service: &str) -> Request<Bytes> {
    let mut message = vec![0x0a, u8::try_from(service.len()).unwrap()];
    message.extend_from_slice(service.as_bytes());
    Request::new(message.into())
}

async fn serve(health: &Health) -> Grpc<Channel> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let service = GrpcHealth::new(health).service("greeter.Greeter");
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    let channel = Endpoint::new(format!("http://{address}")).unwrap().connect().await.unwrap();
    Grpc::new(channel)
}

async fn check(grpc: &mut Grpc<Channel>, request: Request<Bytes>) -> Result<Bytes, Status> {
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static("/grpc.health.v1.Health/Check");
    grpc.unary(request, path, Raw).await.map(tonic::Response::into_inner)
}

async fn watch(grpc: &mut Grpc<Channel>, service: &str) -> tonic::Streaming<Bytes> {
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static("/grpc.health.v1.Health/Watch");
    grpc.server_streaming(asking(service), path, Raw).await.unwrap().into_inner()
}

fn watched(row: &str) -> (Lifecycle, Script, Health) {
    let (lifecycle, script) = (Lifecycle::new(), Script::new("db", row));
    let entry = Entry::critical(script.clone()).interval(Duration::from_millis(20)).unwrap();
    let (health, runner) = Registry::new().lifecycle(&lifecycle).check(entry).unwrap().split();
    tokio::spawn(runner.run());
    (lifecycle, script, health)
}

#[tokio::test]
async fn check_says_serving_while_it_is_ready_and_knows_no_other_service() {
    let (lifecycle, _script, health) = watched("P");
    let mut grpc = serve(&health).await;
    assert_eq!(check(&mut grpc, asking("")).await.unwrap(), NOT_SERVING);
    lifecycle.advance(State::Running);
    while !health.is_ready() {
        tokio::task::yield_now().await;
    }
    for known in ["", "greeter.Greeter"] {
        assert_eq!(check(&mut grpc, asking(known)).await.unwrap(), SERVING, "{known}");
    }
    assert_eq!(check(&mut grpc, Request::new(Bytes::new())).await.unwrap(), SERVING);
    let unknown = check(&mut grpc, asking("other.Other")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let broken = Request::new(Bytes::from_static(b"\x0a\xff"));
    assert_eq!(check(&mut grpc, broken).await.unwrap_err().code(), Code::InvalidArgument);
    let long = Request::new(Bytes::from(vec![0; 64 * 1024]));
    assert_eq!(check(&mut grpc, long).await.unwrap_err().code(), Code::OutOfRange);

    grpc.ready().await.unwrap();
    let list = PathAndQuery::from_static("/grpc.health.v1.Health/List");
    let missing = grpc.unary(asking(""), list, Raw).await.unwrap_err();
    assert_eq!(missing.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_watcher_hears_of_each_change_once_and_of_the_drain_last() {
    let (lifecycle, script, health) = watched("P");
    lifecycle.advance(State::Running);
    while !health.is_ready() {
        tokio::task::yield_now().await;
    }
    let mut grpc = serve(&health).await;
    let mut stream = watch(&mut grpc, "greeter.Greeter").await;
    assert_eq!(stream.next().await.unwrap().unwrap(), SERVING);
    script.now("F");
    assert_eq!(stream.next().await.unwrap().unwrap(), NOT_SERVING);
    script.now("P");
    assert_eq!(stream.next().await.unwrap().unwrap(), SERVING);
    lifecycle.advance(State::Draining);
    assert_eq!(stream.next().await.unwrap().unwrap(), NOT_SERVING);
    assert!(stream.next().await.is_none(), "the stream ends");
    let mut late = watch(&mut grpc, "").await;
    assert_eq!(late.next().await.unwrap().unwrap(), NOT_SERVING);
    assert!(late.next().await.is_none());
}

#[tokio::test]
async fn a_watcher_of_an_unknown_service_is_told_so_and_stays() {
    let (lifecycle, _script, health) = watched("P");
    let mut grpc = serve(&health).await;
    let mut stream = watch(&mut grpc, "other.Other").await;
    assert_eq!(stream.next().await.unwrap().unwrap(), SERVICE_UNKNOWN);
    let more = tokio::time::timeout(Duration::from_millis(600), stream.next()).await;
    assert!(more.is_err(), "it stays open, and says nothing twice");
    lifecycle.advance(State::Draining);
    assert!(stream.next().await.is_none());
}

/// Its window is full, so nothing was taken of what is told.
#[tokio::test]
async fn a_watcher_that_does_not_read_hears_of_the_drain_all_the_same() {
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    let (lifecycle, _script, health) = watched("P");
    lifecycle.advance(State::Running);
    while !health.is_ready() {
        tokio::task::yield_now().await;
    }
    let request = http::Request::post("/grpc.health.v1.Health/Watch")
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::new(http_body_util::Full::new(Bytes::from_static(&[0; 5]))))
        .unwrap();
    let response = GrpcHealth::new(&health).oneshot(request).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    lifecycle.advance(State::Draining);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
    let bytes = collected.to_bytes();
    let last = bytes.chunks(7).last().unwrap();
    assert_eq!(last, [&[0, 0, 0, 0, 2], NOT_SERVING].concat());
}
