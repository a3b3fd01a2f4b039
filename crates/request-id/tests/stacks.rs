//! The layer among those that everybody has, on both sides of it, under each server.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use std::convert::Infallible;

use axum::{Router, response::IntoResponse, routing::get};
use buttress_request_id::{PropagateLayer, RequestIdLayer, X_REQUEST_ID};
use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::{cors::CorsLayer, trace::TraceLayer};

/// Cors stands outside of Trace in neither half: it asks of Trace's body to be `Default`.
macro_rules! both_sides {
    ($service:expr) => {
        ServiceBuilder::new()
            .layer(TraceLayer::new_for_http())
            .layer(CorsLayer::permissive().expose_headers([X_REQUEST_ID]))
            .layer(RequestIdLayer::new())
            .layer(CorsLayer::permissive())
            .service($service)
    };
}

fn echoed<B>(response: &Response<B>) -> &str {
    response.headers()[X_REQUEST_ID].to_str().unwrap()
}

#[tokio::test]
async fn axum_answers_200_404_405_and_500_with_the_id() {
    let routes = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/fail", get(|| async { StatusCode::INTERNAL_SERVER_ERROR.into_response() }));
    // As the router's own layers: only a layer outside of the fallback sees a 404.
    let as_layers = routes
        .clone()
        .layer(TraceLayer::new_for_http())
        .layer(RequestIdLayer::new())
        .layer(CorsLayer::permissive());
    let cases =
        [("GET", "/", 200), ("GET", "/none", 404), ("POST", "/", 405), ("GET", "/fail", 500)];
    for (method, path, status) in cases {
        let request = || {
            let request = Request::builder().method(method).uri(path).header(X_REQUEST_ID, "a");
            request.body(axum::body::Body::empty()).unwrap()
        };
        let around = both_sides!(routes.clone()).oneshot(request()).await.unwrap();
        assert_eq!((around.status().as_u16(), echoed(&around)), (status, "a"));
        let inside = as_layers.clone().oneshot(request()).await.unwrap();
        assert_eq!((inside.status().as_u16(), echoed(&inside)), (status, "a"));
    }
}

#[tokio::test]
async fn hyper_serves_it_over_a_connection() {
    let service = both_sides!(service_fn(|_: Request<hyper::body::Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
    }));
    let (client, server) = tokio::io::duplex(4_096);
    let service = hyper_util::service::TowerToHyperService::new(service);
    tokio::spawn(async move {
        let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        builder.serve_connection(TokioIo::new(server), service).await.unwrap();
    });
    let (mut client, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);
    for id in [Some("a"), None] {
        let mut request = Request::get("/").header("host", "localhost");
        if let Some(id) = id {
            request = request.header(X_REQUEST_ID, id);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let response = client.send_request(request).await.unwrap();
        assert!(id.map_or(echoed(&response).len() == 36, |id| echoed(&response) == id));
        // The size was not lost on the way: no chunks.
        assert_eq!(response.headers()["content-length"], "5");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    }
}

#[tokio::test]
async fn tonic_serves_it_and_grpc_is_left_as_it_is() {
    let service = both_sides!(tonic::service::Routes::default().prepare());
    let request = Request::post("/pkg.Service/Method")
        .header("content-type", "application/grpc")
        .header(X_REQUEST_ID, "a")
        .body(tonic::body::Body::empty())
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(echoed(&response), "a");
    let status = HeaderName::from_static("grpc-status");
    assert_eq!(response.headers()[status], "12");

    // It is also what tonic's server takes, and what a generated client wraps.
    let _ = tonic::transport::Server::builder()
        .layer(TraceLayer::new_for_grpc())
        .layer(RequestIdLayer::new())
        .layer(CorsLayer::permissive())
        .add_routes(tonic::service::Routes::default());
    let channel = tonic::transport::Endpoint::from_static("http://[::1]:1").connect_lazy();
    let channel = ServiceBuilder::new().layer(PropagateLayer::new()).service(channel);
    let _ = tonic::client::Grpc::new(channel);
}

#[tokio::test]
async fn each_type_can_be_written_down() {
    struct Api {
        layer: RequestIdLayer,
        client: buttress_request_id::Propagate<buttress_request_id::RequestId<Router>>,
    }
    let layer = RequestIdLayer::new();
    let client = ServiceBuilder::new()
        .layer(PropagateLayer::new())
        .layer(layer.clone())
        .service(Router::new());
    let api = Api { layer, client };
    let request = Request::new(axum::body::Body::empty());
    let response = api.client.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(api.layer.to_string(), "x-request-id; accepted if valid, else UUIDv7; echoed");
}
