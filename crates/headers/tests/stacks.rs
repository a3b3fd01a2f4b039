//! Under axum, hyper and tonic, with tower-http's layers outside and inside.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::convert::Infallible;

use axum::{Extension, Router, routing::get};
use buttress_core::body::ResponseBody;
use buttress_headers::{CspNonce, HeadersOverride, SecurityHeadersLayer};
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::{cors::CorsLayer, map_response_body::MapResponseBodyLayer, trace::TraceLayer};

const CSP: &str = "content-security-policy";

/// tower-http's Cors asks for a body that is `Default`, which Trace's is not: the core's is put
/// between the two.
macro_rules! both_sides {
    ($service:expr) => {
        ServiceBuilder::new()
            .layer(TraceLayer::new_for_http())
            .layer(CorsLayer::permissive())
            .layer(SecurityHeadersLayer::web_strict())
            .layer(CorsLayer::permissive())
            .layer(MapResponseBodyLayer::new(ResponseBody::inner))
            .layer(TraceLayer::new_for_http())
            .service($service)
    };
}

#[tokio::test]
async fn under_axum() {
    let app = Router::new()
        .route(
            "/",
            get(|Extension(nonce): Extension<CspNonce>| async move {
                format!("<script nonce=\"{}\"></script>", nonce.get().unwrap())
            }),
        )
        .route("/bare", get(|| async { (Extension(HeadersOverride::skip()), "bare") }))
        .layer(TraceLayer::new_for_http())
        .layer(CorsLayer::permissive())
        .layer(SecurityHeadersLayer::web_strict());
    let app = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(SecurityHeadersLayer::api())
        .service(app);
    let get = |path| Request::builder().uri(path).body(axum::body::Body::empty()).unwrap();

    let page = app.clone().oneshot(get("/")).await.unwrap();
    let csp = page.headers()[CSP].to_str().unwrap().to_owned();
    let body = page.into_body().collect().await.unwrap().to_bytes();
    let nonce = std::str::from_utf8(&body).unwrap().split('"').nth(1).unwrap().to_owned();
    assert!(csp.contains(&format!("'nonce-{nonce}'")), "{csp}");

    let bare = app.clone().oneshot(get("/bare")).await.unwrap();
    assert!(!bare.headers().contains_key(CSP));

    let missing = app.oneshot(get("/missing")).await.unwrap();
    assert_eq!(missing.status(), 404);
    assert!(missing.headers().contains_key(CSP));
}

#[tokio::test]
async fn under_hyper() {
    let service = both_sides!(service_fn(|_: Request<hyper::body::Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper_util::service::TowerToHyperService::new(service);
        hyper::server::conn::http1::Builder::new()
            .serve_connection(hyper_util::rt::TokioIo::new(stream), service)
            .await
            .unwrap();
    });
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::builder().uri("/").header("host", "a").body(String::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    for (name, value) in SecurityHeadersLayer::web_strict().headers() {
        let sent: Vec<_> = response.headers().get_all(name).iter().collect();
        assert_eq!(sent, [value]);
    }
    assert_eq!(response.headers()["content-length"], "5");
    drop((sender, response));
    server.await.unwrap();
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn under_tonic() {
    let routes = tonic::service::Routes::default().prepare();
    let service = both_sides!(routes);
    let request = Request::builder()
        .uri("/package.Service/Method")
        .header(CONTENT_TYPE, "application/grpc")
        .body(tonic::body::Body::empty())
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.headers()[CONTENT_TYPE], "application/grpc");
    assert_eq!(response.headers()["grpc-status"], "12");
    assert!(!response.headers().contains_key(CSP));
    // It is also what tonic's server takes.
    let _ = tonic::transport::Server::builder()
        .layer(TraceLayer::new_for_http())
        .layer(CorsLayer::permissive())
        .layer(SecurityHeadersLayer::api())
        .layer(CorsLayer::permissive())
        .add_routes(tonic::service::Routes::default());
}
