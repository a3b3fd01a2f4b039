//! Over real connections: what a client sees of a failure and a panic, to the last byte.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::{convert::Infallible, future::poll_fn, net::SocketAddr};

use axum::{Json, Router, body::Body, extract::Path, routing::get};
use buttress_conformance::Gate;
use buttress_core::context::ContextLayer;
use buttress_problem::{Failure, ProblemLayer};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use support::{Log, SECRET, fetch, fetch_past};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceBuilder, service_fn};

mod support;

async fn listener() -> (TcpListener, SocketAddr) {
    support::init();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The request's id is its path.
#[derive(Clone, Copy)]
struct Named;

impl<S> Layer<S> for Named {
    type Service = tower::util::MapRequest<S, fn(Request<Incoming>) -> Request<Incoming>>;

    fn layer(&self, inner: S) -> Self::Service {
        tower::util::MapRequest::new(inner, |request| {
            let id = HeaderValue::from_str(request.uri().path()).unwrap();
            buttress_core::context::current().unwrap().set_request_id(id);
            request
        })
    }
}

/// A frame, and a panic when the gate opens.
fn panicking(
    gate: Gate,
) -> impl http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static {
    let first = stream::iter([Ok(Frame::data(Bytes::from_static(b"so far ")))]);
    StreamBody::new(first.chain(stream::once(async move {
        poll_fn(|cx| gate.poll_open(cx)).await;
        panic!("{SECRET}")
    })))
}

async fn panics() -> &'static str {
    panic!("{SECRET}")
}

fn routes(gate: Gate) -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/fail", get(|| async { Err::<(), _>(Failure::internal(SECRET)) }))
        .route("/panic", get(panics))
        .route("/stream", get(|| async move { Response::new(Body::new(panicking(gate))) }))
        .route("/books/{id}", get(|Path(id): Path<u64>| async move { Json(id) }))
}

async fn serve_axum(gate: &Gate) -> SocketAddr {
    let (listener, address) = listener().await;
    let app = ServiceBuilder::new()
        .layer(ContextLayer::new())
        .map_request(|request: Request<Body>| {
            let id = HeaderValue::from_str(request.uri().path()).unwrap();
            buttress_core::context::current().unwrap().set_request_id(id);
            request
        })
        .layer(ProblemLayer::new())
        .service(routes(gate.clone()));
    let app = Router::new().fallback_service(app);
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn serve_hyper(gate: &Gate) -> SocketAddr {
    let (listener, address) = listener().await;
    let gate = gate.clone();
    let service = ServiceBuilder::new()
        .layer(ContextLayer::new())
        .layer(Named)
        .layer(ProblemLayer::new())
        .service(service_fn(move |request: Request<Incoming>| {
            let gate = gate.clone();
            async move {
                Ok::<_, Infallible>(match request.uri().path() {
                    "/fail" => Failure::internal(SECRET).into_http(),
                    "/panic" => panic!("{SECRET}"),
                    _ => Response::new(Body::new(panicking(gate))),
                })
            }
        }));
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(connection), service)
                    .await
            });
        }
    });
    address
}

#[tokio::test]
async fn a_failure_and_a_panic_leak_nothing_and_are_logged_under_the_same_id() {
    let gate = Gate::shut();
    for address in [serve_axum(&gate).await, serve_hyper(&gate).await] {
        for path in ["/fail", "/panic"] {
            let (log, _listening) = Log::listen();
            let answer = fetch(address, path).await;
            assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
            assert!(!answer.contains("hunter2"), "{answer}");
            let document = format!(
                r#"{{"title":"Internal Server Error","status":500,"request_id":"{path}"}}"#
            );
            assert!(answer.ends_with(&document), "{answer}");
            assert!(
                answer.contains(&format!("content-length: {}\r\n", document.len())),
                "{answer}"
            );
            let line = log.line();
            assert_eq!((line.field("request_id"), line.field("error")), (path, SECRET));
        }
    }
}

#[tokio::test]
async fn a_body_that_panics_breaks_the_connection_off() {
    let (axum, hyper) = (Gate::shut(), Gate::shut());
    for (address, gate) in [(serve_axum(&axum).await, axum), (serve_hyper(&hyper).await, hyper)] {
        let (log, _listening) = Log::listen();
        let answer = fetch_past(address, "/stream", "so far ", || gate.open()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("so far ") && !answer.contains("hunter2"), "{answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "it looks complete: {answer}");
        let line = log.line();
        assert_eq!((line.field("request_id"), line.field("error")), ("/stream", SECRET));
    }
}

#[tokio::test]
async fn over_http_2_only_its_stream_is_reset() {
    let gate = Gate::shut();
    let address = serve_hyper(&gate).await;
    let (log, _listening) = Log::listen();
    let connection = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(connection))
            .await
            .unwrap();
    tokio::spawn(connection);
    let mut ask = async |path: &str| {
        let uri = format!("http://test{path}");
        let request = Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
        client.send_request(request).await.unwrap()
    };
    let mut body = ask("/stream").await.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "so far ");
    gate.open();
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(!error.to_string().contains("hunter2"));
    assert_eq!(log.line().field("error"), SECRET);
    assert_eq!(ask("/fail").await.status(), 500, "the connection still serves");
}

#[tokio::test]
async fn axums_own_answers_become_documents() {
    let address = serve_axum(&Gate::shut()).await;
    let answer = fetch(address, "/none").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(
        answer.ends_with(r#"{"title":"Not Found","status":404,"request_id":"/none"}"#),
        "{answer}"
    );
    let answer = fetch(address, "/books/x").await;
    assert!(answer.contains(r#""status":400,"detail":"Invalid URL: Cannot parse"#), "{answer}");
    assert!(fetch(address, "/").await.ends_with("hello"));
}
