//! Under axum, hyper and tonic, with tower-http's layers outside and inside.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{convert::Infallible, net::SocketAddr};

use axum::{Router, extract::ConnectInfo, routing::get};
use buttress_core::{body::ResponseBody, client_ip::ClientIp};
use buttress_limit::{Key, LimitLayer, Rule, minutes, requests};
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::{cors::CorsLayer, map_response_body::MapResponseBodyLayer, trace::TraceLayer};

fn twice(key: Key) -> LimitLayer {
    LimitLayer::new(key, [Rule::new("twice", requests(2).per(minutes(15))).unwrap()]).unwrap()
}

/// tower-http's Cors asks for a body that is `Default`, which Trace's is not: the core's is put
/// between the two.
macro_rules! both_sides {
    ($limit:expr, $service:expr) => {
        ServiceBuilder::new()
            .layer(TraceLayer::new_for_http())
            .layer(CorsLayer::permissive())
            .layer($limit)
            .layer(CorsLayer::permissive())
            .layer(MapResponseBodyLayer::new(ResponseBody::inner))
            .layer(TraceLayer::new_for_http())
            .service($service)
    };
}

#[tokio::test]
async fn under_axum_a_refusal_has_its_cors_headers() {
    let peer = ClientIp::peer().peer_from(|extensions| {
        extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
    });
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .layer(TraceLayer::new_for_http())
        .layer(twice(Key::client_ip(peer)))
        .layer(CorsLayer::permissive())
        .layer(TraceLayer::new_for_http());
    let from = |host| {
        let peer = SocketAddr::from(([192, 0, 2, host], 4711));
        Request::get("/")
            .header("origin", "https://app.example")
            .extension(ConnectInfo(peer))
            .body(axum::body::Body::empty())
            .unwrap()
    };
    for (host, status) in [(1, 200), (1, 200), (1, 429), (2, 200)] {
        let answer = app.clone().oneshot(from(host)).await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["access-control-allow-origin"], "*");
        assert!(answer.headers().contains_key("ratelimit"));
    }
}

#[tokio::test]
async fn under_axum_each_route_has_a_limit_of_its_own() {
    let app = Router::new()
        .route("/a", get(|| async { "a" }).layer(twice(Key::everyone())))
        .route("/b", get(|| async { "b" }).layer(twice(Key::everyone())));
    let get = |path| Request::get(path).body(axum::body::Body::empty()).unwrap();
    for (path, status) in [("/a", 200), ("/a", 200), ("/a", 429), ("/b", 200)] {
        assert_eq!(app.clone().oneshot(get(path)).await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn under_hyper() {
    let service = both_sides!(
        twice(Key::everyone()),
        service_fn(|_: Request<hyper::body::Incoming>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
        })
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper_util::service::TowerToHyperService::new(service);
        let connection = hyper::server::conn::http1::Builder::new();
        connection.serve_connection(TokioIo::new(stream), service).await.unwrap();
    });
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    for status in [200, 200, 429] {
        let request = Request::builder().uri("/").header("host", "a").body(String::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), status);
        // The length of the document, too, is told.
        let length: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), length);
    }
    drop(sender);
    server.await.unwrap();
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn under_tonic() {
    let routes = tonic::service::Routes::default().prepare();
    let service = both_sides!(twice(Key::everyone()), routes);
    // UNIMPLEMENTED, since there is no such method, and then RESOURCE_EXHAUSTED.
    for status in ["12", "12", "8"] {
        let request = Request::builder()
            .uri("/package.Service/Method")
            .header(CONTENT_TYPE, "application/grpc")
            .body(tonic::body::Body::empty())
            .unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/grpc");
        assert_eq!(response.headers()["grpc-status"], status);
    }
    // It is also what tonic's server takes.
    let _ = tonic::transport::Server::builder()
        .layer(TraceLayer::new_for_http())
        .layer(twice(Key::everyone()))
        .add_routes(tonic::service::Routes::default());
}
