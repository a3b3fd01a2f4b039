//! What the feature `axum` adds.

#![allow(clippy::unwrap_used, reason = "a test is meant to panic")]

use axum::{
    Router,
    body::Body,
    routing::{any, get},
};
use buttress::{
    Route, Stack, client_ip::ClientIp, context, metrics::HttpMetrics, problem::Failure,
};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};

async fn seen() -> String {
    context::current().and_then(|request| request.route().map(str::to_owned)).unwrap_or_default()
}

fn router() -> Router {
    Router::new().route("/users/{id}", get(seen)).fallback(any(seen))
}

/// What the handler saw of its route, and what the metrics say of it.
async fn ask<S, B>(app: S, metrics: &HttpMetrics, path: &str) -> (String, Vec<String>)
where
    S: Service<Request<Body>, Response = http::Response<B>, Error = std::convert::Infallible>,
    B: http_body::Body<Data = bytes::Bytes, Error: std::fmt::Debug>,
{
    let request = Request::get(path).body(Body::empty()).unwrap();
    let body = app.oneshot(request).await.unwrap().into_body().collect().await.unwrap();
    let report = metrics.report();
    let routes = report.since_start().routes().iter().filter_map(|route| route.name());
    (String::from_utf8(body.to_bytes().into()).unwrap(), routes.map(str::to_owned).collect())
}

#[tokio::test]
async fn the_production_stack_knows_the_matched_path() {
    let metrics = HttpMetrics::server();
    let app = router().layer(Stack::production(ClientIp::peer()).metrics(metrics.clone()));
    let (seen, routes) = ask(app.clone(), &metrics, "/nowhere/7").await;
    assert_eq!((seen, routes), (String::new(), Vec::new()));
    let (seen, routes) = ask(app, &metrics, "/users/7").await;
    assert_eq!(seen, "/users/{id}");
    assert_eq!(routes, ["/users/{id}"]);
}

#[tokio::test]
async fn around_a_whole_router_it_is_told_from_inside() {
    let metrics = HttpMetrics::server();
    let app = Stack::production(ClientIp::peer())
        .metrics(metrics.clone())
        .layer(router().route_layer(Route::matched_path()));
    let (seen, routes) = ask(app, &metrics, "/users/7").await;
    assert_eq!(seen, "/users/{id}");
    assert_eq!(routes, ["/users/{id}"]);
}

#[tokio::test]
async fn a_handler_returns_a_failure() {
    let fail = || async { Err::<(), _>(Failure::new(StatusCode::CONFLICT).with_detail("taken")) };
    let app = Router::new().route("/", get(fail)).layer(Stack::production(ClientIp::peer()));
    let request = Request::get("/").body(Body::empty()).unwrap();
    let answer = app.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 409);
    assert_eq!(answer.headers().get("content-type").unwrap(), "application/problem+json");
}

/// `Router::layer` puts it around each route, and around the fallback.
#[tokio::test]
async fn all_routes_of_a_router_count_as_one() {
    let metrics = HttpMetrics::server();
    let app = Router::new()
        .route("/a", get(seen))
        .route("/b", get(seen))
        .layer(Stack::production(ClientIp::peer()).metrics(metrics.clone()));
    for path in ["/a", "/b", "/nowhere"] {
        ask(app.clone(), &metrics, path).await;
    }
    assert_eq!(metrics.report().since_start().requests(), 3);
}
