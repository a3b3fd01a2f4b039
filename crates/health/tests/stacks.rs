//! In front of axum, hyper and tonic, with other people's layers on both sides, over sockets.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::{convert::Infallible, net::SocketAddr};

use axum::{Router, routing::get};
use buttress_health::{HealthLayer, Registry};
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceBuilder;
use tower_http::{cors::CorsLayer, trace::TraceLayer};

fn layer() -> HealthLayer {
    HealthLayer::new(&Registry::new().split().0)
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// What the server writes until it closes.
async fn exchange(address: SocketAddr, line: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn speaks(address: SocketAddr) {
    let answer = exchange(address, "GET /readyz").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("content-length: 17\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{\"status\":\"pass\"}"), "{answer}");
    let head = exchange(address, "HEAD /readyz").await;
    assert!(head.contains("content-length: 17\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let post = exchange(address, "POST /readyz").await;
    assert!(post.starts_with("HTTP/1.1 405 ") && post.contains("allow: GET, HEAD\r\n"), "{post}");
    let inner = exchange(address, "GET /").await;
    assert!(inner.ends_with("hello"), "{inner}");
}

/// The layers of a router go around its fallback as well: paths without a route pass there.
#[tokio::test]
async fn around_an_axum_router() {
    let router: Router = Router::new()
        .route("/", get(|| async { "hello" }))
        .layer(TraceLayer::new_for_http())
        .layer(CorsLayer::new())
        .layer(layer())
        .layer(CorsLayer::new())
        .layer(TraceLayer::new_for_http());
    let (listener, address) = listener().await;
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    speaks(address).await;
    let other = exchange(address, "GET /other").await;
    assert!(other.starts_with("HTTP/1.1 404 "), "{other}");
}

#[tokio::test]
async fn in_front_of_a_hyper_service() {
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(CorsLayer::new())
        .layer(layer())
        .layer(TraceLayer::new_for_http())
        .layer(CorsLayer::new())
        .service_fn(|_: Request<hyper::body::Incoming>| async {
            Ok::<_, Infallible>(Response::new(Full::new(bytes::Bytes::from_static(b"hello"))))
        });
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move { connection.await.unwrap() });
        }
    });
    speaks(address).await;
}

#[cfg(feature = "grpc")]
#[tokio::test]
async fn in_front_of_a_tonic_server() {
    use buttress_health::GrpcHealth;
    use tonic::transport::{Server, server::TcpIncoming};

    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let service = GrpcHealth::new(&Registry::new().split().0);
    let server = Server::builder()
        .accept_http1(true)
        .layer(TraceLayer::new_for_http())
        .layer(layer())
        .layer(CorsLayer::new())
        .add_service(service)
        .serve_with_incoming(incoming);
    tokio::spawn(server);
    let answer = exchange(address, "GET /healthz").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with(r#"{"status":"pass"}"#), "{answer}");
}
