//! The layer among those that everybody has, on both sides of it, under each server.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod support;

use std::convert::Infallible;

use axum::{Router, extract::MatchedPath, http::StatusCode, routing::get};
use buttress_metrics::{Exposition, HttpMetrics, MetricsService};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::counts;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::{cors::CorsLayer, trace::TraceLayer};

/// Cors stands outside of Trace in neither half: it asks of Trace's body to be `Default`.
macro_rules! both_sides {
    ($metrics:expr, $service:expr) => {
        ServiceBuilder::new()
            .layer(TraceLayer::new_for_http())
            .layer(CorsLayer::permissive())
            .layer($metrics.layer())
            .layer(CorsLayer::permissive())
            .service($service)
    };
}

fn matched() -> HttpMetrics {
    HttpMetrics::server()
        .route_from(|extensions| extensions.get::<MatchedPath>().map(MatchedPath::as_str))
}

fn labels(metrics: &HttpMetrics) -> Vec<String> {
    let mut labels: Vec<_> = counts(metrics).into_iter().map(|(labels, _)| labels).collect();
    labels.sort_unstable();
    labels
}

#[tokio::test]
async fn axum_tells_the_route_inside_its_router() {
    let metrics = matched();
    let users = Router::new().route("/{id}", get(|| async { "a user" }));
    let app = Router::new()
        .nest("/users", users)
        .route("/fail", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .layer(metrics.layer())
        .layer(TraceLayer::new_for_http());
    for path in ["/users/1", "/users/2", "/fail", "/none", "/nowhere"] {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let _ = response.into_body().collect().await.unwrap();
    }
    assert_eq!(
        labels(&metrics),
        [
            "GET http 1.1 404",
            "GET http route=/fail 1.1 500 error=500",
            "GET http route=/users/{id} 1.1 200",
        ]
    );
}

#[tokio::test]
async fn axum_serves_the_page_beside_what_it_shows() {
    let metrics = matched();
    let page = MetricsService::new(Exposition::new().http(&metrics));
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .layer(metrics.layer())
        .route_service("/metrics", page);
    for _ in 0..3 {
        let request = Request::get("/").body(axum::body::Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let _ = response.into_body().collect().await.unwrap();
    }
    let request = Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
    let text = app.oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let count = "http_server_request_duration_seconds_count{http_request_method=\"GET\",\
        url_scheme=\"http\",network_protocol_version=\"1.1\",http_route=\"/\",\
        http_response_status_code=\"200\"} 3\n";
    assert!(text.contains(count), "{text}");
}

#[tokio::test]
async fn hyper_serves_it_over_a_connection() {
    let metrics = HttpMetrics::server();
    let service = service_fn(|_: Request<hyper::body::Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
    });
    let service = both_sides!(metrics, service);
    let (client, server) = tokio::io::duplex(4_096);
    let service = hyper_util::service::TowerToHyperService::new(service);
    tokio::spawn(async move {
        let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        builder.serve_connection(TokioIo::new(server), service).await.unwrap();
    });
    let (mut client, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);
    for method in ["GET", "HEAD"] {
        let request = Request::builder().method(method).header("host", "localhost");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let response = client.send_request(request).await.unwrap();
        assert_eq!(response.headers()["content-length"], "5");
        let _ = response.into_body().collect().await.unwrap();
    }
    assert_eq!(labels(&metrics), ["GET http 1.1 200", "HEAD http 1.1 200"]);
    assert_eq!(metrics.in_flight(), 0);
}

#[tokio::test]
async fn tonic_serves_it_and_calls_through_it() {
    let metrics = HttpMetrics::server();
    let service = both_sides!(metrics, tonic::service::Routes::default().prepare());
    let request = Request::post("/pkg.Service/Method")
        .version(http::Version::HTTP_2)
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::empty())
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    let _ = response.into_body().collect().await.unwrap();
    assert_eq!(labels(&metrics), ["POST http 2 200"]);

    // It is also what tonic's server takes, and what a generated client wraps.
    let _ = tonic::transport::Server::builder()
        .layer(metrics.layer())
        .add_routes(tonic::service::Routes::default());
    let channel = tonic::transport::Endpoint::from_static("http://[::1]:1").connect_lazy();
    let channel = ServiceBuilder::new().layer(HttpMetrics::client().layer()).service(channel);
    let _ = tonic::client::Grpc::new(channel);
}
