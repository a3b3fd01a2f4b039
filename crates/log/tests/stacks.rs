//! The layer among those that everybody has, on both sides of it, under each server.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

mod support;

use std::convert::Infallible;

use axum::{Router, http::StatusCode, routing::get};
use buttress_core::context;
use buttress_log::AccessLog;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::Lines;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::{cors::CorsLayer, trace::TraceLayer};

/// Cors stands outside of Trace in neither half: it asks of Trace's body to be `Default`.
macro_rules! both_sides {
    ($service:expr) => {
        ServiceBuilder::new()
            .layer(TraceLayer::new_for_http())
            .layer(CorsLayer::permissive())
            .layer(AccessLog::new().layer())
            .layer(CorsLayer::permissive())
            .service($service)
    };
}

/// The access lines' messages, and what they say of the gRPC status.
fn messages(lines: &Lines) -> Vec<String> {
    let lines = lines.take().into_iter().filter(|line| line.target == "access");
    lines
        .map(|line| match line.get("grpc_status").as_u64() {
            Some(code) => format!("{} {} grpc={code}", line.level, line.text("message")),
            None => format!("{} {}", line.level, line.text("message")),
        })
        .collect()
}

#[tokio::test]
async fn axum_has_a_line_for_what_it_matched_and_for_what_it_did_not() {
    let (lines, _guard) = Lines::here();
    let user = async |path: axum::extract::MatchedPath| {
        context::current().unwrap().set_route(path.as_str().into());
        "a user"
    };
    let app = Router::new()
        .nest("/users", Router::new().route("/{id}", get(user)))
        .route("/fail", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .layer(AccessLog::new().layer())
        .layer(TraceLayer::new_for_http());
    for path in ["/users/1", "/fail", "/none"] {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let _ = response.into_body().collect().await.unwrap();
    }
    assert_eq!(messages(&lines), ["INFO GET /users/{id} 200", "ERROR GET - 500", "WARN GET - 404"]);
}

#[tokio::test]
async fn hyper_serves_it_over_a_connection() {
    let (lines, _guard) = Lines::here();
    let service = both_sides!(service_fn(|_: Request<hyper::body::Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
    }));
    let (client, server) = tokio::io::duplex(4_096);
    let service = hyper_util::service::TowerToHyperService::new(service);
    let server = tokio::spawn(async move {
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
    drop(client);
    server.await.unwrap();
    assert_eq!(messages(&lines), ["INFO GET - 200", "INFO HEAD - 200"]);
}

#[tokio::test]
async fn tonic_serves_it_and_its_status_is_told() {
    let (lines, _guard) = Lines::here();
    let service = both_sides!(tonic::service::Routes::default().prepare());
    let request = Request::post("/pkg.Service/Method")
        .version(http::Version::HTTP_2)
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::empty())
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    let _ = response.into_body().collect().await.unwrap();
    assert_eq!(messages(&lines), ["ERROR POST - 200 grpc=12"]);

    // It is also what tonic's server takes.
    let _ = tonic::transport::Server::builder()
        .layer(AccessLog::new().layer())
        .add_routes(tonic::service::Routes::default());
}
