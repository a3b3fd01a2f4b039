//! The layer among those that everybody has, on both sides of it, under each server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test is meant to panic")]

use std::convert::Infallible;

use axum::{Router, body::Body, routing::get};
use buttress_problem::{ProblemLayer, Problems};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::{cors::CorsLayer, trace::TraceLayer};

/// Cors stands directly outside of Trace in neither half: it asks of Trace's body to be `Default`.
macro_rules! both_sides {
    ($service:expr) => {
        ServiceBuilder::new()
            .layer(TraceLayer::new_for_http())
            .layer(CorsLayer::permissive())
            .layer(ProblemLayer::new())
            .layer(CorsLayer::permissive())
            .layer(ProblemLayer::disabled())
            .layer(TraceLayer::new_for_http())
            .service($service)
    };
}

async fn panics() -> &'static str {
    panic!("hunter2")
}

#[tokio::test]
async fn under_axum() {
    let routes = Router::new().route("/", get(|| async { "hello" })).route("/panic", get(panics));
    // As the router's own layers, and around the router.
    let as_layers = routes
        .clone()
        .layer(TraceLayer::new_for_http())
        .layer(ProblemLayer::new())
        .layer(CorsLayer::permissive());
    for (path, status) in [("/", 200), ("/none", 404), ("/panic", 500)] {
        let request = || {
            let request = Request::builder().uri(path).header("origin", "https://a.test");
            request.body(Body::empty()).unwrap()
        };
        let around = both_sides!(routes.clone()).oneshot(request()).await.unwrap();
        let inside = as_layers.clone().oneshot(request()).await.unwrap();
        for response in [around.map(Body::new), inside] {
            assert_eq!(response.status(), status, "{path}");
            let headers = response.headers();
            assert!(headers.contains_key("access-control-allow-origin"));
            let problem = headers.get("content-type").unwrap() == "application/problem+json";
            assert_eq!(problem, status != 200);
        }
    }
}

#[tokio::test]
async fn under_hyper() {
    let service = both_sides!(service_fn(|_: Request<Full<Bytes>>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
    }));
    let service = hyper_util::service::TowerToHyperService::new(service);
    let request = Request::new(Full::default());
    let response = hyper::service::Service::call(&service, request).await.unwrap();
    assert_eq!(http_body::Body::size_hint(response.body()).exact(), Some(5));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
}

#[tokio::test]
async fn under_tonic() {
    let service = both_sides!(tonic::service::Routes::default().prepare());
    let request = Request::post("/pkg.Service/Method")
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::empty())
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers().get("grpc-status").unwrap(), "12");
    assert_eq!(response.headers().get("content-type").unwrap(), "application/grpc");

    // It is also what tonic's server takes.
    let _ = tonic::transport::Server::builder()
        .layer(TraceLayer::new_for_grpc())
        .layer(ProblemLayer::new())
        .layer(CorsLayer::permissive())
        .add_routes(tonic::service::Routes::default());
}

#[tokio::test]
async fn its_types_can_be_written_down() {
    struct Api {
        layer: ProblemLayer,
        service: Problems<Router>,
    }
    let layer = ProblemLayer::new().keep_json(true);
    let service = ServiceBuilder::new().layer(layer).service(Router::new());
    let api = Api { layer, service };
    let response = api.service.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(api.layer.to_string(), "5xx masked, but for JSON; panics caught");
}
