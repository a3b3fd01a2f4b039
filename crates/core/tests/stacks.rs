//! A rejecting layer outside of the layers that everybody has, and inside them, on each server.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test is meant to panic")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use buttress_core::{
    body::ResponseBody,
    context::{self, ContextLayer},
    observe::ObserveLayer,
    reject::{DefaultResponder, Protocol, Rejected, Rejection},
};
use bytes::Bytes;
use futures_util::future::Either;
use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::{compression::CompressionLayer, cors::CorsLayer, trace::TraceLayer};

/// Turns away what says so in its path.
#[derive(Clone, Debug)]
struct TurnAway(&'static str);

#[derive(Clone, Debug)]
struct TurnedAway<S> {
    inner: S,
    path: &'static str,
}

impl<S> Layer<S> for TurnAway {
    type Service = TurnedAway<S>;

    fn layer(&self, inner: S) -> TurnedAway<S> {
        TurnedAway { inner, path: self.0 }
    }
}

impl<S, B, R> Service<Request<B>> for TurnedAway<S>
where
    S: Service<Request<B>, Response = Response<R>, Future: Future<Output: Send>>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = Either<
        Ready<Result<Self::Response, S::Error>>,
        futures_util::future::MapOk<S::Future, fn(Response<R>) -> Self::Response>,
    >;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        use futures_util::TryFutureExt;
        if request.uri().path().ends_with(self.path) {
            let no = Rejection::new("test", "turned_away", StatusCode::TOO_MANY_REQUESTS);
            let answer = no.respond(&DefaultResponder, Protocol::of(request.headers()));
            return Either::Left(ready(Ok(answer)));
        }
        Either::Right(self.inner.call(request).map_ok(|answer| answer.map(ResponseBody::inner)))
    }
}

/// The peers between two of ours, and ours once more in the middle.
macro_rules! both_sides {
    ($service:expr) => {
        ServiceBuilder::new()
            .layer(ContextLayer::new())
            .layer(ObserveLayer::new(()))
            .layer(TurnAway("outer"))
            .layer(TraceLayer::new_for_http())
            .layer(CorsLayer::permissive())
            .layer(CompressionLayer::new())
            .layer(TurnAway("inner"))
            .layer(ObserveLayer::new(()))
            .layer(CorsLayer::permissive())
            // tower-http's Cors wants `Default` of the body inside it, which Trace's has not.
            .layer(TurnAway("innermost"))
            .layer(TraceLayer::new_for_http())
            .service($service)
    };
}

fn request(path: &str, content_type: &str) -> http::request::Builder {
    Request::builder().uri(path).header(CONTENT_TYPE, content_type)
}

fn assert_turned_away<B>(response: &Response<B>, content_type: &str, cors: bool) {
    assert_eq!(response.headers()[CONTENT_TYPE], content_type);
    assert_eq!(response.extensions().get::<Rejected>().unwrap().reason(), "turned_away");
    assert_eq!(response.headers().contains_key("access-control-allow-origin"), cors);
}

#[tokio::test]
async fn under_axum() {
    // As a router's own layers, one by one, and around the router.
    let app = axum::Router::new()
        .route("/{*path}", axum::routing::get(|| async { "hello" }))
        .layer(TraceLayer::new_for_http())
        .layer(TurnAway("innermost"))
        .layer(CorsLayer::permissive());
    let app = both_sides!(app);
    for (path, status) in [("/outer", 429), ("/inner", 429), ("/hello", 200)] {
        let request = request(path, "text/plain").body(axum::body::Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        if status == 429 {
            assert_turned_away(&response, "application/problem+json", path == "/inner");
        }
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(!body.is_empty());
    }
}

#[tokio::test]
async fn under_hyper() {
    let service = both_sides!(service_fn(|_: Request<Full<Bytes>>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
    }));
    let served = hyper_util::service::TowerToHyperService::new(service);
    for (path, status) in [("/outer", 429), ("/inner", 429), ("/hello", 200)] {
        let request = request(path, "text/plain").body(Full::default()).unwrap();
        let response = hyper::service::Service::call(&served, request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        if status == 429 {
            assert_turned_away(&response, "application/problem+json", path == "/inner");
        }
    }
}

#[tokio::test]
async fn under_tonic() {
    let routes = tonic::service::Routes::default().prepare();
    let service = both_sides!(routes);
    for path in ["/outer", "/inner"] {
        let request = request(path, "application/grpc").body(tonic::body::Body::empty()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["grpc-status"], "8");
        assert_turned_away(&response, "application/grpc", path == "/inner");
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
    // It is also what tonic's server takes.
    let _ = tonic::transport::Server::builder()
        .layer(TurnAway("inner"))
        .layer(CorsLayer::permissive())
        .layer(TurnAway("outer"))
        .add_routes(tonic::service::Routes::default());
}

/// A buffer calls the service in a task of its own, which the thread-local does not reach.
#[tokio::test]
async fn behind_a_buffer_the_context_is_found_among_the_extensions() {
    let seen = |_: Request<Full<Bytes>>| {
        let id = context::current().and_then(|request| request.request_id().cloned());
        ready(Ok::<_, tower::BoxError>(Response::new(Full::new(Bytes::from(
            id.unwrap().to_str().unwrap().to_owned(),
        )))))
    };
    let service = ServiceBuilder::new()
        .layer(ContextLayer::new().extension(true))
        .map_request(|request: Request<_>| {
            let id = http::HeaderValue::from_static("outer");
            assert!(context::current().unwrap().set_request_id(id));
            request
        })
        .buffer(1)
        .layer(ContextLayer::new())
        .service_fn(seen);
    let response = service.oneshot(Request::new(Full::default())).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "outer");
}
